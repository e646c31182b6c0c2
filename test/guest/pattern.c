/*
 * A guest's workload that tells, of two disks as they were frozen, whether both show one instant.
 *
 *	pattern format JOURNAL DATA LABEL RUNS	begin anew; DATA must read as zeroes
 *	pattern run JOURNAL DATA [PAUSE]	go on from what is there, with PAUSE microseconds between transactions
 *	pattern check JOURNAL DATA		say up to which transaction the disks hold all, or what is wrong
 *	pattern label JOURNAL			print the label
 *
 * A disk is a file or device, or PATH@OFFSET.  Transaction n, from 1 on: its intent is written to the journal; then
 * RUNS runs of up to 8 blocks at random places of the data; then its commit to the journal; with each of these
 * durable before the next begins.  A block has nothing but what follows from its kind, n and place, so any that is
 * torn, lost or of another time is seen.  With c the last commit on the disks, and i the last intent:
 *	i is c or c + 1;
 *	each place of the data has what the last transaction up to c wrote there, or what i did;
 *	the journal, which is a ring, has all that it must have of older transactions.
 * It prints PATTERN-SEQ with the last commit, and the longest that any one step took since the last such line, in
 * microseconds; PATTERN-OK or PATTERN-BAD; and at SIGTERM PATTERN-END.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/fs.h>

enum {
	BLOCK = 4096,
	WORDS = BLOCK / 8,
	LONGEST_RUN = 8, /* Blocks. */
	SLOTS = 512,     /* Intents, and as many commits. */
	LABEL = 64,      /* Bytes. */
	TELL = 100000,   /* Microseconds from one PATTERN-SEQ to the next. */
};

enum kind { SUPER = 1, INTENT, COMMIT, DATA };

static const uint64_t MAGIC = 0x6e72657474617000; /* "pattern", and the kind. */

struct disk {
	int fd;
	off_t offset; /* Of its first byte in fd. */
	off_t size;
};

struct pattern {
	struct disk journal, data;
	uint64_t runs;   /* In a transaction. */
	uint64_t places; /* Blocks of data. */
	char label[LABEL];
	uint64_t intent, commit; /* The last ones. */
};

struct run {
	uint64_t place;
	uint64_t blocks;
};

static volatile sig_atomic_t ended;

static void
end(int signal)
{
	(void)signal;
	ended = 1;
}

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

/* Say what is wrong with the disks. */
static void
bad(const char *what, uint64_t place, uint64_t has, uint64_t wants)
{
	printf(
	    "PATTERN-BAD %s: place %" PRIu64 " has %" PRIu64 ", not %" PRIu64 "\n", what, place, has, wants);
	exit(1);
}

/* splitmix64: any number from any number. */
static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return (x ^ (x >> 31));
}

/* The only content that such a block can have.  Half of it does not compress. */
static void
make_block(uint64_t block[WORDS], enum kind kind, uint64_t seq, uint64_t place)
{
	uint64_t x = mix(seq << 8 | kind) ^ mix(place);

	block[0] = MAGIC | kind;
	block[1] = seq;
	block[2] = place;
	for (size_t i = 3; i < WORDS; i++)
		block[i] = i & 16 ? x : (x = x * 6364136223846793005 + 1442695040888963407);
}

static struct run
run_of(const struct pattern *P, uint64_t seq, uint64_t k)
{
	uint64_t x = mix(mix(seq) + k);
	struct run run = { .place = x % P->places, .blocks = 1 + (x >> 61) };

	if (run.blocks > P->places - run.place)
		run.blocks = P->places - run.place;
	return (run);
}

static off_t
slot_of(enum kind kind, uint64_t seq)
{
	return ((off_t)((kind == COMMIT ? 1 + SLOTS : 1) + seq % SLOTS) * BLOCK);
}

static struct disk
open_disk(const char *name, int flags)
{
	struct disk disk = { .offset = 0 };
	struct stat st;
	char *path = strdup(name), *at;

	if (path == NULL)
		die(name);
	if ((at = strrchr(path, '@')) != NULL) {
		*at = '\0';
		disk.offset = (off_t)strtoull(at + 1, NULL, 10);
	}
	disk.fd = open(path, flags | O_CLOEXEC);
	if (disk.fd == -1 && errno == EINVAL) /* Of O_DIRECT, which is not everywhere. */
		disk.fd = open(path, (flags & ~O_DIRECT) | O_CLOEXEC);
	if (disk.fd == -1 || fstat(disk.fd, &st) == -1)
		die(name);
	disk.size = st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(disk.fd, BLKGETSIZE64, &disk.size) == -1)
		die(name);
	disk.size = (disk.size - disk.offset) / BLOCK * BLOCK;
	free(path);
	return (disk);
}

