#include "disk/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bounds.h"
#include "base/io.h"
#include "base/say.h"
#include "disk/relay.h"

struct source {
	const struct source_kind *kind;
	void *state;
	char *name;
	uint64_t size; /* a multiple of LIMIT_SECTOR, at most LIMIT_DISK_SIZE, and 0 of none alone */
};

int
source_is_uri(const char *where)
{
	return (strncmp(where, "nbd://", 6) == 0 || strncmp(where, "nbds://", 7) == 0 ||
	        strncmp(where, "nbd+unix://", 11) == 0 || strncmp(where, "nbds+unix://", 12) == 0 ||
	        strncmp(where, "nbd+vsock://", 12) == 0);
}

static int
check_size(const struct source *S)
{
	if (S->size == 0 || S->size % LIMIT_SECTOR != 0)
		return (say_refused("%s: has %" PRIu64 " bytes; a disk has a multiple of 512, and not none",
		    S->name, S->size));
	if (S->size > LIMIT_DISK_SIZE)
		return (say_refused("%s: is larger than 64 TiB", S->name));
	return (0);
}

static struct source *
source_new(const char *name)
{
	struct source *S = calloc(1, sizeof *S);

	if (S != NULL && (S->name = strdup(name)) != NULL)
		return (S);
	free(S);
	say_failed("out of memory");
	return (NULL);
}

/* By the form of its name; of raw:PATH the path is its name. */
static int
open_kind(struct source *S, enum source_use use, const char *bitmap)
{
	const char *path, *format = source_is_uri(S->name) ? NULL : source_image_format(S->name, &path);

	if (relay_is_on() && !source_is_plain(S->name)) {
		S->kind = &source_relay;
		return (source_relay_open(&S->state, &S->size, S->name, use));
	}
	if (source_is_uri(S->name)) {
		S->kind = &source_nbd;
		return (source_nbd_open(&S->state, &S->size, S->name, bitmap));
	}
	if (format != NULL && strcmp(format, "raw") != 0) {
		S->kind = &source_image;
		return (source_image_open(&S->state, &S->size, S->name, use, bitmap));
	}
	if (format != NULL)
		memmove(S->name, path, strlen(path) + 1);
	S->kind = &source_file;
	return (source_file_open(&S->state, &S->size, S->name, use));
}

int
source_open(struct source **out, const char *where, enum source_use use, const char *bitmap)
{
	struct source *S = source_new(where);
	int rc;

	*out = NULL;
	if (S == NULL)
		return (-1);
	rc = open_kind(S, use, bitmap);
	if (rc == 0)
		rc = check_size(S);
	if (rc != 0) {
		source_close(S);
		return (rc);
	}
	*out = S;
	return (0);
}

int
source_open_own(struct source **out, const char *where, uint64_t size)
{
	struct stat st;
	int rc;

	if (size == 0)
		return (source_open_none(out, where));
	rc = source_open(out, where, SOURCE_OWN, NULL);
	if (rc == 0 && (*out)->size > size &&
	    (source_is_uri(where) || (stat(where, &st) == 0 && S_ISBLK(st.st_mode))))
		(*out)->size = size;
	return (rc);
}

int
source_open_none(struct source **out, const char *name)
{
	if ((*out = source_new(name)) == NULL)
		return (-1);
	(*out)->kind = &source_none;
	return (0);
}

void
source_close(struct source *S)
{
	if (S == NULL)
		return;
	if (S->state != NULL)
		S->kind->close(S->state);
	free(S->name);
	free(S);
}

uint64_t
source_size(const struct source *S)
{
	return (S->size);
}

const char *
source_name(const struct source *S)
{
	return (S->name);
}

int
source_read(const struct source *S, void *buf, size_t n, uint64_t offset)
{
	return (S->kind->read(S->state, buf, n, offset));
}

int
source_stretch(const struct source *S, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole)
{
	return (S->kind->stretch(S->state, offset, end, length, is_hole));
}

int
source_dirty(const struct source *S, struct ranges *out, const char **why)
{
	*why = "";
	return (S->kind->dirty(S->state, out, why));
}

int
source_check(const struct source *S)
{
	return (S->kind->check(S->state));
}

int
source_stamp(const struct source *S, struct source_stamp *out)
{
	return (S->kind->stamp == NULL ? 1 : S->kind->stamp(S->state, out));
}

int
source_is_plain(const char *where)
{
	const char *path;

	return (!source_is_uri(where) && source_image_format(where, &path) == NULL);
}

const char *
source_path(const char *where)
{
	const char *path = where;

	if (!source_is_uri(where))
		source_image_format(where, &path);
	return (path);
}

/* A guest that writes such bytes to the start of a raw disk does not make it another: so the name counts as well. */
static int
check_plain(const char *path)
{
	const char *format = source_image_guess(path);

	return (format == NULL
	            ? 0
	            : say_refused("%s: is an image in a format of its own; say %s:%s, or raw:%s to "
	                          "protect the bytes of the file as they are",
	                  path, format, path, path));
}

int
source_absolute(const char *where, char out[PATH_MAX])
{
	const char *path = where, *format;
	char *real;
	int rc = 0;

	if (source_is_uri(where))
		return (io_path(out, "%s", where));
	format = source_image_format(where, &path);
	if ((real = realpath(path, NULL)) == NULL)
		return (say_failed("%s: cannot find: %s", path, strerror(errno)));
	if (format == NULL)
		rc = check_plain(real);
	if (rc == 0 && (format == NULL || strcmp(format, "raw") == 0))
		rc = io_path(out, "%s", real);
	else if (rc == 0)
		rc = io_path(out, "%s:%s", format, real);
	free(real);
	return (rc);
}
