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

int
source_open(struct source **out, const char *where, enum source_use use, const char *bitmap)
{
	struct source *S = source_new(where);
	int rc;

	*out = NULL;
	if (S == NULL)
		return (-1);
	S->kind = !source_is_uri(where) ? &source_file : relay_is_on() ? &source_relay : &source_nbd;
	if (S->kind == &source_relay)
		rc = source_relay_open(&S->state, &S->size, where);
	else if (S->kind == &source_nbd)
		rc = source_nbd_open(&S->state, &S->size, where, bitmap);
	else
		rc = source_file_open(&S->state, &S->size, where, use);
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
source_dirty(const struct source *S, struct ranges *out)
{
	return (S->kind->dirty(S->state, out));
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
source_absolute(const char *where, char out[PATH_MAX])
{
	char *real;
	int rc;

	if (source_is_uri(where))
		return (io_path(out, "%s", where));
	if ((real = realpath(where, NULL)) == NULL)
		return (say_failed("%s: cannot find: %s", where, strerror(errno)));
	rc = io_path(out, "%s", real);
	free(real);
	return (rc);
}
