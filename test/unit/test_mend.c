#include "place.h"

#include <sys/stat.h>

#include "bundle/infile.h"
#include "bundle/mend.h"
#include "bundle/outfile.h"
#include "bundle/request.h"
#include "bundle/segment.h"
#include "bundle/survey.h"
#include "bundle/writer.h"
#include "frame.h"
#include "sample.h"
#include "wire.h"

/*
 * A bundle in several volumes, damaged at random: what the survey asks for is enough to mend it, and what is read then is
 * what there was, to the byte.
 */
#define VOLUMES 16u
#define ITEMS 40u
#define ROUNDS 120u

TestSuite(mend, .init = place_make, .fini = place_remove);

static uint8_t key[RECORD_KEY], secret[RECORD_SECRET];
static uint8_t payload[LIMIT_STORED], plain[LIMIT_PLAIN];
static struct header H;
static unsigned nvolumes;
static uint8_t *volumes[VOLUMES]; /* what is in them */
static size_t sizes[VOLUMES];
static struct outfile *outs[VOLUMES];

static const char *
volume_path(unsigned i)
{
	char name[32];

	snprintf(name, sizeof name, "v%u", i);
	return (at(name));
}

static uint64_t
limit(void *context)
{
	(void)context;
	return (LIMIT_JSON + 60 * 1024);
}

static int
ended(void *context, const struct chain_volume *v)
{
	(void)context;
	(void)v;
	return (0);
}

static struct outfile *
add_volume(void)
{
	cr_assert_lt(nvolumes, VOLUMES);
	cr_assert_eq(outfile_create(&outs[nvolumes], volume_path(nvolumes)), 0);
	return (outs[nvolumes++]);
}

static int
begin(void *context, struct writer *W)
{
	(void)context;
	return (writer_begin_volume(W, add_volume()));
}

static void
put_item(struct writer *W, struct segment_coder *C, unsigned i)
{
	struct segment_crypt clear = { .cipher = RECORD_CLEAR };
	struct extent e = { (uint64_t)i * 8 * LIMIT_BLOCK, (1 + i % 3) * LIMIT_BLOCK, EXTENT_DATA };
	struct record R = {
		.type = RECORD_SEGMENT, .disk = 1, .extents = 1, .offset = e.offset, .span = e.length
	};

	extent_pack(plain, &e);
	randombytes_buf_deterministic(plain + EXTENT_SIZE, (size_t)e.length, key);
	cr_assert_eq(segment_encode(C, &clear, plain, EXTENT_SIZE + (size_t)e.length, payload, &R), 0);
	cr_assert_eq(writer_segment(W, &R, payload), 0);
}

static uint8_t *
slurp(const char *path, size_t *n)
{
	char *p = io_slurp(path, 64u << 20, n);

	cr_assert_not_null(p);
	return ((uint8_t *)p);
}

static void
make_bundle(unsigned items, int in_volumes)
{
	struct writer_volumes v = { NULL, limit, ended, begin };
	struct segment_coder *C = segment_coder_new(SEGMENT_NONE);
	struct trailer T = { .ndisks = 2 };
	struct writer *W;

	sample_keys(key, secret, 1);
	H = sample_header(BUNDLE_DELTA);
	H.cipher = RECORD_CLEAR;
	nvolumes = 0;
	W = writer_new(add_volume(), place, secret);
	cr_assert(W != NULL && C != NULL);
	if (in_volumes)
		writer_use_volumes(W, &v);
	cr_assert_eq(writer_header(W, &H), 0);
	for (unsigned i = 0; i < items; i++)
		put_item(W, C, i);
	cr_assert_eq(writer_finish(W, &H, &T), 0);
	writer_free(W);
	segment_coder_free(C);
	for (unsigned i = 0; i < nvolumes; i++) {
		cr_assert_eq(outfile_commit(outs[i]), 0);
		outfile_free(outs[i]);
		volumes[i] = slurp(volume_path(i), &sizes[i]);
	}
}

static void
drop_bundle(void)
{
	for (unsigned i = 0; i < nvolumes; i++)
		free(volumes[i]);
	nvolumes = 0;
}

