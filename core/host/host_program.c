#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "host/host_program.h"
#include "base/io.h"
#include "base/program.h"
#include "base/say.h"
#include "jsontext.h"

/*
 * A program is the hypervisor: vmferry-host(7) has what it is asked and what it answers.  It is trusted to do what it
 * says, being of this site; its answers are held against their bounds as any text from outside.
 */
#define SHUTDOWN 900u /* and to see a guest shut down */

/* All that may be in a question: paths and names at their longest, as JSON escapes them, and the definition. */
#define QUESTION_MAX (8u * HOST_DEFINITION + HOST_DISKS * 12u * PATH_MAX)

void
host_program_keep(const struct host_program *E)
{
	if (E->host != NULL)
		(void)program_keep(E->path);
}

/* --- the question ------------------------------------------------------------------------------------- */

json_t *
host_program_disks(const struct host_vm *vm)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < vm->ndisks; i++) {
		const struct host_disk *d = &vm->disks[i];

		bad |= json_array_append_new(
		    a, json_pack("{s:s,s:s*,s:s*,s:s,s:I,s:b}", "id", d->id, "uri", d->uri, "path", d->path,
		           "format", host_format_name(d->format), "size", (json_int_t)d->size, "excluded",
		           d->is_excluded));
	}
	return (jsontext_whole(a, bad));
}

json_t *
host_program_question(const struct host_program *E, const char *verb, const char *name)
{
	return (json_pack("{s:i,s:s,s:s,s:s*}", "version", 1, "verb", verb, "name", name, "host", E->host));
}

char *
host_program_text(json_t *question, const char *name, size_t *size)
{
	char *text = jsontext_dump(question, QUESTION_MAX, size);

	if (text == NULL) {
		say_failed("%s: cannot put the question together: no memory, or a name or definition is no "
		           "UTF-8",
		    name);
		return (NULL);
	}
	/* One line: an end of a line within is always one between two values. */
	for (char *c = strchr(text, '\n'); c != NULL && c < text + *size - 1; c = strchr(c, '\n'))
		*c = ' ';
	return (text);
}

/* What the verb is about: a VM as the host is to have it, or NULL where a name says it all. */
static json_t *
encode(const struct host_program *E, const char *verb, const char *name, const struct host_vm *vm)
{
	json_t *o = host_program_question(E, verb, name);
	int bad = 0;

	if (vm == NULL)
		return (o);
	bad |= json_object_set_new(o, "uuid", json_string(vm->uuid));
	bad |= json_object_set_new(o, "vm", json_string(vm->vm != NULL ? vm->vm : vm->name));
	bad |= json_object_set_new(o, "purpose", json_string(host_purpose_name(vm->purpose)));
	bad |= json_object_set_new(o, "network", json_string(vm->is_isolated ? "isolated" : "defined"));
	bad |= json_object_set_new(o, "may_start", json_boolean(vm->may_start));
	bad |= json_object_set_new(o, "disks", host_program_disks(vm));
	if (vm->definition != NULL)
		bad |= json_object_set_new(o, "definition", json_string(vm->definition));
	return (jsontext_whole(o, bad));
}

/* --- ask -------------------------------------------------------------------------------------------- */

/* What it said, or a word for its silence. */
static const char *
its_words(const struct program_result *R)
{
	return (R->words[0] != '\0' ? R->words : "it says nothing more");
}

/* What one of ours tells the person beside its answer; what another's says then is for itself. */
static void
pass_words(const struct host_program *E, const char *name, const struct program_result *R)
{
	if (E->host != NULL && R->words[0] != '\0')
		say_note("%s: %s", name, R->words);
}

/* Run it with the question, which is taken: 0, whatever its status; -1, said. */
static int
run(const struct host_program *E, const char *verb, const char *name, json_t *question,
    struct program_result *R)
{
	const char *argv[] = { E->path, verb, name, NULL };
	struct program P = { .argv = argv,
		.seconds = strcmp(verb, "shutdown") == 0 ? SHUTDOWN : HOST_PROGRAM_QUICK };
	char *text = host_program_text(question, name, &P.input_size);
	int rc;

	if (text == NULL)
		return (-1);
	P.input = text;
	rc = program_run(&P, R);
	free(text);
	return (rc);
}

/**
 * Ask the program the question, which is taken: 0, with its answer in *R to be released; 1 or -1, said.
 */