static void
read_disk(const struct disk *disk, void *into, size_t len, off_t at)
{
	if (pread(disk->fd, into, len, disk->offset + at) != (ssize_t)len)
		die("read");
}

static void
write_disk(const struct disk *disk, const void *from, size_t len, off_t at)
{
	if (pwrite(disk->fd, from, len, disk->offset + at) != (ssize_t)len)
		die("write");
}

static void
flush(const struct disk *disk)
{
	if (fdatasync(disk->fd) == -1)
		die("fdatasync");
}

/* Memory as O_DIRECT wants it. */
static uint64_t *
blocks(size_t n)
{
	uint64_t *b = aligned_alloc(BLOCK, n * BLOCK);

	if (b == NULL)
		die("memory");
	return (b);
}

static void
open_pattern(struct pattern *P, const char *journal, const char *data, int flags)
{
	uint64_t *super = blocks(1);

	*P = (struct pattern){ .journal = open_disk(journal, flags) };
	read_disk(&P->journal, super, BLOCK, 0);
	if (super[0] != (MAGIC | SUPER)) {
		printf("PATTERN-BAD there is no pattern on %s\n", journal);
		exit(1);
	}
	P->runs = super[1];
	P->places = super[2];
	memcpy(P->label, super + 3, sizeof(P->label));
	P->label[sizeof(P->label) - 1] = '\0';
	if (data != NULL) {
		P->data = open_disk(data, flags);
		if (P->places == 0 || (off_t)P->places > P->data.size / BLOCK)
			bad("size of the data", 0, (uint64_t)P->data.size / BLOCK, P->places);
	}
	free(super);
}

static int
format(const char *journal, const char *data, const char *label, const char *runs)
{
	struct disk j = open_disk(journal, O_RDWR), d = open_disk(data, O_RDWR);
	uint64_t *super = blocks(1);

	if (j.size < (1 + 2 * SLOTS) * BLOCK || d.size < BLOCK) {
		fprintf(stderr, "pattern: the journal takes %d bytes\n", (1 + 2 * SLOTS) * BLOCK);
		return (2);
	}
	memset(super, 0, BLOCK);
	for (size_t i = 1; i <= 2 * SLOTS; i++)
		write_disk(&j, super, BLOCK, (off_t)i * BLOCK);
	super[0] = MAGIC | SUPER;
	super[1] = strtoull(runs, NULL, 10);
	super[2] = (uint64_t)d.size / BLOCK;
	strncpy((char *)(super + 3), label, LABEL - 1);
	write_disk(&j, super, BLOCK, 0);
	flush(&j);
	free(super);
	return (0);
}

/* One ring of the journal: nothing in it but what the last transaction that it has led to.  Return that. */
static uint64_t
check_ring(const struct pattern *P, enum kind kind)
{
	uint64_t *ring = blocks(SLOTS), *want = blocks(1), last = 0;

	read_disk(&P->journal, ring, (size_t)SLOTS * BLOCK, slot_of(kind, 0));
	for (size_t i = 0; i < SLOTS; i++)
		if (ring[i * WORDS + 1] > last)
			last = ring[i * WORDS + 1];
	for (uint64_t i = 0; i < SLOTS; i++) {
		uint64_t seq = last < i ? 0 : last - (last - i) % SLOTS;

		if (seq == 0)
			memset(want, 0, BLOCK);
		else
			make_block(want, kind, seq, 0);
		if (memcmp(ring + i * WORDS, want, BLOCK) != 0)
			bad(kind == INTENT ? "journal, intents" : "journal, commits", i, ring[i * WORDS + 1],
			    seq);
	}
	free(want);
	free(ring);
	return (last);
}

/* Which transaction up to last wrote each place last.  The caller frees it. */
static uint64_t *
writers(const struct pattern *P, uint64_t last)
{
	uint64_t *by = calloc(P->places, sizeof(*by));

	if (by == NULL)
		die("memory");
	for (uint64_t seq = 1; seq <= last; seq++) {
		for (uint64_t k = 0; k < P->runs; k++) {
			struct run run = run_of(P, seq, k);

			for (uint64_t i = 0; i < run.blocks; i++)
				by[run.place + i] = seq;
		}
	}
	return (by);
}