static void
put_blob(struct writer *W, const uint8_t *p, size_t n)
{
	struct record B = { .type = RECORD_BLOB, .plain = n, .stored = n };

	crypto_generichash(B.digest, RECORD_DIGEST, p, n, NULL, 0);
	cr_assert_eq(writer_blob(W, &B, p), 0);
}

/* Put the records of volume v into a repair: those that are no segments, and the segments that are wanted. */
static void
put_volume(struct writer *W, unsigned v, const struct ranges *wanted)
{
	const uint8_t *p = volumes[v];
	size_t where = 0;
	struct record R = { .type = RECORD_HEADER };

	for (; R.type != RECORD_END && R.type != RECORD_VOLUME_END; where += frame_size(R.stored)) {
		const uint8_t *raw = frame_record(p + where), *data = p + where + FRAME_HEAD + FRAME_TAR;
		size_t i;

		cr_assert_null(record_unpack(&R, raw, key));
		i = ranges_find(wanted, R.number);
		if ((R.type == RECORD_HEADER && v > 0) ||
		    (R.type == RECORD_SEGMENT && (i == wanted->n || wanted->runs[i].start > R.number)))
			continue;
		put_blob(W, raw, RECORD_SIZE);
		if (R.type == RECORD_HEADER || R.type == RECORD_SEGMENT || R.type == RECORD_END)
			put_blob(W, data, (size_t)R.stored);
	}
}

static void
make_repair(const char *path, const struct ranges *wanted)
{
	struct trailer T = { .ndisks = 0 };
	struct outfile *F;
	struct header A;
	struct writer *W;

	request_describe(&A, BUNDLE_REPAIR, &H, "site-a");
	cr_assert_eq(outfile_open(&F, path), 0);
	cr_assert_not_null(W = writer_new(F, place, secret));
	cr_assert_eq(writer_header(W, &A), 0);
	for (unsigned v = 0; v < nvolumes; v++)
		put_volume(W, v, wanted);
	cr_assert_eq(writer_finish(W, &A, &T), 0);
	cr_assert_eq(outfile_commit(F), 0);
	writer_free(W);
	outfile_free(F);
}

/* A reader of that file, its header read into m. */
static int
open_reader(struct infile **F, const char *path, const struct mend *M, struct member *m)
{
	const struct header *A;
	uint8_t claimed[RECORD_KEY];
	int rc;

	cr_assert_eq(infile_open(F, path), 0);
	if (M != NULL)
		reader_use_mend(infile_reader(*F), M);
	if ((rc = reader_start(infile_reader(*F), claimed)) != 0)
		return (rc);
	if (memcmp(claimed, key, RECORD_KEY) != 0)
		return (1);
	return (reader_header(infile_reader(*F), m, &A));
}

static struct mend *
open_mend(struct infile **F, const char *path)
{
	struct member m = { .payload = payload };
	struct header A;
	struct mend *M;

	request_describe(&A, BUNDLE_REPAIR, &H, "site-a");
	cr_assert_eq(open_reader(F, path, NULL, &m), 0);
	cr_assert_eq(mend_open(&M, *F, &A), 0);
	return (M);
}

/* What is read of a damaged file, written anew.  0 or 1. */
static int
copy(const char *from, const char *to, const struct mend *M)
{
	struct member m = { .payload = payload };
	struct outfile *out;
	struct infile *F;
	struct writer *W;
	int rc = open_reader(&F, from, M, &m);

	cr_assert_eq(outfile_open(&out, to), 0);
	cr_assert_not_null(W = writer_new(out, place, NULL));
	if (rc == 0)
		cr_assert_eq(writer_copy(W, &m.record, m.raw, m.payload), 0);
	while (rc == 0 && m.record.type != RECORD_END && m.record.type != RECORD_VOLUME_END)
		if ((rc = reader_next(infile_reader(F), &m)) == 0)
			cr_assert_eq(writer_copy(W, &m.record, m.raw, m.payload), 0);
	if (rc == 0)
		cr_assert_eq(outfile_commit(out), 0);
	writer_free(W);
	outfile_free(out);
	infile_close(F);
	return (rc);
}