static int
ask_this(const struct host_program *E, const char *verb, const char *name, json_t *question,
    struct program_result *R)
{
	int rc = run(E, verb, name, question, R);

	if (rc != 0)
		return (-1);
	if (R->status == 0) {
		pass_words(E, name, R);
		return (0);
	}
	if (R->status == 1)
		rc = say_refused("%s: %s says no to %s: %s", name, E->path, verb, its_words(R));
	else
		rc = say_failed(
		    "%s: %s failed at %s, with status %d: %s", name, E->path, verb, R->status, its_words(R));
	program_release(R);
	return (rc);
}

static int
ask(const struct host_program *E, const char *verb, const char *name, const struct host_vm *vm,
    struct program_result *R)
{
	return (ask_this(E, verb, name, encode(E, verb, name, vm), R));
}

int
host_program_talk(const struct host_program *E, const char *verb, const char *name, json_t *question,
    struct program_talk **T)
{
	const char *argv[] = { E->path, verb, name, NULL };
	struct program P = { .argv = argv, .seconds = HOST_PROGRAM_QUICK };
	char *text = host_program_text(question, name, &P.input_size);
	int rc;

	if (text == NULL)
		return (-1);
	P.input = text;
	rc = program_talk(&P, T);
	free(text);
	return (rc);
}

/* The same where it may not know the verb: then HOST_NOTHING, unsaid. */
static int
ask_quietly(const struct host_program *E, const char *verb, const char *name, struct program_result *R)
{
	int rc = run(E, verb, name, host_program_question(E, verb, name), R);

	if (rc != 0 || R->status == 0)
		return (rc);
	program_release(R);
	return (HOST_NOTHING);
}

/* Ask where no answer is needed. */
static int
tell(const struct host_program *E, const char *verb, const char *name, const struct host_vm *vm)
{
	struct program_result R;
	int rc = ask(E, verb, name, vm, &R);

	if (rc == 0)
		program_release(&R);
	return (rc);
}

/* --- the answer ------------------------------------------------------------------------------------- */

int
host_program_bad(const struct host_program *E, const char *verb, const char *name, const char *why)
{
	return (say_refused("%s: %s answers %s with %s; see vmferry-host(7)", name, E->path, verb, why));
}

/* Ask for an object, which is the caller's to decref. */
static int
ask_json(
    const struct host_program *E, const char *verb, const char *name, const struct host_vm *vm, json_t **out)
{
	struct program_result R;
	int rc = ask(E, verb, name, vm, &R);

	if (rc != 0)
		return (rc);
	if ((*out = json_loadb(R.output, R.size, JSON_REJECT_DUPLICATES, NULL)) == NULL)
		rc = host_program_bad(E, verb, name, R.size == 0 ? "nothing" : "what is no JSON object");
	program_release(&R);
	return (rc);
}

/* The number of a word among n; -1 if it is none of them. */
static int
find_word(const char *word, const char *(*name)(unsigned i), unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(word, name(i)) == 0)
			return ((int)i);
	return (-1);
}

static const char *
run_word(unsigned i)
{
	return (host_run_name((enum host_run)i));
}

static const char *
stop_word(unsigned i)
{
	return (host_stop_name((enum host_stop)i));
}

/* NULL, or what is wrong. */
static const char *
decode_state(const json_t *o, struct host_state *out)
{
	const char *run = json_string_value(json_object_get(o, "state"));
	const json_t *stopped = json_object_get(o, "stopped");
	int i = run == NULL ? -1 : find_word(run, run_word, HOST_RUNNING + 1), k = HOST_STOP_UNKNOWN;

	/* "unknown" is no answer for a program that there is. */
	if (i <= HOST_UNKNOWN)
		return ("no state that is known");
	if (stopped != NULL)
		k = json_is_string(stopped)
		        ? find_word(json_string_value(stopped), stop_word, HOST_CRASHED + 1)
		        : -1;
	if (k < 0)
		return ("a reason of being stopped that is not known");
	out->run = (enum host_run)i;
	out->stop = i == HOST_OFF ? (enum host_stop)k : HOST_STOP_UNKNOWN;
	return (NULL);
}

