#include "hyper/question.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "jsontext.h"

/* As much as our own tools ask at their longest: see host_program.c. */
#define QUESTION_MAX (8u * HOST_DEFINITION + HOST_DISKS * 12u * PATH_MAX)
#define INPUT "standard input"
#define NOTHING 2 /* the end of it */

/* --- read ----------------------------------------------------------------------------------------------- */

/* Up to the end of the line, or of the file.  Byte by byte at its end only: what follows a line stays unread. */
static char *
read_line(size_t *size)
{
	size_t room = 1u << 16, n = 0;
	char *text = malloc(room);
	ssize_t got = 1;

	*size = 0;
	if (text == NULL)
		return (NULL);
	while (n < QUESTION_MAX && (n == 0 || text[n - 1] != '\n')) {
		if (n == room) {
			char *more = realloc(text, room *= 2);

			if (more == NULL)
				break;
			text = more;
		}
		if ((got = io_read(STDIN_FILENO, INPUT, text + n, 1)) != 1)
			break;
		n++;
	}
	*size = n;
	if (got >= 0 && n < QUESTION_MAX)
		return (text);
	free(text);
	return (NULL);
}

static const char *
decode_disk(const json_t *o, struct question_disk *d)
{
	char format[8] = "raw";

	if (jsontext_get_string(o, "id", d->id, sizeof d->id) != 0 ||
	    jsontext_find_string(o, "path", d->path, sizeof d->path) != 0 ||
	    jsontext_find_string(o, "uri", d->uri, sizeof d->uri) != 0 ||
	    jsontext_find_string(o, "where", d->where, sizeof d->where) != 0 ||
	    jsontext_find_string(o, "format", format, sizeof format) != 0 ||
	    (strcmp(format, "raw") != 0 && strcmp(format, "qcow2") != 0))
		return ("a disk has no id, or a path or format that is none");
	d->format = strcmp(format, "qcow2") == 0 ? HOST_QCOW2 : HOST_RAW;
	d->is_excluded = json_is_true(json_object_get(o, "excluded"));
	if (jsontext_find_number(o, "size", LIMIT_DISK_SIZE, &d->size) != 0)
		return ("the size of a disk is none");
	return (NULL);
}

static const char *
decode_disks(const json_t *o, struct question *Q)
{
	const json_t *a = json_object_get(o, "disks"), *one;
	const char *why = NULL;
	size_t i;

	if (a == NULL)
		return (NULL);
	if (!json_is_array(a) || json_array_size(a) > HOST_DISKS)
		return ("its disks are no list, or too many");
	json_array_foreach (a, i, one)
		if (why == NULL)
			why = decode_disk(one, &Q->disks[Q->ndisks++]);
	return (why);
}

static const char *
decode_purpose(const json_t *o, struct question *Q)
{
	const char *s = json_string_value(json_object_get(o, "purpose"));

	Q->purpose = HOST_PRIMARY;
	if (s == NULL)
		return (NULL);
	for (int p = HOST_PLACEHOLDER; p <= HOST_FENCED; p++)
		if (strcmp(host_purpose_name((enum host_purpose)p), s) == 0) {
			Q->purpose = (enum host_purpose)p;
			return (NULL);
		}
	return ("its purpose is none that is known");
}

/* Tokens become parts of the names of files, checkpoints and bitmaps. */
static int
is_token(const char *s)
{
	return (strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s));
}

