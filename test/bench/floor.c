/*
 * The floor: about the least that each of vmferry's jobs costs on this machine.  It reads, hashes with XXH3,
 * compresses with zstd one piece of at most 1 MiB at a time, and writes, in several threads.  It signs
 * nothing, proves nothing and never syncs; its files can be read by this program alone, on the machine that
 * wrote them.  bench.py divides everybody's time by the floor's, so that figures of machines can be compared.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PIECE ((uint64_t)1 << 20) /* data is read and compressed in pieces of this many bytes */
#define BLOCK ((uint64_t)1 << 16) /* the table holds one hash for this many bytes */
#define GAP ((uint64_t)1 << 26)   /* a hole is looked at in parts of this many bytes */
#define MAXTHREADS 16

/* A file of ours is the image's size, then records in order of offset, each with stored bytes behind it. */
struct record {
	uint64_t offset;
	uint64_t length;
	uint64_t stored; /* 0: the range reads as zero */
	uint64_t hash;
};

struct piece {
	uint64_t offset;
	uint64_t length;
	int hole;
};

/* One run of the program; the threads share it. */
struct job {
	int in, out;
	int level, threads;
	uint64_t size;        /* of the image */
	XXH128_hash_t *table; /* of size / BLOCK hashes, all zero for a hole; or NULL */
	struct piece *pieces;
	size_t npieces, room;
	atomic_size_t next; /* the first piece that no thread has taken */
	size_t turn;        /* the piece whose bytes are to be written next; under order */
	pthread_mutex_t order, writer;
	pthread_cond_t turned;
};

/* What one exporting thread works with. */
struct worker {
	ZSTD_CCtx *z;
	unsigned char *data; /* PIECE bytes */
	unsigned char *made; /* what one piece became: records and frames */
	size_t nmade, room;
};

static void
die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, errno ? strerror(errno) : "bad data");
	exit(1);
}

static void *
need(size_t n)
{
	void *p;

	if ((p = calloc(1, n)) == NULL)
		die("memory");
	return (p);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return (a < b ? a : b);
}

static int
opened(const char *path, int flags)
{
	int fd;

	if ((fd = open(path, flags, 0600)) == -1)
		die(path);
	return (fd);
}

static void
read_at(int fd, void *buf, uint64_t n, uint64_t offset)
{
	if (pread(fd, buf, n, (off_t)offset) != (ssize_t)n)
		die("read");
}

static void
put(int fd, const void *buf, size_t n)
{
	const char *p = buf;
	ssize_t w;

	for (; n > 0; p += w, n -= (size_t)w) {
		if ((w = write(fd, p, n)) <= 0)
			die("write");
	}
}

/* Read n bytes; return 0 if there are none left at all. */
static int
get(int fd, void *buf, size_t n)
{
	char *p = buf;
	size_t have = 0;
	ssize_t r;

	while (have < n && (r = read(fd, p + have, n - have)) > 0)
		have += (size_t)r;
	if (have != 0 && have != n)
		die("read: cut short");
	return (have == n);
}

static void
add_piece(struct job *J, uint64_t offset, uint64_t length, int hole)
{
	if (J->npieces == J->room) {
		J->room = J->room ? J->room * 2 : 4096;
		if ((J->pieces = realloc(J->pieces, J->room * sizeof(struct piece))) == NULL)
			die("memory");
	}
	J->pieces[J->npieces++] = (struct piece){ offset, length, hole };
}

static void
add_hole(struct job *J, uint64_t from, uint64_t to)
{
	uint64_t n;

	for (; from < to; from += n)
		add_piece(J, from, n = least(GAP, to - from), 1);
}

/* Cut data at every multiple of PIECE. */
static void
add_data(struct job *J, uint64_t from, uint64_t to)
{
	uint64_t n;

	for (; from < to; from += n)
		add_piece(J, from, n = least(PIECE - from % PIECE, to - from), 0);
}

/* Add what the image holds from..to as pieces: data, rounded outwards to whole blocks, and holes. */
static void
add_range(struct job *J, uint64_t from, uint64_t to, int holes)
{
	uint64_t at, a, b;
	off_t found;

	for (at = from; at < to; at = b) {
		found = lseek(J->in, (off_t)at, SEEK_DATA);
		if (found == -1 && errno != ENXIO)
			die("seek");
		a = (found == -1) ? to : least(to, (uint64_t)found / BLOCK * BLOCK);
		if (a < at)
			a = at;
		if (holes)
			add_hole(J, at, a);
		if ((b = a) == to)
			break;
		if ((found = lseek(J->in, found, SEEK_HOLE)) == -1)
			die("seek");
		b = least(to, ((uint64_t)found + BLOCK - 1) / BLOCK * BLOCK);
		add_data(J, a, b);
	}
}

