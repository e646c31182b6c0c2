/*
 * flips verify CARD BUNDLE          every bit of a bundle flipped, and the bundle cut off at every byte: each must
 *                                   be refused where all of it is checked, but for what only a key can open
 * flips import HOME BUNDLE STEP     the same by import into the site at HOME, for every STEPth bit and around
 *                                   every 512th byte: each must be refused, with all below HOME as it was
 * flips -n ...                      a control: the bundle as it is, in each of these places
 *
 * Everything is done in this process or a child of it, because there are so many of them.  Prints how many were
 * refused, and which were not.  Ends with 0 if all were.
 */
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <malloc.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "bundle/reader.h"
#include "bundle/unpack.h"
#include "card.h"
#include "import.h"
#include "site/site.h"

#define BUNDLE_MAX (1u << 20)
#define PRINT 32u

struct work {
	int (*refuses)(struct work *w); /* 1: refused, and nothing changed; 0 */
	const char *home;
	uint8_t key[RECORD_KEY];
	uint8_t print[PRINT]; /* of the home */
	int is_control;
	int fd, words; /* the bundle; where words really go */
	char path[64];
	uint8_t *bytes;
	size_t n;
	uint64_t refused, accepted;
};

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "flips: %s\n", what);
	exit(3);
}

/* --- by verification ---------------------------------------------------------------------------------- */

static int
check(const struct work *w, struct reader *R, struct member *m)
{
	struct unpack U;
	uint8_t key[RECORD_KEY];
	int rc = reader_start(R, key);

	memset(&U, 0, sizeof U);
	U.reader = R;
	U.what = "verify";
	if (rc == 0 && memcmp(key, w->key, RECORD_KEY) != 0)
		rc = 1;
	if (rc == 0 && (rc = reader_header(R, m, &U.header)) == 0)
		rc = unpack_run(&U);
	return (rc);
}

static int
verify_refuses(struct work *w)
{
	static uint8_t payload[LIMIT_JSON];
	struct member m = { .payload = payload };
	struct reader *R = reader_new(w->fd, "bundle");
	int rc;

	must(R != NULL && lseek(w->fd, 0, SEEK_SET) == 0, "no reader");
	rc = check(w, R, &m);
	reader_free(R);
	return (rc == 1);
}

/* --- by import ---------------------------------------------------------------------------------------- */

static crypto_generichash_state home_hash;

/* Name, kind, mode, size and content of everything. */
static int
take_print(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	uint64_t facts[3] = { st->st_mode, (uint64_t)kind, kind == FTW_F ? (uint64_t)st->st_size : 0 };
	size_t n;
	char *text;

	(void)ftw;
	crypto_generichash_update(&home_hash, (const uint8_t *)path, strlen(path) + 1);
	crypto_generichash_update(&home_hash, (const uint8_t *)facts, sizeof facts);
	if (kind != FTW_F)
		return (0);
	must((text = io_slurp(path, BUNDLE_MAX, &n)) != NULL, path);
	crypto_generichash_update(&home_hash, (const uint8_t *)text, n);
	free(text);
	return (0);
}

static void
print_home(const char *home, uint8_t out[PRINT])
{
	crypto_generichash_init(&home_hash, NULL, 0, PRINT);
	must(nftw(home, take_print, 16, FTW_PHYS) == 0, home);
	crypto_generichash_final(&home_hash, out, PRINT);
}

/* A child imports, for it gives up rights that it does not get back. */
static int
import_refuses(struct work *w)
{
	struct import_options o = { .input = w->path };
	uint8_t now[PRINT];
	int status;
	pid_t child = fork();

	must(child >= 0, "no child");
	if (child == 0) {
		struct site *S = site_open(w->home);

		_exit(S == NULL ? 3 : import(S, &o) == 1 ? 1 : 2);
	}
	must(waitpid(child, &status, 0) == child, "no child");
	print_home(w->home, now);
	return (WIFEXITED(status) && WEXITSTATUS(status) == 1 && memcmp(now, w->print, PRINT) == 0);
}

/* --- */

static void
count(struct work *w, const char *what, uint64_t where)
{
	if (w->refuses(w)) {
		w->refused++;
		return;
	}
	if (w->accepted++ < 10)
		dprintf(w->words, "not refused: %s %" PRIu64 "\n", what, where);
}

static void
put_byte(const struct work *w, size_t at, uint8_t byte)
{
	must(w->is_control || pwrite(w->fd, &byte, 1, (off_t)at) == 1, "the bundle cannot be written");
}

static void
flip(struct work *w, uint64_t step)
{
	for (uint64_t bit = 0; bit < 8 * (uint64_t)w->n; bit += step) {
		put_byte(w, bit / 8, w->bytes[bit / 8] ^ (uint8_t)(1u << bit % 8));
		count(w, "bit", bit);
		put_byte(w, bit / 8, w->bytes[bit / 8]);
	}
}

static void
truncate_all(struct work *w, int borders)
{
	for (size_t n = w->n; n-- > 0;) {
		must(w->is_control || ftruncate(w->fd, (off_t)n) == 0, "the bundle cannot be cut");
		if (!borders || (n + 1) % 512 < 3)
			count(w, "cut at byte", n);
	}
}

static void
load(struct work *w, const char *path)
{
	w->bytes = (uint8_t *)io_slurp(path, BUNDLE_MAX, &w->n);
	w->fd = memfd_create("bundle", 0);
	must(w->bytes != NULL && w->fd >= 0 && write(w->fd, w->bytes, w->n) == (ssize_t)w->n, path);
	snprintf(w->path, sizeof w->path, "/proc/self/fd/%d", w->fd);
}

/* One processor is enough for a few KiB, and threads cost more than they give. */
static void
stay_on_one_processor(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : (size_t)cpu, &set);
	sched_setaffinity(0, sizeof set, &set);
}

static void
read_key(struct work *w, const char *path)
{
	struct card card;
	size_t n;
	char *text = io_slurp(path, CARD_MAX, &n);

	must(text != NULL && card_decode(&card, text, n) == NULL, path);
	memcpy(w->key, card.sign, RECORD_KEY);
	free(text);
}

int
main(int argc, char *argv[])
{
	static const char usage[] =
	    "usage: flips [-n] verify CARD BUNDLE | flips [-n] import HOME BUNDLE STEP";
	struct work w = { .is_control = argc > 1 && strcmp(argv[1], "-n") == 0 };
	uint64_t step = 1;

	argv += w.is_control;
	argc -= w.is_control;
	must((argc == 4 && strcmp(argv[1], "verify") == 0) || (argc == 5 && strcmp(argv[1], "import") == 0),
	    usage);
	say_init("flips");
	stay_on_one_processor();
	/* What is freed stays, or most of the time would go into fresh pages. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	load(&w, argv[3]);
	if (argc == 4) {
		w.refuses = verify_refuses;
		read_key(&w, argv[2]);
	} else {
		w.refuses = import_refuses;
		w.home = argv[2];
		must((step = strtoull(argv[4], NULL, 10)) > 0, usage);
		print_home(w.home, w.print);
	}
	w.words = dup(STDERR_FILENO);
	must(w.words >= 0 && freopen("/dev/null", "w", stderr) != NULL, "standard error cannot be put aside");
	flip(&w, step);
	truncate_all(&w, argc == 5);
	printf("%" PRIu64 " refused, %" PRIu64 " not\n", w.refused, w.accepted);
	free(w.bytes);
	return (w.accepted == 0 && w.refused > 0 ? 0 : 1);
}
