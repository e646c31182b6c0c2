/*
 * The floor of a live copy: read what a dirty bitmap marks, or all that is allocated, from NBD exports, compress it
 * with zstd, and write it down.  Nothing is signed, proven or synced.
 *
 *	nbdfloor LEVEL THREADS OUT [-|BITMAP URI] ...
 *
 * Each thread has connections of its own and takes one piece of at most 256 KiB after the other.  Prints the number
 * of bytes that were read.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libnbd.h>
#include <zstd.h>

#define PIECE ((uint64_t)256 << 10)
#define ASK ((uint64_t)1 << 30) /* of the bitmap in one request */
#define MAXDISKS 16
#define MAXTHREADS 16

struct piece {
	uint64_t offset, length;
	int disk;
};

static struct job {
	const char *uri[MAXDISKS];
	int ndisks, level, out;
	struct piece *pieces;
	size_t npieces, room;
	atomic_size_t next;
	atomic_uint_least64_t end; /* of what is written */
} J;

struct map {
	const char *context;
	uint64_t at;
	int disk, wants;
};

static _Noreturn void
die(const char *what)
{
	const char *why = nbd_get_error();

	fprintf(stderr, "nbdfloor: %s: %s\n", what, why != NULL ? why : "");
	exit(1);
}

static struct nbd_handle *
connect_to(const char *uri, const char *context)
{
	struct nbd_handle *h = nbd_create();

	if (h == NULL || (context != NULL && nbd_add_meta_context(h, context) == -1) ||
	    nbd_connect_uri(h, uri) == -1)
		die(uri);
	return (h);
}

static void
add(int disk, uint64_t offset, uint64_t length)
{
	while (length > 0) {
		uint64_t n = length < PIECE ? length : PIECE;

		if (J.npieces == J.room) {
			J.room = J.room == 0 ? 1024 : J.room * 2;
			if ((J.pieces = realloc(J.pieces, J.room * sizeof *J.pieces)) == NULL)
				die("memory");
		}
		J.pieces[J.npieces++] = (struct piece){ offset, n, disk };
		offset += n;
		length -= n;
	}
}

static int
extents(void *user, const char *context, uint64_t offset, uint32_t *e, size_t n, int *error)
{
	struct map *m = user;

	(void)error;
	if (strcmp(context, m->context) != 0)
		return (0);
	for (size_t i = 0; i + 1 < n; i += 2) {
		if ((int)(e[i + 1] & 1) == m->wants)
			add(m->disk, offset, e[i]);
		offset += e[i];
	}
	m->at = offset;
	return (0);
}

/* Bit 0 says dirty in a bitmap, and hole in base:allocation. */
static void
find(int disk, const char *bitmap)
{
	char context[300] = "base:allocation";
	struct map m = { .context = context, .disk = disk, .wants = strcmp(bitmap, "-") != 0 };
	struct nbd_handle *h;
	uint64_t size;

	if (m.wants)
		snprintf(context, sizeof context, "qemu:dirty-bitmap:%s", bitmap);
	h = connect_to(J.uri[disk], context);
	size = (uint64_t)nbd_get_size(h);
	while (m.at < size)
		if (nbd_block_status(h, size - m.at < ASK ? size - m.at : ASK, m.at,
		        (nbd_extent_callback){ .callback = extents, .user_data = &m }, 0) == -1)
			die(J.uri[disk]);
	nbd_close(h);
}

static void *
copy(void *unused)
{
	struct nbd_handle *h[MAXDISKS] = { NULL };
	size_t room = ZSTD_compressBound(PIECE), i;
	unsigned char *data = malloc(PIECE), *made = malloc(room);
	ZSTD_CCtx *z = ZSTD_createCCtx();

	if (data == NULL || made == NULL || z == NULL)
		die("memory");
	while ((i = atomic_fetch_add(&J.next, 1)) < J.npieces) {
		struct piece *p = &J.pieces[i];
		size_t n;

		if (h[p->disk] == NULL)
			h[p->disk] = connect_to(J.uri[p->disk], NULL);
		if (nbd_pread(h[p->disk], data, p->length, p->offset, 0) == -1)
			die(J.uri[p->disk]);
		n = ZSTD_compressCCtx(z, made, room, data, p->length, J.level);
		if (ZSTD_isError(n) ||
		    pwrite(J.out, made, n, (off_t)atomic_fetch_add(&J.end, n)) != (ssize_t)n)
			die("out");
	}
	for (i = 0; i < MAXDISKS; i++)
		nbd_close(h[i]);
	ZSTD_freeCCtx(z);
	free(made);
	free(data);
	return (unused);
}

int
main(int argc, char *argv[])
{
	pthread_t threads[MAXTHREADS];
	uint64_t total = 0;
	int n;

	if (argc < 6 || argc % 2 != 0 || argc > 4 + 2 * MAXDISKS)
		die("usage: nbdfloor LEVEL THREADS OUT [-|BITMAP URI] ...");
	J.level = atoi(argv[1]);
	n = atoi(argv[2]) < MAXTHREADS ? atoi(argv[2]) : MAXTHREADS;
	if ((J.out = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0666)) == -1)
		die(argv[3]);
	for (int i = 4; i < argc; i += 2) {
		J.uri[J.ndisks] = argv[i + 1];
		find(J.ndisks++, argv[i]);
	}
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, copy, NULL) != 0)
			die("thread");
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < J.npieces; i++)
		total += J.pieces[i].length;
	printf("%" PRIu64 "\n", total);
	return (0);
}