/* Names, none if there is no such key. */
static int
decode_names(const json_t *o, const char *key, char out[HOST_NETWORKS][LIMIT_NAME + 1], unsigned *n)
{
	const json_t *a = json_object_get(o, key);

	if (a != NULL && !json_is_array(a))
		return (-1);
	for (*n = 0; *n < json_array_size(a); (*n)++) {
		const json_t *s = json_array_get(a, *n);

		if (*n == HOST_NETWORKS || !json_is_string(s) || json_string_length(s) > LIMIT_NAME ||
		    json_string_length(s) == 0)
			return (-1);
		memcpy(out[*n], json_string_value(s), json_string_length(s) + 1);
	}
	return (0);
}

/* --- the verbs ------------------------------------------------------------------------------------------ */

static int
program_define(void *state, const struct host_vm *vm)
{
	const struct host_program *E = state;

	return (E->knows_running ? HOST_NOTHING : tell(E, "define", vm->name, vm));
}

static int
program_state(void *state, const char *name, struct host_state *out)
{
	const struct host_program *E = state;
	const char *why;
	json_t *o = NULL;
	int rc = ask_json(E, "state", name, NULL, &o);

	if (rc == 0 && (why = decode_state(o, out)) != NULL)
		rc = host_program_bad(E, "state", name, why);
	json_decref(o);
	return (rc);
}

static int
program_start(void *state, const char *name)
{
	const struct host_program *E = state;

	return (E->knows_running ? HOST_NOTHING : tell(E, "start", name, NULL));
}

static int
program_shutdown(void *state, const char *name)
{
	return (tell(state, "shutdown", name, NULL));
}

static int
program_undefine(void *state, const char *name)
{
	const struct host_program *E = state;

	return (E->knows_running ? HOST_NOTHING : tell(E, "undefine", name, NULL));
}

static int
program_networks(void *state, const struct host_vm *vm, struct host_networks *out)
{
	const struct host_program *E = state;
	json_t *o = NULL;
	int rc = ask_json(E, "networks", vm->name, vm, &o);

	if (rc == 0 &&
	    (!json_is_object(o) || decode_names(o, "networks", out->networks, &out->nnetworks) != 0 ||
	        decode_names(o, "missing", out->missing, &out->nmissing) != 0)) {
		out->nnetworks = out->nmissing = 0;
		rc = host_program_bad(E, "networks", vm->name, "what is not at most 64 names each");
	}
	json_decref(o);
	return (rc);
}

static const char *
decode_machine_disk(const json_t *o, struct host_machine_disk *d)
{
	const json_t *why = json_object_get(o, "why");

	if (jsontext_get_string(o, "id", d->id, sizeof d->id) != 0)
		return ("a disk without an id");
	d->is_removable = json_is_true(json_object_get(o, "removable"));
	d->is_swap = json_is_true(json_object_get(o, "swap"));
	if (why != NULL)
		return (jsontext_get_string(o, "why", d->why, sizeof d->why) != 0 || d->why[0] == '\0'
		            ? "a reason that is none, or too long"
		            : NULL);
	if (jsontext_get_string(o, "where", d->where, sizeof d->where) != 0 || d->where[0] == '\0')
		return ("a disk that is nowhere");
	if (jsontext_find_number(o, "size", LIMIT_DISK_SIZE, &d->size) != 0)
		return ("a size that is none");
	return (NULL);
}

static const char *
decode_machine(const json_t *o, struct host_machine *M)
{
	const json_t *disks = json_object_get(o, "disks"), *definition = json_object_get(o, "definition");
	struct host_state is = { HOST_UNKNOWN, HOST_STOP_UNKNOWN };
	const char *why = NULL;

	if (!json_is_array(disks) || json_array_size(disks) > HOST_DISKS)
		return ("no list of at most 128 disks");
	for (size_t i = 0; why == NULL && i < json_array_size(disks); i++)
		why = decode_machine_disk(json_array_get(disks, i), &M->disks[M->ndisks++]);
	if (why != NULL)
		return (why);
	if (jsontext_find_string(o, "uuid", M->uuid, sizeof M->uuid) != 0)
		return ("a UUID that is none");
	if (json_object_get(o, "state") != NULL && decode_state(o, &is) != NULL)
		return ("a state that is none");
	M->run = is.run;
	if (definition == NULL)
		return (NULL);
	if (!json_is_string(definition) || json_string_length(definition) > HOST_DEFINITION)
		return ("a definition that is none, or has over 256 KiB");
	M->definition = strdup(json_string_value(definition));
	return (M->definition == NULL ? "more than there is memory for" : NULL);
}