static bool
holds(const uint64_t *block, uint64_t seq, uint64_t place)
{
	static uint64_t want[WORDS];

	if (seq == 0)
		memset(want, 0, BLOCK);
	else
		make_block(want, DATA, seq, place);
	return (memcmp(block, want, BLOCK) == 0);
}

static void
check_data(const struct pattern *P)
{
	uint64_t *by = writers(P, P->commit), *or_by = writers(P, P->intent), *block = blocks(1);

	for (uint64_t place = 0; place < P->places; place++) {
		read_disk(&P->data, block, BLOCK, (off_t)place * BLOCK);
		if (holds(block, by[place], place) || holds(block, or_by[place], place))
			continue;
		if (!holds(block, block[1], place))
			bad("data, torn", place, block[1], by[place]);
		bad(block[1] > P->intent ? "data, newer than the journal" : "data, older than the journal",
		    place, block[1], by[place]);
	}
	free(block);
	free(or_by);
	free(by);
}

static void
check(struct pattern *P)
{
	P->intent = check_ring(P, INTENT);
	P->commit = check_ring(P, COMMIT);
	if (P->intent != P->commit && P->intent != P->commit + 1)
		bad("journal, commit and intent", 0, P->commit, P->intent);
	check_data(P);
	printf("PATTERN-OK %" PRIu64 " %s\n", P->commit, P->label);
	fflush(stdout);
}

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
}

/* The time of the last step's end, and the longest step. */
struct watch {
	uint64_t last, worst;
};

static void
step(struct watch *w)
{
	uint64_t t = now();

	if (t - w->last > w->worst)
		w->worst = t - w->last;
	w->last = t;
}

static void
note(struct pattern *P, enum kind kind, uint64_t seq, uint64_t *buffer, struct watch *w)
{
	make_block(buffer, kind, seq, 0);
	write_disk(&P->journal, buffer, BLOCK, slot_of(kind, seq));
	step(w);
	flush(&P->journal);
	step(w);
}

static void
transact(struct pattern *P, uint64_t seq, uint64_t *buffer, struct watch *w)
{
	note(P, INTENT, seq, buffer, w);
	for (uint64_t k = 0; k < P->runs; k++) {
		struct run run = run_of(P, seq, k);

		for (uint64_t i = 0; i < run.blocks; i++)
			make_block(buffer + i * WORDS, DATA, seq, run.place + i);
		write_disk(&P->data, buffer, run.blocks * BLOCK, (off_t)run.place * BLOCK);
		step(w);
	}
	flush(&P->data);
	step(w);
	note(P, COMMIT, seq, buffer, w);
	P->commit = seq;
}

static int
run(struct pattern *P, unsigned pause)
{
	uint64_t *buffer = blocks(LONGEST_RUN), told = now();
	struct watch w = { .last = told };

	check(P);
	for (w.last = now(); !ended; w.last = now()) {
		transact(P, P->commit + 1, buffer, &w);
		if (w.last - told >= TELL) {
			printf("PATTERN-SEQ %" PRIu64 " %" PRIu64 "\n", P->commit, w.worst);
			fflush(stdout);
			told = w.last;
			w.worst = 0;
		}
		if (pause > 0)
			usleep(pause);
	}
	printf("PATTERN-END %" PRIu64 "\n", P->commit);
	fflush(stdout);
	free(buffer);
	return (0);
}

int
main(int argc, char *argv[])
{
	struct pattern P;
	const char *verb = argc >= 3 ? argv[1] : "";

	signal(SIGTERM, end);
	if (strcmp(verb, "format") == 0 && argc == 6)
		return (format(argv[2], argv[3], argv[4], argv[5]));
	if (strcmp(verb, "run") == 0 && argc >= 4) {
		open_pattern(&P, argv[2], argv[3], O_RDWR | O_DIRECT);
		return (run(&P, argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0));
	}
	if (strcmp(verb, "check") == 0 && argc == 4) {
		open_pattern(&P, argv[2], argv[3], O_RDONLY);
		check(&P);
		return (0);
	}
	if (strcmp(verb, "label") == 0) {
		open_pattern(&P, argv[2], NULL, O_RDONLY);
		printf("PATTERN-LABEL %s\n", P.label);
		return (0);
	}
	fputs("usage: pattern format JOURNAL DATA LABEL RUNS | run JOURNAL DATA [PAUSE] | check JOURNAL DATA "
	      "| label JOURNAL\n",
	    stderr);
	return (2);
}
