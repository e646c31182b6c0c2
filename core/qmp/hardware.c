#include "qmp/hardware.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "jsontext.h"
#include "hyper/answer.h"
#include "qmp/drives.h"
#include "qmp/power.h"
#include "qmp/recall.h"

#define WHAT "machine"

/* Put a value, which ends at a comma that is not doubled, out of sight. */
static void
hide_value(char *value)
{
	for (; *value != '\0'; value++)
		if (*value != ',')
			*value = '*';
		else if (*++value != ',')
			return;
}

/* What a secret object holds, or the password of a display, is nothing that a recovery point carries to other sites. */
static void
hide_secrets(char *argument)
{
	static const char *const keys[] = { "data=", "password=" };

	/* In the form of JSON nothing is left of one that may have any. */
	if (argument[0] == '{' &&
	    (strstr(argument, "\"data\"") != NULL || strstr(argument, "assword") != NULL))
		memset(argument + 1, '*', strlen(argument + 1));
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		for (char *p = argument; (p = strstr(p, keys[i])) != NULL; p += strlen(keys[i]))
			if (p == argument || p[-1] == ',')
				hide_value(p + strlen(keys[i]));
}

/* The arguments of a process: an array, or NULL if nobody can tell, or they are no text. */
static json_t *
arguments_of(pid_t pid)
{
	char path[64], *text = malloc(HOST_DEFINITION + 1);
	json_t *a = json_array();
	ssize_t n = -1;
	int bad = 0;

	snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);
	if (text != NULL && pid > 0 && io_exists(path) == 1)
		n = io_read_start(path, text, HOST_DEFINITION + 1);
	bad = n <= 0 || n > (ssize_t)HOST_DEFINITION || text[n - 1] != '\0';
	for (ssize_t i = 0; !bad && i < n; i += (ssize_t)strlen(text + i) + 1) {
		hide_secrets(text + i);
		bad = json_array_append_new(a, json_string(text + i));
	}
	free(text);
	return (jsontext_whole(a, bad));
}

/* QEMU's command line, which is all the definition that there is: a JSON array, as text; NULL if nobody can tell. */
static json_t *
command_line(struct monitor *M)
{
	struct client_peer peer;
	json_t *a = monitor_peer(M, &peer) == 0 ? arguments_of(peer.pid) : NULL, *out = NULL;
	char *line = a == NULL ? NULL : json_dumps(a, JSON_COMPACT);

	if (line != NULL && strlen(line) <= HOST_DEFINITION)
		out = json_string(line);
	json_decref(a);
	free(line);
	return (out);
}

static json_t *
encode_disks(const struct drives *D)
{
	json_t *a = json_array(), *o;
	int bad = 0;

	for (unsigned i = 0; i < D->n; i++) {
		const struct drive *d = &D->drive[i];

		o = d->why[0] != '\0'
		        ? json_pack("{s:s,s:s,s:b}", "id", d->id, "why", d->why, "removable", d->is_removable)
		        : json_pack("{s:s,s:s}", "id", d->id, "where", d->where);
		if (d->size > 0)
			bad |= json_object_set_new(o, "size", json_integer((json_int_t)d->size));
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode(struct monitor *M, const struct drives *D)
{
	json_t *o = json_object(), *J = NULL, *definition;
	const char *uuid;
	int bad = 0;

	if (monitor_must(M, "query-uuid", NULL, &J) != 0) {
		json_decref(o);
		return (NULL);
	}
	/* One that was not given is all zeroes. */
	uuid = json_string_value(json_object_get(J, "UUID"));
	if (uuid != NULL && strspn(uuid, "0-") != strlen(uuid))
		bad |= json_object_set_new(o, "uuid", json_string(uuid));
	json_decref(J);
	if ((definition = command_line(M)) != NULL)
		bad |= json_object_set_new(o, "definition", definition);
	bad |= json_object_set_new(o, "disks", encode_disks(D));
	return (jsontext_whole(o, bad));
}

/* Of a VM that is off, what it was the last time that somebody asked. */
static int
tell_from_memory(const struct endpoint *E, const struct question *Q)
{
	json_t *o = recall_get(Q->name, WHAT);

	if (o == NULL)
		return (say_refused(
		    "%s: no QEMU listens at %s: the VM is off, and nobody asked before what disks it "
		    "has: start it, or name them with --disk",
		    Q->name, E->monitor));
	return (answer_object(o));
}

int
hardware_tell(const struct endpoint *E, const struct question *Q)
{
	struct monitor *M = NULL;
	struct drives *D = NULL;
	json_t *o = NULL;
	const char *state;
	int rc = endpoint_open(E, Q, &M);

	if (rc == MONITOR_OFF)
		return (tell_from_memory(E, Q));
	if (rc == MONITOR_BUSY)
		return (endpoint_must(E, Q, &M));
	if (rc == 0)
		rc = drives_read(M, &D);
	if (rc == 0 && (o = encode(M, D)) == NULL)
		rc = say_failed("%s: cannot tell what it is", Q->name);
	if (rc == 0 && (rc = recall_keep(Q->name, WHAT, json_incref(o))) == 0 &&
	    (rc = power_state(M, &state)) == 0 && json_object_set_new(o, "state", json_string(state)) == 0)
		rc = answer_object(json_incref(o));
	json_decref(o);
	free(D);
	monitor_close(M);
	return (rc);
}

int
hardware_forget(const struct question *Q)
{
	return (recall_remove(Q->name, WHAT));
}
