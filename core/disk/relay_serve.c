#include <stdlib.h>

#include "bounds.h"
#include "base/io.h"
#include "base/say.h"
#include "disk/image.h"
#include "disk/relay.h"
#include "disk/source.h"

#define HANDLES (4 * LIMIT_DISKS)
#define BUFFER (8u * RELAY_PIECE) /* of what is being written */

struct open_one {
	struct source *source;
	const struct image_kind *kind; /* or an image */
	void *image;
	int error; /* some of what was written failed */
};

struct serving {
	int fd;
	const struct relay_list *names;
	struct open_one open[HANDLES];
	uint8_t *buf;
	size_t used; /* of what is being written: one image at a time */
};

static int
reply(const struct serving *s, struct relay_answer a)
{
	return (io_write(s->fd, RELAY_NAME, &a, sizeof a));
}

static const char *
name_of(const struct serving *s, const struct relay_question *q)
{
	return (q->offset < s->names->n ? s->names->names[q->offset] : NULL);
}

static int
search(const struct serving *s, const struct relay_question *q)
{
	const char *path = name_of(s, q);

	if (path == NULL)
		return (-1);
	return (reply(s, (struct relay_answer){ .rc = source_file_search(path) }));
}

static int
open_disk(struct serving *s, const struct relay_question *q)
{
	struct relay_answer a = { .rc = -1 };
	struct open_one *o = NULL;
	const char *where = name_of(s, q);
	enum source_use use = q->length == SOURCE_QUIET ? SOURCE_QUIET : SOURCE_OWN;
	int is_uri = where != NULL && source_is_uri(where);

	for (unsigned i = 0; o == NULL && i < HANDLES; i++)
		if (s->open[i].source == NULL && s->open[i].image == NULL) {
			o = &s->open[i];
			a.flag = i;
		}
	if (o == NULL || where == NULL || source_is_plain(where)) {
		say_failed("%s: more are open than it takes", RELAY_NAME);
	} else if (q->what == RELAY_OPEN_SOURCE) {
		if ((a.rc = source_open(&o->source, where, use, NULL)) == 0)
			a.value = source_size(o->source);
	} else if ((a.rc = (is_uri ? image_nbd_open : image_image_open)(&o->image, &a.value, where)) == 0) {
		o->kind = is_uri ? &image_nbd : &image_image;
		o->error = 0;
	}
	return (reply(s, a));
}

static void
close_export(struct open_one *o)
{
	source_close(o->source);
	if (o->image != NULL)
		o->kind->close(o->image);
	*o = (struct open_one){ 0 };
}

static int
read_export(const struct serving *s, const struct open_one *o, const struct relay_question *q)
{
	struct relay_answer a = { .rc = -1 };

	if (q->length <= RELAY_PIECE)
		a.rc = source_read(o->source, s->buf, (size_t)q->length, q->offset);
	if (reply(s, a) != 0)
		return (-1);
	return (a.rc == 0 ? io_write(s->fd, RELAY_NAME, s->buf, (size_t)q->length) : 0);
}

/* The bytes of what is under way stay in the buffer until it is done. */
static void
drain(struct serving *s, struct open_one *o)
{
	if (o->kind->drain(o->image) != 0)
		o->error = 1;
	s->used = 0;
}

static int
write_export(struct serving *s, struct open_one *o, const struct relay_question *q)
{
	uint8_t *p;

	if (q->length > RELAY_PIECE)
		return (-1);
	if (q->length > BUFFER - s->used)
		drain(s, o);
	p = s->buf + s->used;
	if (io_read(s->fd, RELAY_NAME, p, (size_t)q->length) != (ssize_t)q->length)
		return (-1);
	s->used += (size_t)q->length;
	if (!o->error && o->kind->write(o->image, p, (size_t)q->length, q->offset) != 0)
		drain(s, o);
	return (0);
}

static int
finish(struct serving *s, struct open_one *o, int is_sync)
{
	struct relay_answer a = { .rc = -1 };

	if (!o->error)
		drain(s, o);
	if (!o->error)
		a.rc = is_sync ? o->kind->sync(o->image) : 0;
	s->used = 0;
	return (reply(s, a));
}

static int
resize(struct serving *s, struct open_one *o, const struct relay_question *q)
{
	struct relay_answer a = { .rc = -1 };

	if (!o->error)
		drain(s, o);
	if (!o->error && o->kind->resize != NULL)
		a.rc = o->kind->resize(o->image, q->length);
	return (reply(s, a));
}

static int
stamp(const struct serving *s, const struct open_one *o)
{
	struct source_stamp stamp = { 0 };
	struct relay_answer a = { .rc = source_stamp(o->source, &stamp) };

	if (reply(s, a) != 0)
		return (-1);
	return (a.rc < 0 ? 0 : io_write(s->fd, RELAY_NAME, &stamp, sizeof stamp));
}

static int
use_source(struct serving *s, struct open_one *o, const struct relay_question *q)
{
	struct relay_answer a = { 0 };
	int is_hole = 0;

	if (q->what == RELAY_READ)
		return (read_export(s, o, q));
	if (q->what == RELAY_STAMP)
		return (stamp(s, o));
	if (q->what == RELAY_CHECK)
		return (reply(s, (struct relay_answer){ .rc = source_check(o->source) }));
	if (q->what != RELAY_STRETCH)
		return (-1);
	a.rc = source_stretch(o->source, q->offset, q->length, &a.value, &is_hole);
	a.flag = (uint32_t)is_hole;
	return (reply(s, a));
}

static int
use_image(struct serving *s, struct open_one *o, const struct relay_question *q)
{
	if (q->what == RELAY_WRITE)
		return (write_export(s, o, q));
	if (q->what == RELAY_RESIZE)
		return (resize(s, o, q));
	if (q->what == RELAY_DRAIN || q->what == RELAY_SYNC)
		return (finish(s, o, q->what == RELAY_SYNC));
	if (q->what != RELAY_ZERO)
		return (-1);
	if (!o->error && o->kind->zero(o->image, q->offset, q->length) != 0)
		drain(s, o);
	return (0);
}

/* Nothing that a confined process may not do, whatever it asks: an answer, or the end. */
static int
serve_one(struct serving *s, const struct relay_question *q)
{
	struct open_one *o = q->handle < HANDLES ? &s->open[q->handle] : NULL;

	if (q->what == RELAY_OPEN_SOURCE || q->what == RELAY_OPEN_IMAGE)
		return (open_disk(s, q));
	if (q->what == RELAY_SEARCH)
		return (search(s, q));
	if (o == NULL || (o->source == NULL && o->image == NULL))
		return (-1);
	if (q->what == RELAY_CLOSE) {
		close_export(o);
		return (0);
	}
	return (o->source != NULL ? use_source(s, o, q) : use_image(s, o, q));
}

void
relay_serve(int fd, const struct relay_list *names)
{
	struct serving *s = calloc(1, sizeof *s);
	uint8_t *buf = malloc(BUFFER);
	struct relay_question q;

	if (s == NULL || buf == NULL) {
		free(s);
		free(buf);
		return;
	}
	s->fd = fd;
	s->names = names;
	s->buf = buf;
	while (io_read(fd, RELAY_NAME, &q, sizeof q) == (ssize_t)sizeof q && serve_one(s, &q) == 0)
		continue;
	for (unsigned i = 0; i < HANDLES; i++)
		close_export(&s->open[i]);
	free(s);
	free(buf);
}
