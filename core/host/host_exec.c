#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "host/host.h"
#include "base/io.h"
#include "base/program.h"
#include "base/say.h"
#include "jsontext.h"

/*
 * A program is the hypervisor: vmferry-host(7) has what it is asked and what it answers.  It is trusted to do what it
 * says, being of this site; its answers are held against their bounds as any text from outside.
 */
#define QUICK 120u    /* seconds for it to do what takes no time of a guest's */
#define SHUTDOWN 900u /* and to see a guest shut down */

/* All that may be in a question: paths and names at their longest, as JSON escapes them, and the definition. */
#define QUESTION_MAX (8u * HOST_DEFINITION + HOST_DISKS * 6u * PATH_MAX)

struct exec {
	char path[PATH_MAX];
};

/* --- the question ------------------------------------------------------------------------------------- */

static json_t *
encode_disks(const struct host_vm *vm)
{
	static const char *const formats[] = { "raw", "qcow2" };
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < vm->ndisks; i++) {
		const struct host_disk *d = &vm->disks[i];

		bad |= json_array_append_new(
		    a, json_pack("{s:s,s:s*,s:s*,s:s,s:I,s:b}", "id", d->id, "uri", d->uri, "path", d->path,
		           "format", formats[d->format], "size", (json_int_t)d->size, "excluded",
		           d->is_excluded));
	}
	return (jsontext_whole(a, bad));
}

/* What the verb is about: a VM as the host is to have it, or NULL where a name says it all. */
static json_t *
encode(const char *verb, const char *name, const struct host_vm *vm)
{
	json_t *o = json_pack("{s:i,s:s,s:s}", "version", 1, "verb", verb, "name", name);
	int bad = 0;

	if (vm == NULL)
		return (o);
	bad |= json_object_set_new(o, "uuid", json_string(vm->uuid));
	bad |= json_object_set_new(o, "vm", json_string(vm->vm != NULL ? vm->vm : vm->name));
	bad |= json_object_set_new(o, "purpose", json_string(host_purpose_name(vm->purpose)));
	bad |= json_object_set_new(o, "network", json_string(vm->is_isolated ? "isolated" : "defined"));
	bad |= json_object_set_new(o, "may_start", json_boolean(vm->may_start));
	bad |= json_object_set_new(o, "disks", encode_disks(vm));
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

/**
 * Ask the program to do verb: 0, with its answer in *R to be released; 1 or -1, said.
 */
static int
ask(const struct exec *E, const char *verb, const char *name, const struct host_vm *vm,
    struct program_result *R)
{
	const char *argv[] = { E->path, verb, name, NULL };
	struct program P = { .argv = argv, .seconds = strcmp(verb, "shutdown") == 0 ? SHUTDOWN : QUICK };
	char *text = jsontext_dump(encode(verb, name, vm), QUESTION_MAX, &P.input_size);
	int rc;

	if (text == NULL)
		return (say_failed(
		    "%s: cannot put the question together: no memory, or a name or definition is no "
		    "UTF-8",
		    name));
	P.input = text;
	rc = program_run(&P, R);
	free(text);
	if (rc != 0)
		return (-1);
	if (R->status == 0)
		return (0);
	if (R->status == 1)
		rc = say_refused("%s: %s says no to %s: %s", name, E->path, verb, its_words(R));
	else
		rc = say_failed(
		    "%s: %s failed at %s, with status %d: %s", name, E->path, verb, R->status, its_words(R));
	program_release(R);
	return (rc);
}

/* Ask where no answer is needed. */
static int
tell(const struct exec *E, const char *verb, const char *name, const struct host_vm *vm)
{
	struct program_result R;
	int rc = ask(E, verb, name, vm, &R);

	if (rc == 0)
		program_release(&R);
	return (rc);
}

/* --- the answer ------------------------------------------------------------------------------------- */

static int
bad_answer(const struct exec *E, const char *verb, const char *name, const char *why)
{
	return (say_refused("%s: %s answers %s with %s; see vmferry-host(7)", name, E->path, verb, why));
}

/* Ask for an object, which is the caller's to decref. */
static int
ask_json(const struct exec *E, const char *verb, const char *name, const struct host_vm *vm, json_t **out)
{
	struct program_result R;
	int rc = ask(E, verb, name, vm, &R);

	if (rc != 0)
		return (rc);
	if ((*out = json_loadb(R.output, R.size, JSON_REJECT_DUPLICATES, NULL)) == NULL)
		rc = bad_answer(E, verb, name, R.size == 0 ? "nothing" : "what is no JSON object");
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
exec_define(void *state, const struct host_vm *vm)
{
	return (tell(state, "define", vm->name, vm));
}

static int
exec_state(void *state, const char *name, struct host_state *out)
{
	const struct exec *E = state;
	const char *why;
	json_t *o = NULL;
	int rc = ask_json(E, "state", name, NULL, &o);

	if (rc == 0 && (why = decode_state(o, out)) != NULL)
		rc = bad_answer(E, "state", name, why);
	json_decref(o);
	return (rc);
}

static int
exec_start(void *state, const char *name)
{
	return (tell(state, "start", name, NULL));
}

static int
exec_shutdown(void *state, const char *name)
{
	return (tell(state, "shutdown", name, NULL));
}

static int
exec_undefine(void *state, const char *name)
{
	return (tell(state, "undefine", name, NULL));
}

static int
exec_networks(void *state, const struct host_vm *vm, struct host_networks *out)
{
	const struct exec *E = state;
	json_t *o = NULL;
	int rc = ask_json(E, "networks", vm->name, vm, &o);

	if (rc == 0 &&
	    (!json_is_object(o) || decode_names(o, "networks", out->networks, &out->nnetworks) != 0 ||
	        decode_names(o, "missing", out->missing, &out->nmissing) != 0)) {
		out->nnetworks = out->nmissing = 0;
		rc = bad_answer(E, "networks", vm->name, "what is not at most 64 names each");
	}
	json_decref(o);
	return (rc);
}

static void
exec_close(void *state)
{
	free(state);
}

int
host_exec_open(void **state, const char *rest)
{
	struct exec *E;

	if (!io_is_program(rest))
		return (say_refused("%s: cannot be run as the program of a host: %s", rest, strerror(errno)));
	if ((E = calloc(1, sizeof *E)) == NULL)
		return (say_failed("out of memory"));
	*state = E;
	return (io_path(E->path, "%s", rest));
}

const struct host_kind host_exec = { exec_define, exec_state, exec_start, exec_shutdown, exec_undefine,
	exec_networks, exec_close };