/* Damage n bytes at p as worn media do, and worse; returns what is left of n. */
static size_t
spoil(uint8_t *p, size_t n, uint64_t *seed)
{
	unsigned times = 1 + (unsigned)dice(seed) % 4;
	size_t where;

	while (times-- > 0) {
		where = (size_t)dice(seed) % n;
		switch (dice(seed) % 5) {
		case 0:
			p[where] ^= (uint8_t)(1 + dice(seed) % 255);
			break;
		case 1:
			where = where / 4096 * 4096;
			memset(p + where, 0, n - where < 4096 ? n - where : 4096);
			break;
		case 2:
			where = where / 512 * 512;
			memset(p + where, 0xff, n - where < 512 ? n - where : 512);
			break;
		case 3: /* a sector of somewhere else */
			where = where / 512 * 512;
			if (n - where >= 4096)
				memmove(p + where, p + (size_t)dice(seed) % (n - 4096), 4096);
			break;
		default:
			if (dice(seed) % 4 == 0)
				n = where + 1;
		}
	}
	return (n);
}

static void
put_file(const char *path, const uint8_t *p, size_t n)
{
	int fd;

	cr_assert_eq(io_remove(path), 0);
	cr_assert_geq(fd = io_create(path), 0);
	cr_assert_eq(io_write(fd, path, p, n), 0);
	io_close(fd);
}

/* What the survey of a damaged volume asks for. */
static void
survey(const char *path, struct ranges *wanted)
{
	struct resync r = { .name = path, .keys = (const uint8_t(*)[RECORD_KEY])key, .nkeys = 1 };
	struct survey V;

	cr_assert_geq(r.fd = io_open_read(path), 0);
	cr_assert_eq(io_size(r.fd, path, &r.size), 0);
	cr_assert_eq(survey_run(&V, &r), 0);
	cr_assert_eq(ranges_join(wanted, &V.bad), 0);
	if (V.open != 0)
		cr_assert_eq(ranges_add(wanted, V.open, LIMIT_SEGMENTS - V.open + 1), 0);
	ranges_sort(wanted);
	/* Nothing is left of it: then all of it is. */
	if (!V.has_bundle)
		cr_assert_eq(ranges_add(wanted, 1, LIMIT_SEGMENTS), 0);
	survey_free(&V);
	io_close(r.fd);
}

/* Is anything left in it that says which of several volumes it is? */
static int
is_known(const char *path)
{
	struct resync r = {
		.name = path, .keys = (const uint8_t(*)[RECORD_KEY])key, .nkeys = 1, .budget = RESYNC_BUDGET
	};
	uint64_t from = 0;
	int rc;

	cr_assert_geq(r.fd = io_open_read(path), 0);
	cr_assert_eq(io_size(r.fd, path, &r.size), 0);
	while ((rc = resync_find(&r, from)) == 0 && r.record.type != RECORD_VOLUME &&
	       r.record.type != RECORD_SEGMENT && r.record.type < RECORD_END)
		from = r.at + FRAME_TAR;
	io_close(r.fd);
	return (rc == 0);
}

static void
mend_one(unsigned v, uint64_t *seed)
{
	uint8_t *p = malloc(sizes[v]), *again;
	struct ranges wanted = RANGES_EMPTY;
	struct infile *F;
	struct mend *M;
	size_t n;
	int rc;

	memcpy(p, volumes[v], sizes[v]);
	n = spoil(p, sizes[v], seed);
	put_file(at("damaged"), p, n);
	survey(at("damaged"), &wanted);
	make_repair(at("fix"), &wanted);
	M = open_mend(&F, at("fix"));
	rc = copy(at("damaged"), at("again"), M);
	cr_assert(rc == 0 || !is_known(at("damaged")), "volume %u, %zu of %zu bytes: %s", v, n, sizes[v],
	    (fflush(stderr), words));
	again = slurp(rc == 0 ? at("again") : volume_path(v), &n);
	cr_assert(n == sizes[v] && memcmp(again, volumes[v], n) == 0, "volume %u", v);
	free(again);
	free(p);
	mend_close(M);
	infile_close(F);
	ranges_free(&wanted);
	hush();
}