/* Add the ranges of a list of changes, a line "offset length" each. */
static void
add_listed(struct job *J, const char *path)
{
	uint64_t offset, length;
	FILE *f;

	if ((f = fopen(path, "r")) == NULL)
		die(path);
	while (fscanf(f, "%" SCNu64 " %" SCNu64, &offset, &length) == 2)
		add_range(J, offset, least(J->size, offset + length), 1);
	fclose(f);
}

/* Wait until all earlier pieces are written, then write what this one became. */
static void
emit(struct job *J, size_t i, const void *buf, size_t n)
{
	pthread_mutex_lock(&J->order);
	while (J->turn != i)
		pthread_cond_wait(&J->turned, &J->order);
	put(J->out, buf, n);
	J->turn++;
	pthread_cond_broadcast(&J->turned);
	pthread_mutex_unlock(&J->order);
}

static void
make_record(struct worker *W, const struct record *r)
{
	memcpy(W->made + W->nmade, r, sizeof(*r));
	W->nmade += sizeof(*r);
}

static void
make_frame(struct worker *W, const unsigned char *data, uint64_t offset, uint64_t length)
{
	struct record r = { offset, length, 0, XXH3_64bits(data, length) };
	size_t head = W->nmade + sizeof(r);

	r.stored = ZSTD_compress2(W->z, W->made + head, W->room - head, data, length);
	if (ZSTD_isError(r.stored))
		die("compress");
	make_record(W, &r);
	W->nmade += r.stored;
}

/* Return nonzero if a block, whose length bytes are data (NULL: a hole), is not what the table says. */
static int
differs(const struct job *J, const unsigned char *data, uint64_t offset, uint64_t length)
{
	XXH128_hash_t h = { 0, 0 };

	if (data != NULL)
		h = XXH3_128bits(data, length);
	return (!XXH128_isEqual(h, J->table[offset / BLOCK]));
}

/* Make the runs of blocks of a piece that differ from the table; the end of the piece ends the last run. */
static void
make_differing(const struct job *J, struct worker *W, const struct piece *p)
{
	const unsigned char *data = p->hole ? NULL : W->data;
	uint64_t at, from, n;

	for (at = from = 0; at < p->length + BLOCK; at += BLOCK) {
		n = p->length - least(at, p->length);
		if (n > 0 && differs(J, data ? data + at : NULL, p->offset + at, least(n, BLOCK)))
			continue;
		n = least(at, p->length) - least(from, p->length);
		if (n > 0 && data == NULL)
			make_record(W, &(struct record){ p->offset + from, n, 0, 0 });
		else if (n > 0)
			make_frame(W, data + from, p->offset + from, n);
		from = at + BLOCK;
	}
}

static void *
export_thread(void *arg)
{
	struct job *J = arg;
	struct worker W = { .z = ZSTD_createCCtx(), .data = need(PIECE) };
	const struct piece *p;
	size_t i;

	W.room = ZSTD_compressBound(PIECE) + PIECE / 8;
	W.made = need(W.room);
	ZSTD_CCtx_setParameter(W.z, ZSTD_c_compressionLevel, J->level);
	while ((i = atomic_fetch_add(&J->next, 1)) < J->npieces) {
		p = &J->pieces[i];
		W.nmade = 0;
		if (!p->hole)
			read_at(J->in, W.data, p->length, p->offset);
		if (J->table != NULL)
			make_differing(J, &W, p);
		else if (p->hole)
			make_record(&W, &(struct record){ p->offset, p->length, 0, 0 });
		else
			make_frame(&W, W.data, p->offset, p->length);
		emit(J, i, W.made, W.nmade);
	}
	free(W.made);
	free(W.data);
	ZSTD_freeCCtx(W.z);
	return (NULL);
}

static void *
table_thread(void *arg)
{
	struct job *J = arg;
	unsigned char *data = need(PIECE);
	const struct piece *p;
	uint64_t at;
	size_t i;

	while ((i = atomic_fetch_add(&J->next, 1)) < J->npieces) {
		p = &J->pieces[i];
		read_at(J->in, data, p->length, p->offset);
		for (at = 0; at < p->length; at += BLOCK)
			J->table[(p->offset + at) / BLOCK] =
			    XXH3_128bits(data + at, least(BLOCK, p->length - at));
	}
	free(data);
	return (NULL);
}