/* Of a VM that is off, and of which it knows nothing then, the answer is empty. */
static int
take_machine(
    const struct host_program *E, const char *name, const char *text, size_t size, struct host_machine *M)
{
	json_t *o = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	const char *why;
	int rc = 0;

	if (json_is_object(o) && json_object_size(o) == 0)
		rc = HOST_NOTHING;
	else if ((why = o == NULL ? "what is no JSON object" : decode_machine(o, M)) != NULL)
		rc = host_program_bad(E, "machine", name, why);
	json_decref(o);
	return (rc);
}

/* A program of somebody else's need not know this verb. */
static int
ask_theirs(const struct host_program *E, const char *name, struct host_machine *M)
{
	struct program_result R;
	int rc = ask_quietly(E, "machine", name, &R);

	if (rc != 0)
		return (rc);
	rc = R.size == 0 ? HOST_NOTHING : take_machine(E, name, R.output, R.size, M);
	program_release(&R);
	return (rc);
}

/* One of ours stays, to be asked for a view of a VM that runs: to start it twice costs more than what it does. */
static int
ask_ours(struct host_program *E, const char *name, struct host_machine *M)
{
	json_t *question = host_program_question(E, "machine", name);
	const char *line;
	int bad = json_object_set_new(question, "more", json_true()), rc;

	if (E->talk != NULL)
		program_talk_end(E->talk, NULL);
	E->talk = NULL;
	if (host_program_talk(E, "machine", name, jsontext_whole(question, bad), &E->talk) != 0)
		return (-1);
	if ((rc = program_talk_hear(E->talk, &line)) == 0)
		rc = take_machine(E, name, line, strlen(line), M);
	if (rc == 0 && (M->run == HOST_RUNNING || M->run == HOST_PAUSED))
		return (0);
	program_talk_end(E->talk, NULL);
	E->talk = NULL;
	return (rc);
}

static int
program_machine(void *state, const char *name, struct host_machine *M)
{
	struct host_program *E = state;

	return (E->host == NULL ? ask_theirs(E, name, M) : ask_ours(E, name, M));
}

static int
program_forget(void *state, const char *name, const char *prefix)
{
	const struct host_program *E = state;
	json_t *o = host_program_question(E, "forget", name);
	struct program_result R;
	int bad = json_object_set_new(o, "prefix", json_string(prefix));
	int rc = ask_this(E, "forget", name, jsontext_whole(o, bad), &R);

	if (rc == 0)
		program_release(&R);
	return (rc);
}

static void
program_close(void *state)
{
	struct host_program *E = state;

	if (E->talk != NULL)
		program_talk_end(E->talk, NULL);
	free(E->host);
	free(E);
}

static int
program_new(void **state, const char *path, const char *host)
{
	struct host_program *E = calloc(1, sizeof *E);

	if (E == NULL || (host != NULL && (E->host = strdup(host)) == NULL)) {
		free(E);
		return (say_failed("out of memory"));
	}
	*state = E;
	return (io_path(E->path, "%s", path));
}

int
host_exec_open(void **state, const char *rest)
{
	if (!io_is_program(rest))
		return (say_refused("%s: cannot be run as the program of a host: %s", rest, strerror(errno)));
	return (program_new(state, rest, NULL));
}

/* One of our own lies beside the tool that asks. */
static int
open_ours(void **state, const char *name, const char *package, const char *host)
{
	char self[PATH_MAX], path[PATH_MAX];

	if (io_read_link("/proc/self/exe", self) != 0 || io_path(path, "%s/%s", dirname(self), name) != 0)
		return (-1);
	if (!io_is_program(path) && program_find(path, name, package) != 0)
		return (-1);
	return (program_new(state, path, host));
}

int
host_libvirt_open(void **state, const char *rest)
{
	return (open_ours(state, "vmferry-libvirt", "vmferry-libvirt", rest));
}

int
host_qmp_open(void **state, const char *rest)
{
	int rc = open_ours(state, "vmferry-qmp", "vmferry", rest);

	if (rc == 0)
		((struct host_program *)*state)->knows_running = 1;
	return (rc);
}

const struct host_kind host_program = { program_define, program_state, program_start, program_shutdown,
	program_undefine, program_networks, program_machine, host_program_view, program_forget,
	program_close };
