#include "bundle/readback.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/io.h"
#include "base/say.h"

#define PIECE (1u << 20)
#define HEAD IO_ALIGN
/* Pieces that are read at once, so that a medium that is being written to is kept busy... */
#define SPAN 4u
/* ...and that the thread stays behind the writer: most of them are on the medium by then. */
#define BEHIND 20u

struct piece {
	uint64_t sum;  /* of all of it, as it was written; where it was there before: as it was first read */
	uint64_t head; /* of its first bytes */
};

struct readback {
	char path[PATH_MAX];
	int fd, is_direct;
	uint8_t *buffer;
	uint64_t have; /* pieces that were there before the writing went on */
	XXH3_state_t *state;
	uint64_t size; /* bytes written */

	pthread_t thread;
	int has_thread;
	pthread_mutex_t lock; /* covers what follows */
	pthread_cond_t change;
	struct piece *pieces;
	size_t npieces, room;
	int finishing, stopping;
	int rc;

	/* The reader's own: */
	uint64_t next; /* piece */
	crypto_generichash_state hash;
	uint8_t digest[RECORD_DIGEST];
};

/* --- the reader --------------------------------------------------------------------------------------- */

/* Bytes of piece i of a file of that size. */
static size_t
piece_size(uint64_t size, uint64_t i)
{
	uint64_t left = size - i * PIECE;

	return (left < PIECE ? (size_t)left : PIECE);
}

/* Where direct reads are refused after all, go on with others. */
static ssize_t
read_again(struct readback *B, size_t n, uint64_t offset)
{
	io_close(B->fd);
	B->is_direct = 0;
	if ((B->fd = io_open_read(B->path)) < 0)
		return (-1);
	if (io_forget(B->fd, B->path, offset, n) != 0)
		return (-1);
	return (io_pread(B->fd, B->path, B->buffer, n, offset));
}

/* n bytes at offset, a multiple of IO_ALIGN: 0; 1 if the file has less, and zeroes stand for them; -1, said. */
static int
fetch(struct readback *B, size_t n, uint64_t offset)
{
	size_t whole = (n + IO_ALIGN - 1) / IO_ALIGN * IO_ALIGN;
	ssize_t got;

	if (io_forget(B->fd, B->path, offset, n) != 0)
		return (-1);
	got = B->is_direct ? io_read_back(B->fd, B->path, B->buffer, whole, offset)
	                   : io_pread(B->fd, B->path, B->buffer, n, offset);
	if (got == -2)
		got = read_again(B, n, offset);
	if (got < 0)
		return (-1);
	/* What is missing is not what was written, whatever lies in the buffer: the last piece differs. */
	if ((size_t)got < n)
		memset(B->buffer + got, 0, n - (size_t)got);
	return ((size_t)got >= n ? 0 : 1);
}

static int
differs(const struct readback *B, uint64_t offset)
{
	return (say_failed("%s: in the 1 MiB at byte %" PRIu64
	                   " the medium does not give back what was written; it is worn, or smaller "
	                   "than it says; use another",
	    B->path, offset));
}

/* Read pieces i and on, n bytes in all, and hold them against the k of p. */
static int
check_span(struct readback *B, struct piece *p, unsigned k, uint64_t i, size_t n)
{
	int rc = fetch(B, n, i * PIECE);

	if (rc < 0)
		return (-1);
	for (unsigned j = 0; j < k; j++) {
		const uint8_t *at = B->buffer + j * (size_t)PIECE;
		size_t m = n - j * (size_t)PIECE < PIECE ? n - j * (size_t)PIECE : PIECE;
		uint64_t sum = XXH3_64bits(at, m);

		if ((i + j >= B->have && sum != p[j].sum) || (rc == 1 && j + 1 == k))
			return (differs(B, (i + j) * PIECE));
		p[j].sum = sum;
		p[j].head = XXH3_64bits(at, m < HEAD ? m : HEAD);
	}
	return (crypto_generichash_update(&B->hash, B->buffer, n));
}

static int
check_head(struct readback *B, const struct piece *p, uint64_t i, size_t n)
{
	size_t m = n < HEAD ? n : HEAD;
	int rc = fetch(B, m, i * PIECE);

	if (rc < 0)
		return (-1);
	return (rc == 0 && XXH3_64bits(B->buffer, m) == p->head ? 0 : differs(B, i * PIECE));
}

/* Pieces that the reader may take now.  The lock is held. */
static unsigned
ready(const struct readback *B)
{
	uint64_t n = B->npieces - B->next;

	if (B->finishing)
		return (n < SPAN ? (unsigned)n : SPAN);
	return (n >= SPAN + BEHIND ? SPAN : 0);
}

/* Check the pieces as they come; the lock is held, but for the checking. */
static void
check_pieces(struct readback *B)
{
	while (B->rc == 0 && !B->stopping) {
		struct piece p[SPAN];
		uint64_t i = B->next;
		unsigned k = ready(B);
		size_t n;
		int rc;

		if (k == 0) {
			if (B->finishing)
				return;
			pthread_cond_wait(&B->change, &B->lock);
			continue;
		}
		memcpy(p, B->pieces + i, k * sizeof *p);
		n = (k - 1) * (size_t)PIECE + (B->finishing ? piece_size(B->size, i + k - 1) : PIECE);
		pthread_mutex_unlock(&B->lock);
		rc = check_span(B, p, k, i, n);
		pthread_mutex_lock(&B->lock);
		memcpy(B->pieces + i, p, k * sizeof *p);
		B->next += k;
		B->rc = rc;
	}
}