/* One thread at a time reads, and one writes: two writers of one file only wait for each other. */
static void *
import_thread(void *arg)
{
	struct job *J = arg;
	ZSTD_DCtx *z = ZSTD_createDCtx();
	unsigned char *data = need(PIECE), *stored = need(ZSTD_compressBound(PIECE));
	struct record r;
	int more;

	for (;;) {
		pthread_mutex_lock(&J->order);
		more = get(J->in, &r, sizeof(r));
		if (more && r.stored > 0 &&
		    (r.stored > ZSTD_compressBound(PIECE) || !get(J->in, stored, r.stored)))
			die("a record");
		pthread_mutex_unlock(&J->order);
		if (!more)
			break;
		if (r.stored > 0 && (ZSTD_decompressDCtx(z, data, PIECE, stored, r.stored) != r.length ||
		                        XXH3_64bits(data, r.length) != r.hash))
			die("a record");
		pthread_mutex_lock(&J->writer);
		if (r.stored == 0 && fallocate(J->out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		                         (off_t)r.offset, (off_t)r.length) != 0)
			die("punch");
		if (r.stored > 0 && pwrite(J->out, data, r.length, (off_t)r.offset) != (ssize_t)r.length)
			die("write");
		pthread_mutex_unlock(&J->writer);
	}
	free(stored);
	free(data);
	ZSTD_freeDCtx(z);
	return (NULL);
}

static void
run(struct job *J, void *(*thread)(void *))
{
	pthread_t id[MAXTHREADS];
	int i;

	for (i = 0; i < J->threads; i++) {
		if ((errno = pthread_create(&id[i], NULL, thread, J)) != 0)
			die("thread");
	}
	for (i = 0; i < J->threads; i++)
		pthread_join(id[i], NULL);
}

static void
usage(void)
{
	fprintf(stderr, "usage: floor export LEVEL THREADS IMAGE OUT\n"
	                "       floor delta LEVEL THREADS IMAGE OUT CHANGES\n"
	                "       floor table LEVEL THREADS IMAGE OUT\n"
	                "       floor scan LEVEL THREADS IMAGE OUT TABLE\n"
	                "       floor import LEVEL THREADS FILE IMAGE\n");
	exit(2);
}

static void
import(struct job *J)
{
	if (!get(J->in, &J->size, sizeof(J->size)) || ftruncate(J->out, (off_t)J->size) != 0)
		die("import");
	run(J, import_thread);
}

/* Whatever is made of an image: a table, or a file of records; extra is the list of changes or the table. */
static void export(struct job *J, const char *verb, const char *extra)
{
	size_t ntable = (J->size + BLOCK - 1) / BLOCK * sizeof(XXH128_hash_t);
	int fd;

	if (strcmp(verb, "delta") == 0)
		add_listed(J, extra);
	else
		add_range(J, 0, J->size, strcmp(verb, "scan") == 0);
	if (strcmp(verb, "table") == 0) {
		J->table = need(ntable);
		run(J, table_thread);
		put(J->out, J->table, ntable);
		return;
	}
	if (strcmp(verb, "scan") == 0) {
		J->table = need(ntable);
		fd = opened(extra, O_RDONLY);
		if (!get(fd, J->table, ntable))
			die(extra);
		close(fd);
	}
	put(J->out, &J->size, sizeof(J->size));
	run(J, export_thread);
}

int
main(int argc, char *argv[])
{
	struct job J = { .order = PTHREAD_MUTEX_INITIALIZER,
		.writer = PTHREAD_MUTEX_INITIALIZER,
		.turned = PTHREAD_COND_INITIALIZER };
	struct stat st;
	int extra, importing;

	if (argc < 6)
		usage();
	extra = strcmp(argv[1], "delta") == 0 || strcmp(argv[1], "scan") == 0;
	importing = strcmp(argv[1], "import") == 0;
	if (argc != 6 + extra ||
	    !(extra || importing || strcmp(argv[1], "export") == 0 || strcmp(argv[1], "table") == 0))
		usage();
	J.level = atoi(argv[2]);
	J.threads = atoi(argv[3]);
	if (J.threads < 1 || J.threads > MAXTHREADS)
		usage();
	J.in = opened(argv[4], O_RDONLY);
	J.out = opened(argv[5], importing ? O_RDWR | O_CREAT : O_WRONLY | O_CREAT | O_TRUNC);
	if (fstat(J.in, &st) != 0)
		die(argv[4]);
	J.size = (uint64_t)st.st_size;
	if (importing)
		import(&J);
	else
		export(&J, argv[1], argv[argc - 1]);
	if (close(J.out) != 0)
		die(argv[5]);
	free(J.table);
	free(J.pieces);
	close(J.in);
	return (0);
}