static const char *
decode(const json_t *o, struct question *Q)
{
	const char *text, *why;
	uint64_t version;

	if (jsontext_get_number(o, "version", 1, &version) != 0 || version != 1)
		return ("it is no object with version 1");
	if (jsontext_get_string(o, "verb", Q->verb, sizeof Q->verb) != 0 ||
	    jsontext_get_string(o, "name", Q->name, sizeof Q->name) != 0 ||
	    jsontext_find_string(o, "vm", Q->vm, sizeof Q->vm) != 0 ||
	    jsontext_find_string(o, "host", Q->host, sizeof Q->host) != 0 ||
	    jsontext_find_string(o, "uuid", Q->uuid, sizeof Q->uuid) != 0 ||
	    jsontext_find_string(o, "token", Q->token, sizeof Q->token) != 0 ||
	    jsontext_find_string(o, "since", Q->since, sizeof Q->since) != 0 ||
	    jsontext_find_string(o, "prefix", Q->prefix, sizeof Q->prefix) != 0)
		return ("a text in it is not there, or too long");
	if (!is_token(Q->token) || !is_token(Q->since) || !is_token(Q->prefix))
		return ("a token has more than letters, digits and '-'");
	if ((why = decode_purpose(o, Q)) != NULL || (why = decode_disks(o, Q)) != NULL)
		return (why);
	text = json_string_value(json_object_get(o, "network"));
	Q->is_isolated = text != NULL && strcmp(text, "isolated") == 0;
	Q->may_start = json_is_true(json_object_get(o, "may_start"));
	Q->quiesce = json_is_true(json_object_get(o, "quiesce"));
	Q->more = json_is_true(json_object_get(o, "more"));
	if ((text = json_string_value(json_object_get(o, "definition"))) == NULL)
		return (NULL);
	if (strlen(text) > HOST_DEFINITION)
		return ("its definition is too long");
	return ((Q->definition = strdup(text)) == NULL ? "there is no memory" : NULL);
}

/* The next line as a question: 0; NOTHING: there is none; 1, said. */
static int
read_question(struct question **out)
{
	struct question *Q = calloc(1, sizeof *Q);
	const char *why = "it is no JSON of a bearable length";
	size_t size = 0;
	char *text = Q == NULL ? NULL : read_line(&size);
	json_t *o = text == NULL ? NULL : json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	int is_there = text == NULL || size > 0;

	if (o != NULL)
		why = decode(o, Q);
	json_decref(o);
	free(text);
	if (why == NULL) {
		*out = Q;
		return (0);
	}
	question_free(Q);
	*out = NULL;
	return (is_there ? say_refused("%s: is no question to a host: %s; see vmferry-host(7)", INPUT, why)
	                 : NOTHING);
}

/* A question about something else than it was to be. */
static int
is_another(struct question **Q)
{
	question_free(*Q);
	*Q = NULL;
	return (
	    say_refused("%s: is no question to a host: it is about something else than what was asked; see "
	                "vmferry-host(7)",
	        INPUT));
}

int
question_read(struct question **Q, int argc, const char *const argv[])
{
	int rc = read_question(Q);

	if (rc == NOTHING)
		return (say_refused("%s: there is no question in it; see vmferry-host(7)", INPUT));
	if (rc == 0 && (argc != 3 || strcmp(argv[1], (*Q)->verb) != 0 || strcmp(argv[2], (*Q)->name) != 0))
		return (is_another(Q));
	return (rc);
}

int
question_each(
    const struct question *first, int (*answer)(void *context, const struct question *Q), void *context)
{
	const struct question *Q = first;
	struct question *next = NULL, *last;
	int rc;

	while ((rc = answer(context, Q)) == 0 && Q->more && fflush(stdout) == 0) {
		last = next;
		rc = read_question(&next);
		question_free(last);
		if (rc == 0 && (strcmp(next->name, first->name) != 0 || strcmp(next->host, first->host) != 0))
			rc = is_another(&next);
		if (rc != 0)
			break;
		Q = next;
	}
	question_free(next);
	return (rc == NOTHING ? 0 : rc);
}

void
question_free(struct question *Q)
{
	if (Q == NULL)
		return;
	free(Q->definition);
	free(Q);
}

/* --- the end of a view ---------------------------------------------------------------------------------- */

enum question_end
question_wait(int milliseconds)
{
	static char line[8];
	static size_t n;
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	for (;;) {
		int rc = poll(&p, 1, milliseconds);

		if (rc == 0 || (rc < 0 && errno == EINTR))
			return (QUESTION_WAIT);
		if (rc < 0 || n == sizeof line || io_read(STDIN_FILENO, INPUT, line + n, 1) != 1)
			return (QUESTION_GONE);
		if (line[n++] != '\n')
			continue;
		if (n == 5 && memcmp(line, "keep", 4) == 0)
			return (QUESTION_KEEP);
		return (n == 5 && memcmp(line, "drop", 4) == 0 ? QUESTION_DROP : QUESTION_GONE);
	}
}
