#include <string.h>

#include "base/say.h"
#include "disk/source.h"

/* A disk that is not there any more: it has no bytes, and never changes. */

static int
none_read(void *state, void *buf, size_t n, uint64_t offset)
{
	(void)state;
	(void)buf;
	(void)offset;
	return (n == 0 ? 0 : say_failed("a disk that was removed was to be read"));
}

static int
none_stretch(void *state, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole)
{
	(void)state;
	*length = end - offset;
	*is_hole = 1;
	return (0);
}

static int
none_dirty(void *state, struct ranges *out, const char **why)
{
	(void)why;
	(void)state;
	(void)out;
	return (0);
}

static int
none_check(void *state)
{
	(void)state;
	return (0);
}

static int
none_stamp(void *state, struct source_stamp *out)
{
	(void)state;
	memset(out, 0, sizeof *out);
	return (0);
}

static void
none_close(void *state)
{
	(void)state;
}

const struct source_kind source_none = { none_read, none_stretch, none_dirty, none_check, none_stamp,
	none_close };
