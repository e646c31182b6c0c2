/*
 * Makes repair requests and repairs that are wrong in one thing each, out of a good one, signed by a site:
 *
 *    asked HOME GOOD DIR
 *
 * GOOD is a request or a repair, HOME the site that signs what is made of it; the names are printed.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "bundle/infile.h"
#include "bundle/outfile.h"
#include "bundle/writer.h"
#include "site/site.h"
#include "wire.h"

#define BLOBS 64u

struct blob {
	uint8_t *data;
	size_t n;
};

static struct header good;
static struct blob blobs[BLOBS];
static unsigned nblobs;
static const struct site *site;

static void
die(const char *what)
{
	fprintf(stderr, "asked: %s\n", what);
	exit(3);
}

static void
read_good(const char *path)
{
	struct member m = { .payload = malloc(LIMIT_STORED) };
	uint8_t key[RECORD_KEY];
	const struct header *H;
	struct infile *F;

	if (infile_open(&F, path) != 0 || reader_start(infile_reader(F), key) != 0 ||
	    reader_header(infile_reader(F), &m, &H) != 0)
		die("cannot read it");
	good = *H;
	do {
		if (reader_next(infile_reader(F), &m) != 0)
			die("it is damaged");
		if (m.record.type != RECORD_BLOB)
			continue;
		if (nblobs == BLOBS)
			die("it has too many blobs");
		blobs[nblobs].n = (size_t)m.record.stored;
		blobs[nblobs].data = malloc(blobs[nblobs].n);
		memcpy(blobs[nblobs].data, m.payload, blobs[nblobs].n);
		nblobs++;
	} while (m.record.type != RECORD_END);
	infile_close(F);
	free(m.payload);
}

static void
write_one(const char *dir, const char *name, const struct header *H, const struct blob *b, unsigned n)
{
	struct trailer T = { .ndisks = 0 };
	struct outfile *F;
	struct writer *W;
	char path[PATH_MAX];

	if (io_path(path, "%s/%s.vmf", dir, name) != 0 || outfile_create(&F, path) != 0 ||
	    (W = writer_new(F, dir, site_secret(site))) == NULL || writer_header(W, H) != 0)
		die("cannot begin");
	for (unsigned i = 0; i < n; i++) {
		struct record B = { .type = RECORD_BLOB, .plain = b[i].n, .stored = b[i].n };

		crypto_generichash(B.digest, RECORD_DIGEST, b[i].data, b[i].n, NULL, 0);
		if (writer_blob(W, &B, b[i].data) != 0)
			die("cannot write a blob");
	}
	if (writer_finish(W, H, &T) != 0 || outfile_commit(F) != 0)
		die("cannot finish");
	writer_free(W);
	outfile_free(F);
	printf("%s\n", name);
}

/* --- requests ----------------------------------------------------------------------------------------- */

static void
request(const char *dir, const char *name, size_t n, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	uint8_t entries[32];
	struct blob one = { entries, n };

	wire_put64(entries, a);
	wire_put64(entries + 8, b);
	wire_put64(entries + 16, c);
	wire_put64(entries + 24, d);
	write_one(dir, name, &good, &one, n > 0);
}

static void
make_requests(const char *dir)
{
	struct header H = good;

	request(dir, "segment-0", 16, 0, 1, 0, 0);
	request(dir, "last-before-first", 16, 2, 1, 0, 0);
	request(dir, "descending", 32, 3, 3, 1, 1);
	request(dir, "overlapping", 32, 1, 2, 2, 3);
	request(dir, "over-the-limit", 16, 1, LIMIT_SEGMENTS + 1, 0, 0);
	request(dir, "huge", 16, 1, UINT64_MAX, 0, 0);
	request(dir, "half-an-entry", 24, 1, 1, 2, 0);
	request(dir, "beyond-the-end", 16, 1000, 2000, 0, 0);
	H.of[0] ^= 1;
	write_one(dir, "of-no-bundle", &H, blobs, nblobs);
	H = good;
	H.uuid[0] = H.uuid[0] == '1' ? '2' : '1';
	write_one(dir, "of-another-vm", &H, blobs, nblobs);
	H = good;
	H.type = BUNDLE_REPAIR;
	write_one(dir, "type-repair", &H, blobs, nblobs);
	H.type = BUNDLE_RECEIPT;
	H.has_of = 0;
	write_one(dir, "type-receipt", &H, blobs, nblobs);
	/* Those that follow are answered, and have no more than there is. */
	request(dir, "good-everything", 16, 1, LIMIT_SEGMENTS, 0, 0);
	request(dir, "good-nothing", 0, 0, 0, 0, 0);
}