static void *
follow(void *arg)
{
	struct readback *B = arg;

	pthread_mutex_lock(&B->lock);
	check_pieces(B);
	for (uint64_t i = 0; B->rc == 0 && !B->stopping && i < B->npieces; i++) {
		struct piece p = B->pieces[i];

		pthread_mutex_unlock(&B->lock);
		int rc = check_head(B, &p, i, piece_size(B->size, i));
		pthread_mutex_lock(&B->lock);
		B->rc = rc;
	}
	pthread_mutex_unlock(&B->lock);
	return (NULL);
}

/* --- the writer's side -------------------------------------------------------------------------------- */

static int
add_piece(struct readback *B, uint64_t sum)
{
	int rc = 0;

	pthread_mutex_lock(&B->lock);
	if (B->npieces == B->room) {
		size_t room = B->room == 0 ? 1024 : 2 * B->room;
		struct piece *more = reallocarray(B->pieces, room, sizeof *more);

		if (more == NULL) {
			rc = say_failed("out of memory");
			goto done;
		}
		B->pieces = more;
		B->room = room;
	}
	B->pieces[B->npieces++] = (struct piece){ sum, 0 };
	pthread_cond_signal(&B->change);
done:
	if (B->rc != 0)
		rc = -1;
	pthread_mutex_unlock(&B->lock);
	return (rc);
}

int
readback_wrote(struct readback *B, const void *data, size_t n)
{
	const uint8_t *p = data;

	if (n > READBACK_MOST - B->size)
		return (say_failed("%s: is too large to be checked on its medium", B->path));
	while (n > 0) {
		size_t room = PIECE - (size_t)(B->size % PIECE), m = n < room ? n : room;

		XXH3_64bits_update(B->state, p, m);
		B->size += m;
		p += m;
		n -= m;
		if (m == room) {
			if (add_piece(B, XXH3_64bits_digest(B->state)) != 0)
				return (-1);
			XXH3_64bits_reset(B->state);
		}
	}
	return (0);
}

int
readback_finish(struct readback *B)
{
	if (B->size % PIECE != 0 && add_piece(B, XXH3_64bits_digest(B->state)) != 0)
		return (-1);
	pthread_mutex_lock(&B->lock);
	B->finishing = 1;
	pthread_cond_signal(&B->change);
	pthread_mutex_unlock(&B->lock);
	if (B->has_thread)
		pthread_join(B->thread, NULL);
	else
		follow(B);
	B->has_thread = 0;
	if (B->rc == 0)
		crypto_generichash_final(&B->hash, B->digest, RECORD_DIGEST);
	return (B->rc);
}

void
readback_digest(const struct readback *B, uint8_t digest[RECORD_DIGEST])
{
	memcpy(digest, B->digest, RECORD_DIGEST);
}

/* What was there before: whole pieces for the reader, and the start of the piece that goes on. */
static int
take_old(struct readback *B, uint64_t have)
{
	size_t rest = (size_t)(have % PIECE);

	B->have = have / PIECE;
	for (uint64_t i = 0; i < B->have; i++)
		if (add_piece(B, 0) != 0)
			return (-1);
	B->size = have - rest;
	if (rest == 0)
		return (0);
	if (fetch(B, rest, B->size) != 0)
		return (say_failed("%s: has less than the %" PRIu64 " bytes that were there", B->path, have));
	return (readback_wrote(B, B->buffer, rest));
}

struct readback *
readback_new(const char *path, uint64_t have)
{
	struct readback *B = calloc(1, sizeof *B);

	if (B == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	pthread_mutex_init(&B->lock, NULL);
	pthread_cond_init(&B->change, NULL);
	crypto_generichash_init(&B->hash, NULL, 0, RECORD_DIGEST);
	B->fd = -1;
	if ((B->buffer = aligned_alloc(IO_ALIGN, SPAN * PIECE)) == NULL ||
	    (B->state = XXH3_createState()) == NULL) {
		say_failed("out of memory");
		goto fail;
	}
	XXH3_64bits_reset(B->state);
	B->is_direct = 1;
	if (io_path(B->path, "%s", path) != 0)
		goto fail;
	if ((B->fd = io_open_direct(path)) == -2) {
		B->is_direct = 0;
		B->fd = io_open_read(path);
	}
	if (B->fd < 0 || take_old(B, have) != 0)
		goto fail;
	/* Without a thread it is all read back at the end. */
	B->has_thread = pthread_create(&B->thread, NULL, follow, B) == 0;
	return (B);
fail:
	readback_free(B);
	return (NULL);
}

void
readback_free(struct readback *B)
{
	if (B == NULL)
		return;
	if (B->has_thread) {
		pthread_mutex_lock(&B->lock);
		B->stopping = 1;
		pthread_cond_signal(&B->change);
		pthread_mutex_unlock(&B->lock);
		pthread_join(B->thread, NULL);
	}
	io_close(B->fd);
	free(B->pieces);
	XXH3_freeState(B->state);
	free(B->buffer);
	pthread_mutex_destroy(&B->lock);
	pthread_cond_destroy(&B->change);
	free(B);
}
