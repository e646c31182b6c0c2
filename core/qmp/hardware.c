#include "qmp/hardware.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "jsontext.h"
#include "qmp/drives.h"

/* QEMU's command line, which is all the definition that there is: a JSON array of its arguments; NULL if nobody can tell. */
static json_t *
command_line(struct monitor *M)
{
	struct client_peer peer;
	char path[64], *text = NULL, *line = NULL;
	size_t size = 0;
	json_t *a = json_array(), *out = NULL;
	int bad = a == NULL;

	if (monitor_peer(M, &peer) != 0 || peer.pid <= 0)
		bad = 1;
	snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)peer.pid);
	if (bad || io_exists(path) != 1 || (text = io_slurp(path, HOST_DEFINITION, &size)) == NULL)
		goto done;
	for (const char *s = text; s < text + size; s += strlen(s) + 1)
		bad |= json_array_append_new(a, json_string(s));
	if (!bad && (line = json_dumps(a, JSON_COMPACT)) != NULL && strlen(line) <= HOST_DEFINITION)
		out = json_string(line);
done:
	json_decref(a);
	free(line);
	free(text);
	return (out);
}

static json_t *
encode_disks(const struct drives *D)
{
	json_t *a = json_array(), *o;
	int bad = 0;

	for (unsigned i = 0; i < D->n; i++) {
		const struct drive *d = &D->drive[i];

		o = d->why[0] != '\0' ? json_pack("{s:s,s:s}", "id", d->id, "why", d->why)
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

int
hardware_tell(const struct endpoint *E, const struct question *Q)
{
	struct monitor *M = NULL;
	struct drives *D = NULL;
	json_t *o = NULL;
	int rc;

	if ((rc = endpoint_must(E, Q, &M)) != 0 || (rc = drives_read(M, &D)) != 0)
		goto done;
	rc = -1;
	if ((o = encode(M, D)) == NULL || json_dumpf(o, stdout, JSON_COMPACT) != 0)
		say_failed("%s: cannot tell what it is", Q->name);
	else
		rc = 0;
	putchar('\n');
done:
	json_decref(o);
	free(D);
	monitor_close(M);
	return (rc);
}
