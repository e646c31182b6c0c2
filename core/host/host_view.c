#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "host/host_program.h"
#include "base/program.h"
#include "base/say.h"
#include "jsontext.h"

/* A view: the program that holds it is talked with until the end.  See "Views" in vmferry-host(7). */

static json_t *
encode(const struct host_program *E, const char *name, const struct host_view *V)
{
	json_t *o = host_program_question(E, "view", name), *disks = json_array();
	int bad = 0;

	for (unsigned i = 0; i < V->ndisks; i++)
		bad |= json_array_append_new(
		    disks, json_pack("{s:s,s:s}", "id", V->disks[i].id, "where", V->disks[i].where));
	bad |= json_object_set_new(o, "disks", disks);
	bad |= json_object_set_new(o, "token", json_string(V->token));
	bad |= json_object_set_new(o, "prefix", json_string(V->prefix));
	bad |= json_object_set_new(o, "quiesce", json_boolean(V->quiesce));
	if (V->since[0] != '\0')
		bad |= json_object_set_new(o, "since", json_string(V->since));
	return (jsontext_whole(o, bad));
}

/* Words of at most so many bytes, cut off where they are longer. */
static void
get_words(const json_t *o, const char *key, char out[HOST_WHY])
{
	const char *s = json_string_value(json_object_get(o, key));

	out[0] = '\0';
	if (s != NULL)
		strncat(out, s, HOST_WHY - 1);
}

static const char *
decode_disk(const json_t *o, struct host_view_disk *d)
{
	const char *id = json_string_value(json_object_get(o, "id"));

	if (id == NULL || strcmp(id, d->id) != 0)
		return ("other disks than those that were wanted");
	if (jsontext_get_string(o, "where", d->where, sizeof d->where) != 0 || d->where[0] == '\0' ||
	    jsontext_find_string(o, "bitmap", d->bitmap, sizeof d->bitmap) != 0 ||
	    jsontext_find_string(o, "changes", d->changes, sizeof d->changes) != 0)
		return ("a disk that is nowhere, or a name that is too long");
	if (d->changes[0] != '\0' && d->changes[0] != '/')
		return ("a list of changes without an absolute path");
	get_words(o, "how", d->how);
	get_words(o, "why", d->why);
	return (NULL);
}

static const char *
decode(const char *line, struct host_view *V)
{
	json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	const json_t *disks = json_object_get(o, "disks");
	const char *why = NULL;

	if (!json_is_array(disks) || json_array_size(disks) != V->ndisks)
		why = "no list of the disks that were wanted";
	for (unsigned i = 0; why == NULL && i < V->ndisks; i++)
		why = decode_disk(json_array_get(disks, i), &V->disks[i]);
	V->is_quiesced = json_is_true(json_object_get(o, "quiesced"));
	get_words(o, "quiesce_why", V->not_quiesced);
	json_decref(o);
	return (why);
}

/* Who has said what the VM is may still be there to be asked. */
static int
begin(struct host_program *E, const char *name, struct host_view *V)
{
	char *text;
	size_t size;
	int rc;

	if (E->talk == NULL)
		return (host_program_talk(E, "view", name, encode(E, name, V), &V->talk));
	V->talk = E->talk;
	E->talk = NULL;
	if ((text = host_program_text(encode(E, name, V), name, &size)) == NULL)
		return (-1);
	rc = program_talk_say(V->talk, text, size);
	free(text);
	return (rc);
}

int
host_program_view(void *state, const char *name, struct host_view *V)
{
	struct host_program *E = state;
	const char *line, *why;
	int rc = begin(E, name, V);

	if (V->talk == NULL)
		return (-1);
	if (rc == 0 && (rc = program_talk_hear(V->talk, &line)) == 0 && (why = decode(line, V)) != NULL)
		rc = host_program_bad(E, "view", name, why);
	if (rc == 0)
		return (0);
	program_talk_end(V->talk, NULL);
	V->talk = NULL;
	return (rc);
}

int
host_view_end(struct host_view *V, int is_taken)
{
	struct program_talk *T = V->talk;

	V->talk = NULL;
	return (T == NULL ? 0 : program_talk_end(T, is_taken ? "keep\n" : "drop\n"));
}
