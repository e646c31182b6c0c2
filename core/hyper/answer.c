#include "hyper/answer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "jsontext.h"

#define ANSWER_MAX (1u << 20)

static int
set_text(json_t *o, const char *key, const char *text)
{
	return (text[0] == '\0' ? 0 : json_object_set_new(o, key, json_string(text)));
}

static json_t *
encode_disk(const struct host_view_disk *d)
{
	json_t *o = json_object();
	int bad = set_text(o, "id", d->id) | set_text(o, "where", d->where) |
	          set_text(o, "bitmap", d->bitmap) | set_text(o, "changes", d->changes) |
	          set_text(o, "how", d->how) | set_text(o, "why", d->why);

	return (jsontext_whole(o, bad));
}

static json_t *
encode(const struct host_view *V)
{
	json_t *o = json_object(), *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < V->ndisks; i++)
		bad |= json_array_append_new(a, encode_disk(&V->disks[i]));
	bad |= json_object_set_new(o, "disks", a);
	bad |= json_object_set_new(o, "quiesced", json_boolean(V->is_quiesced));
	if (V->quiesce && !V->is_quiesced)
		bad |= set_text(o, "quiesce_why", V->not_quiesced);
	return (jsontext_whole(o, bad));
}

int
answer_object(json_t *o)
{
	char *text = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);
	size_t n = text == NULL ? 0 : strlen(text);
	int rc = -1;

	if (text == NULL || n >= ANSWER_MAX)
		say_failed("the answer is too long, or there is no memory for it");
	else {
		text[n] = '\n'; /* in the place of its NUL: it is written by its length */
		rc = io_write(STDOUT_FILENO, "standard output", text, n + 1);
	}
	free(text);
	json_decref(o);
	return (rc);
}

int
answer_view(const struct host_view *V)
{
	return (answer_object(encode(V)));
}