/* --- repairs ------------------------------------------------------------------------------------------ */

/* The blob with the record of the nth segment. */
static unsigned
segment(unsigned nth)
{
	struct record R;

	for (unsigned i = 0; i + 1 < nblobs; i++)
		if (blobs[i].n == RECORD_SIZE && record_peek(&R, blobs[i].data) == 0 &&
		    R.type == RECORD_SEGMENT && nth-- == 0)
			return (i);
	die("it has too few segments");
	return (0);
}

/* One byte of a blob changed, or its length. */
static void
repair(const char *dir, const char *name, unsigned blob, size_t at, size_t size)
{
	struct blob all[BLOBS];
	uint8_t *was = blobs[blob].data;

	memcpy(all, blobs, sizeof all);
	all[blob].data = malloc(all[blob].n);
	memcpy(all[blob].data, was, all[blob].n);
	if (at < all[blob].n)
		all[blob].data[at] ^= 1;
	all[blob].n = size;
	write_one(dir, name, &good, all, nblobs);
	free(all[blob].data);
}

/* Blobs from a to b left out; or put in front of a. */
static void
reordered(const char *dir, const char *name, unsigned from, unsigned n, unsigned to)
{
	struct blob all[BLOBS];
	unsigned k = 0;

	for (unsigned i = 0; i < nblobs; i++) {
		if (i == to)
			for (unsigned j = from; j < from + n; j++)
				all[k++] = blobs[j];
		if (i < from || i >= from + n)
			all[k++] = blobs[i];
	}
	write_one(dir, name, &good, all, k);
}

static void
make_repairs(const char *dir)
{
	struct header H = good;
	unsigned a = segment(0), b = segment(1);

	repair(dir, "record-signature", b, RECORD_SIZE - 1, RECORD_SIZE);
	repair(dir, "record-number", b, 32, RECORD_SIZE);
	repair(dir, "record-bundle", a, 16, RECORD_SIZE);
	repair(dir, "record-magic", a, 0, RECORD_SIZE);
	repair(dir, "record-digest", b, 104, RECORD_SIZE);
	repair(dir, "record-length", a, 73, RECORD_SIZE);
	repair(dir, "record-short", a, RECORD_SIZE, RECORD_SIZE - 1);
	repair(dir, "payload-changed", a + 1, 10, blobs[a + 1].n);
	repair(dir, "payload-short", a + 1, SIZE_MAX, blobs[a + 1].n - 1);
	reordered(dir, "payload-missing", a + 1, 1, nblobs);
	reordered(dir, "record-missing", a, 1, nblobs);
	reordered(dir, "segment-missing", a, 2, nblobs);
	reordered(dir, "segments-swapped", b, 2, a);
	write_one(dir, "payload-behind-it-missing", &good, blobs, a + 1);
	write_one(dir, "empty", &good, blobs, 0);
	H.of[0] ^= 1;
	write_one(dir, "of-another-bundle", &H, blobs, nblobs);
	H = good;
	H.type = BUNDLE_REQUEST;
	write_one(dir, "type-request", &H, blobs, nblobs);
	/* The header's record is not needed where the bundle still has it. */
	reordered(dir, "good-without-header", 0, 2, nblobs);
}

int
main(int argc, char *argv[])
{
	struct site *S;

	say_init("asked");
	if (argc != 4 || (S = site_open(argv[1])) == NULL)
		die("usage: asked HOME GOOD DIR");
	site = S;
	read_good(argv[2]);
	if (good.type == BUNDLE_REQUEST)
		make_requests(argv[3]);
	else
		make_repairs(argv[3]);
	for (unsigned i = 0; i < nblobs; i++)
		free(blobs[i].data);
	site_close(S);
	return (say_exit(0));
}
