#include "disk/nbdlinks.h"
#include "disk/source.h"
#include "base/say.h"

/*
 * An NBD export: nbdkit, a running QEMU, or a qemu-nbd that somebody else has started.  The server is asked for what
 * the person configured.
 */

int
source_nbd_open(void **state, uint64_t *size, const char *uri, const char *bitmap)
{
	const struct nbdlinks_export e = { .name = uri, .bitmap = bitmap };
	char why[NBDLINKS_WHY];
	struct nbdlinks *N;

	if (nbdlinks_open(&N, &e, why) != 0)
		return (say_failed("%s: cannot connect: %s", uri, why));
	*state = N;
	*size = nbdlinks_size(N);
	return (0);
}

static int
nbd_read(void *state, void *buf, size_t n, uint64_t offset)
{
	return (nbdlinks_read(state, buf, n, offset));
}

static int
nbd_stretch(void *state, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole)
{
	return (nbdlinks_stretch(state, offset, end, length, is_hole));
}

static int
nbd_dirty(void *state, struct ranges *out, const char **why)
{
	*why = "the server offers no such bitmap (qemu-nbd serves one with -B)";
	return (nbdlinks_dirty(state, out));
}

/* A server's view is its own affair; that it still answers is all that can be asked. */
static int
nbd_check(void *state)
{
	return (nbdlinks_check(state));
}

static void
nbd_end(void *state)
{
	nbdlinks_close(state);
}

const struct source_kind source_nbd = { nbd_read, nbd_stretch, nbd_dirty, nbd_check, NULL, nbd_end };
