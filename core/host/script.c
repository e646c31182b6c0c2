#include "host/script.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/program.h"
#include "base/say.h"
#include "host/host_program.h"
#include "jsontext.h"
#include "point_json.h"

#define SECONDS 300u
#define INPUT_MAX (8u * HOST_DEFINITION + HOST_DISKS * 6u * PATH_MAX)

const char *
script_phase_name(enum script_phase phase)
{
	static const char *const names[] = { "before-start", "after-start", "after-stop", "after-turn" };

	return (names[phase]);
}

static json_t *
encode_names(const char names[][LIMIT_NAME + 1], unsigned n)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < n; i++)
		bad |= json_array_append_new(a, json_string(names[i]));
	return (jsontext_whole(a, bad));
}

static json_t *
encode(const struct script *s)
{
	const struct host_vm *vm = s->vm;
	json_t *o = json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "version", 1, "phase",
	    script_phase_name(s->phase), "act", s->act, "site", s->site, "vm",
	    vm->vm != NULL ? vm->vm : vm->name, "name", vm->name, "uuid", vm->uuid, "purpose",
	    host_purpose_name(vm->purpose), "network", vm->is_isolated ? "isolated" : "defined");
	int bad = json_object_set_new(o, "disks", host_program_disks(vm));

	if (s->point != NULL)
		bad |= json_object_set_new(o, "point", point_encode_text(s->point));
	if (s->networks != NULL) {
		bad |= json_object_set_new(
		    o, "networks", encode_names(s->networks->networks, s->networks->nnetworks));
		bad |= json_object_set_new(
		    o, "missing", encode_names(s->networks->missing, s->networks->nmissing));
	}
	if (vm->definition != NULL)
		bad |= json_object_set_new(o, "definition", json_string(vm->definition));
	return (jsontext_whole(o, bad));
}

/* What went wrong, on a short line, and as it is said. */
static int
fail(const struct script *s, const char *path, char failure[SCRIPT_WORDS], const char *what)
{
	snprintf(failure, SCRIPT_WORDS, "%s of '%s': %.80s", script_phase_name(s->phase), s->act, what);
	for (char *c = failure; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	if (s->phase == SCRIPT_BEFORE_START)
		return (say_refused(
		    "%s: %s says no to the start: %s; nothing was started", s->vm->name, path, what));
	say_note("%s: warning: %s at %s: %s; do by hand what it was to do", s->vm->name, path,
	    script_phase_name(s->phase), what);
	return (1);
}

static int
run(const struct script *s, const char *path, char failure[SCRIPT_WORDS])
{
	const char *argv[] = { path, script_phase_name(s->phase), NULL };
	struct program P = { .argv = argv, .seconds = SECONDS };
	struct program_result R;
	char *text = jsontext_dump(encode(s), INPUT_MAX, &P.input_size), what[PROGRAM_WORDS + 64];
	int rc;

	if (text == NULL)
		return (
		    say_failed("%s: cannot put together what %s is to know: no memory", s->vm->name, path));
	P.input = text;
	rc = program_run(&P, &R);
	free(text);
	if (rc != 0)
		return (fail(s, path, failure, "it could not be run to its end"));
	if (R.status != 0) {
		snprintf(
		    what, sizeof what, "status %d%s%s", R.status, R.words[0] == '\0' ? "" : ": ", R.words);
		rc = fail(s, path, failure, what);
	}
	program_release(&R);
	return (rc);
}

static int
find(const char *home, char path[PATH_MAX])
{
	return (io_path(path, "%s/hook", home));
}

int
script_is_there(const char *home)
{
	char path[PATH_MAX];

	return (find(home, path) != 0 ? -1 : io_exists(path));
}

int
script_run(const struct script *s, char failure[SCRIPT_WORDS])
{
	char path[PATH_MAX];

	failure[0] = '\0';
	if (find(s->home, path) != 0)
		return (-1);
	if (!io_is_program(path))
		return (fail(s, path, failure, strerror(errno)));
	return (run(s, path, failure));
}