Test(mend, what_a_survey_asks_for_is_enough_whatever_the_damage)
{
	uint64_t seed = 42;

	make_bundle(ITEMS, 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		mend_one(0, &seed);
	drop_bundle();
}

Test(mend, each_of_several_volumes_is_mended_by_itself)
{
	uint64_t seed = 7;

	make_bundle(ITEMS, 1);
	cr_assert_geq(nvolumes, 3u);
	for (unsigned i = 0; i < ROUNDS; i++)
		mend_one((unsigned)dice(&seed) % nvolumes, &seed);
	drop_bundle();
}

Test(mend, a_good_volume_needs_nothing_and_a_survey_finds_nothing)
{
	struct ranges none = RANGES_EMPTY;

	make_bundle(ITEMS, 1);
	for (unsigned v = 0; v < nvolumes; v++) {
		put_file(at("good"), volumes[v], sizes[v]);
		survey(at("good"), &none);
		cr_expect_eq(none.n, 0u);
		cr_expect_eq(copy(at("good"), at("again"), NULL), 0);
	}
	ranges_free(&none);
	drop_bundle();
}

/* A repair is only a place to look: segments in it that the key has not signed are none. */
Test(mend, nothing_forged_gets_in)
{
	struct ranges wanted = RANGES_EMPTY;
	uint8_t other[RECORD_KEY], *p;
	struct record R;
	struct infile *F;
	struct mend *M;
	size_t where = 0;

	make_bundle(3, 0);
	p = malloc(sizes[0]);
	memcpy(p, volumes[0], sizes[0]);
	/* The first segment as another key would have signed it; and one of other content with the right record. */
	for (R.type = RECORD_HEADER; R.type != RECORD_SEGMENT; where += frame_size(R.stored)) {
		cr_assert_null(record_unpack(&R, frame_record(p + where), key));
		if (R.type == RECORD_SEGMENT)
			break;
	}
	cr_assert_eq(ranges_add(&wanted, 1, 3), 0);
	for (int how = 0; how < 2; how++) {
		uint8_t *in = volumes[0] + where;

		if (how == 0) {
			sample_keys(other, secret, 2);
			record_pack(in + FRAME_TAR, &R, secret);
			sample_keys(key, secret, 1);
		} else {
			memcpy(in, p + where, FRAME_HEAD);
			in[FRAME_HEAD + FRAME_TAR + 100] ^= 1;
		}
		if (how == 0) {
			/* put_volume would not take it: give the repair the raw bytes. */
			struct trailer T = { .ndisks = 0 };
			struct outfile *out;
			struct header A;
			struct writer *W;

			request_describe(&A, BUNDLE_REPAIR, &H, "site-a");
			cr_assert_eq(outfile_open(&out, at("fix")), 0);
			cr_assert_not_null(W = writer_new(out, place, secret));
			cr_assert_eq(writer_header(W, &A), 0);
			put_blob(W, in + FRAME_TAR, RECORD_SIZE);
			put_blob(W, in + FRAME_HEAD + FRAME_TAR, (size_t)R.stored);
			cr_assert_eq(writer_finish(W, &A, &T), 0);
			cr_assert_eq(outfile_commit(out), 0);
			writer_free(W);
			outfile_free(out);
		} else {
			make_repair(at("fix"), &wanted);
		}
		memcpy(payload, p, sizes[0] < sizeof payload ? sizes[0] : sizeof payload);
		{
			uint8_t *bad = malloc(sizes[0]);

			memcpy(bad, p, sizes[0]);
			bad[where + (how == 0 ? FRAME_TAR + 30 : FRAME_HEAD + FRAME_TAR + 5)] ^= 1;
			put_file(at("damaged"), bad, sizes[0]);
			free(bad);
		}
		M = open_mend(&F, at("fix"));
		cr_expect_eq(copy(at("damaged"), at("again"), M), 1);
		mend_close(M);
		infile_close(F);
	}
	ranges_free(&wanted);
	free(p);
	drop_bundle();
}

Test(mend, a_request_comes_back_as_it_was)
{
	struct ranges wanted = RANGES_EMPTY, got = RANGES_EMPTY;
	struct member m = { .payload = payload };
	struct header A;
	struct infile *F;

	sample_keys(key, secret, 1);
	H = sample_header(BUNDLE_DELTA);
	for (uint64_t i = 0; i < 3000; i++)
		cr_assert_eq(ranges_add(&wanted, 1 + i * 7, 1 + i % 5), 0);
	cr_assert_eq(ranges_add(&wanted, 30000, LIMIT_SEGMENTS - 30000 + 1), 0);
	ranges_sort(&wanted);
	request_describe(&A, BUNDLE_REQUEST, &H, "site-b");
	cr_assert_eq(request_write(at("request"), place, secret, &A, &wanted), 0);
	cr_assert_eq(open_reader(&F, at("request"), NULL, &m), 0);
	cr_assert_eq(request_read(infile_reader(F), &got), 0);
	cr_expect(got.n == wanted.n && memcmp(got.runs, wanted.runs, got.n * sizeof *got.runs) == 0);
	infile_close(F);
	request_describe_unknown(&A, H.id, "site-b");
	cr_expect(request_is_unknown(&A) && memcmp(A.of, H.id, RECORD_ID) == 0);
	cr_assert_eq(request_write(at("request"), place, secret, &A, &wanted), 0);
	cr_expect_eq(open_reader(&F, at("request"), NULL, &m), 0);
	infile_close(F);
	ranges_free(&wanted);
	ranges_free(&got);
}

/* A request with these entries, of 16 bytes each but for the last ones: is it taken? */
static int
take_request(const uint64_t *entries, size_t n, size_t bytes)
{
	struct member m = { .payload = payload };
	struct ranges got = RANGES_EMPTY;
	struct trailer T = { .ndisks = 0 };
	struct outfile *out;
	struct writer *W;
	struct header A;
	struct infile *F;
	int rc;

	sample_keys(key, secret, 1);
	H = sample_header(BUNDLE_DELTA);
	request_describe(&A, BUNDLE_REQUEST, &H, "site-b");
	for (size_t i = 0; i < n; i++)
		wire_put64(plain + 8 * i, entries[i]);
	cr_assert_eq(outfile_open(&out, at("request")), 0);
	cr_assert_not_null(W = writer_new(out, place, secret));
	cr_assert_eq(writer_header(W, &A), 0);
	put_blob(W, plain, bytes);
	cr_assert_eq(writer_finish(W, &A, &T), 0);
	cr_assert_eq(outfile_commit(out), 0);
	writer_free(W);
	outfile_free(out);
	cr_assert_eq(open_reader(&F, at("request"), NULL, &m), 0);
	rc = request_read(infile_reader(F), &got);
	infile_close(F);
	ranges_free(&got);
	hush();
	return (rc);
}

Test(mend, a_request_asks_for_each_segment_once_and_for_none_that_no_bundle_has)
{
	static const struct {
		uint64_t entries[4];
		size_t bytes;
		int rc;
	} all[] = { { { 1, 1, 2, LIMIT_SEGMENTS }, 32, 0 }, { { 5, 9, 9, 9 }, 32, 1 },
		{ { 5, 9, 1, 2 }, 32, 1 }, { { 1, 3, 1, 3 }, 32, 1 }, { { 0, 3 }, 16, 1 },
		{ { 4, 3 }, 16, 1 }, { { 1, LIMIT_SEGMENTS + 1 }, 16, 1 }, { { 1, UINT64_MAX }, 16, 1 },
		{ { UINT64_MAX, UINT64_MAX }, 16, 1 }, { { 1, 2, 3 }, 24, 1 }, { { 1 }, 1, 1 } };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		cr_expect_eq(take_request(all[i].entries, 4, all[i].bytes), all[i].rc, "%zu", i);
}
