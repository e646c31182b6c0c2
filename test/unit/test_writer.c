#include "place.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "bundle/reader.h"
#include "bundle/segment.h"
#include "bundle/writer.h"
#include "frame.h"
#include "sample.h"

#define VOLUMES 24u
#define BLOBS 3u
#define ITEMS 4096u
#define NONE (-1)

TestSuite(writer, .init = place_make, .fini = place_remove);

/* A bundle that is written in volumes to files in memory: some blobs, then segments, which are its items. */
struct run {
	struct header H;
	struct trailer T;
	unsigned items;
	uint64_t limit;
	int fds[VOLUMES];
	struct outfile *files[VOLUMES];     /* to the same */
	unsigned n;                         /* volumes begun */
	struct chain_volume ended[VOLUMES]; /* all but the last */
	unsigned nended;
	int stop_at_end, stop_at_begin; /* what the callbacks answer */
	struct chain_volume last;
};

static uint8_t payload[LIMIT_STORED], plain[LIMIT_PLAIN];
static struct run undisturbed, resumed;
static struct segment_coder *coder;

static int
memory_file(void)
{
	int fd = memfd_create("volume", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	return (fd);
}

static void
run_init(struct run *r, unsigned items, uint64_t limit)
{
	memset(r, 0, sizeof *r);
	r->H = sample_combined();
	r->H.cipher = r->H.parts[0].cipher = r->H.parts[2].cipher = RECORD_CLEAR;
	r->T = sample_trailer(&r->H);
	r->items = items;
	r->limit = limit;
	if (coder == NULL)
		cr_assert_not_null(coder = segment_coder_new(SEGMENT_NONE));
}

static void
run_free(struct run *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		outfile_free(r->files[i]);
		io_close(r->fds[i]);
	}
	r->n = 0;
}

/* The file of the next volume. */
static struct outfile *
add_file(struct run *r, int fd)
{
	cr_assert_lt(r->n, VOLUMES);
	r->fds[r->n] = fd;
	cr_assert_not_null(r->files[r->n] = outfile_wrap(fd, "volume"));
	return (r->files[r->n++]);
}

static uint64_t
limit(void *context)
{
	return (((const struct run *)context)->limit);
}

static int
ended(void *context, const struct chain_volume *v)
{
	struct run *r = context;

	r->ended[r->nended++] = *v;
	return (r->stop_at_end);
}

static int
begin(void *context, struct writer *W)
{
	struct run *r = context;

	if (r->stop_at_begin)
		return (r->stop_at_begin);
	return (writer_begin_volume(W, add_file(r, memory_file())));
}

/* Item i of any run: segments ascend through two parts, and have none to two blocks of data. */
static int
put_item(struct writer *W, const struct run *r, unsigned i)
{
	struct segment_crypt clear = { .cipher = RECORD_CLEAR };
	unsigned blocks = i % 3, half = r->items / 2;
	struct extent e = { (uint64_t)(i % half) * 8 * LIMIT_BLOCK, (blocks + !blocks) * LIMIT_BLOCK,
		blocks ? EXTENT_DATA : EXTENT_ZERO };
	struct record R = { .type = RECORD_SEGMENT,
		.part = i / half,
		.disk = 1,
		.extents = 1,
		.offset = e.offset,
		.span = e.length };
	size_t n = EXTENT_SIZE + (e.kind == EXTENT_DATA ? (size_t)e.length : 0);

	extent_pack(plain, &e);
	memset(plain + EXTENT_SIZE, (int)i, n - EXTENT_SIZE);
	if (i < BLOBS)
		R = (struct record){ .type = RECORD_BLOB };
	cr_assert_eq(segment_encode(coder, &clear, plain, n, payload, &R), 0);
	return (i < BLOBS ? writer_blob(W, &R, payload) : writer_segment(W, &R, payload));
}

static struct writer *
writer_for(struct run *r, struct outfile *out)
{
	static uint8_t secret[RECORD_SECRET];
	struct writer_volumes v = { r, limit, ended, begin };
	uint8_t key[RECORD_KEY];
	struct writer *W;

	sample_keys(key, secret, 1);
	W = writer_new(out, place, secret);
	cr_assert_not_null(W);
	if (r->limit != 0)
		writer_use_volumes(W, &v);
	return (W);
}

static void
put_rest(struct writer *W, struct run *r, unsigned from)
{
	for (unsigned i = from; i < r->items; i++)
		cr_assert_eq(put_item(W, r, i), 0, "item %u", i);
	cr_assert_eq(writer_finish(W, &r->H, &r->T), 0);
	r->last = *writer_volume(W);
}

static void
run_all(struct run *r)
{
	struct writer *W;

	W = writer_for(r, add_file(r, memory_file()));
	cr_assert_eq(writer_header(W, &r->H), 0);
	put_rest(W, r, 0);
	writer_free(W);
}

static uint64_t
size_of(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return ((uint64_t)st.st_size);
}

/* A reader at the start of a volume, its header read into m. */
static struct reader *
reader_at(int fd, struct member *m)
{
	uint8_t key[RECORD_KEY];
	const struct header *H;
	struct reader *R = reader_new(fd, "volume");

	cr_assert_not_null(R);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	m->payload = payload;
	cr_assert_eq(reader_start(R, key), 0);
	cr_assert_eq(reader_header(R, m, &H), 0);
	return (R);
}

static int
is_end(const struct member *m)
{
	return (m->record.type == RECORD_END || m->record.type == RECORD_VOLUME_END);
}

/* What a reader that has nothing but this file makes of it. */
struct seen {
	struct chain_volume volume;
	uint64_t segments, blobs, stored;
	unsigned volumes; /* as the end says; 0 in all but the last */
};

static struct seen
read_alone(int fd)
{
	struct member m;
	struct reader *R = reader_at(fd, &m);
	struct seen s = { .segments = 0 };

	do {
		cr_assert_eq(reader_next(R, &m), 0);
		s.segments += m.record.type == RECORD_SEGMENT;
		s.blobs += m.record.type == RECORD_BLOB;
		if (m.record.type == RECORD_SEGMENT || m.record.type == RECORD_BLOB)
			cr_assert_null(segment_check(&m.record, m.payload));
	} while (!is_end(&m));
	s.volume = *reader_volume(R);
	s.stored = reader_stored(R);
	s.volumes = reader_trailer(R)->volumes;
	cr_expect_eq(reader_position(R), size_of(fd));
	reader_free(R);
	return (s);
}

/* In a limit of some KiB more than what the longest end of a bundle may need. */
static void
run_small(struct run *r)
{
	run_init(r, 43, LIMIT_JSON + 40 * 1024);
	run_all(r);
	cr_assert_gt(r->n, 4u);
}

Test(writer, volumes_are_whole_by_themselves_and_continue_each_other)
{
	struct run *r = &undisturbed;
	struct seen s[VOLUMES];
	uint64_t segments = 0, stored = 0;

	run_small(r);
	cr_expect_eq(r->nended, r->n - 1);
	for (unsigned i = 0; i < r->n; i++) {
		s[i] = read_alone(r->fds[i]);
		segments += s[i].segments;
		stored += s[i].stored;
		cr_expect_eq(s[i].volume.number, i + 1);
		cr_expect_eq(s[i].volume.is_last, i == r->n - 1);
		cr_expect_eq(s[i].blobs, i == 0 ? BLOBS : 0);
		cr_expect_gt(s[i].segments, 0u);
		cr_expect_eq(s[i].volumes, i == r->n - 1 ? r->n : 0);
		if (i > 0)
			cr_expect_null(chain_follows(&s[i - 1].volume, &s[i].volume), "volume %u", i);
	}
	cr_expect_eq(segments, r->items - BLOBS);
	cr_expect(r->T.segments == segments && r->T.stored == stored && r->T.volumes == r->n);
	run_free(r);
}

Test(writer, volumes_stay_in_their_limit_and_use_it)
{
	struct run *r = &undisturbed;

	run_small(r);
	for (unsigned i = 0; i < r->n; i++) {
		cr_expect_leq(size_of(r->fds[i]), r->limit, "volume %u", i);
		if (i < r->n - 1)
			cr_expect_geq(size_of(r->fds[i]) + LIMIT_JSON + 6 * LIMIT_BLOCK, r->limit);
	}
	run_free(r);
}

/* However small: there is a segment in each volume, so that an end comes at all. */
Test(writer, limit_too_small_for_anything_gives_a_volume_to_each_segment)
{
	struct run *r = &undisturbed;

	run_init(r, 12, 1);
	run_all(r);
	cr_expect_eq(r->n, 12 - BLOBS);
	for (unsigned i = 0; i < r->n; i++)
		cr_expect_eq(read_alone(r->fds[i]).segments, 1u);
	run_free(r);
}

Test(writer, without_volumes_writes_one)
{
	struct run *r = &undisturbed;

	run_init(r, 43, 0);
	run_all(r);
	cr_expect_eq(r->n, 1u);
	cr_expect_eq(read_alone(r->fds[0]).segments, 43 - BLOBS);
	run_free(r);
}

static void
expect_same_file(int a, int b, unsigned volume)
{
	uint64_t n = size_of(a);
	const uint8_t *p, *q;

	cr_assert_eq(size_of(b), n, "volume %u", volume);
	p = mmap(NULL, (size_t)n, PROT_READ, MAP_SHARED, a, 0);
	q = mmap(NULL, (size_t)n, PROT_READ, MAP_SHARED, b, 0);
	cr_assert(p != MAP_FAILED && q != MAP_FAILED);
	cr_expect_eq(memcmp(p, q, (size_t)n), 0, "volume %u", volume);
	munmap((void *)p, (size_t)n);
	munmap((void *)q, (size_t)n);
}

/* The first n bytes of a file, in another. */
static int
part_of(int fd, uint64_t n)
{
	int to = memory_file();
	uint8_t buf[4096];

	for (uint64_t done = 0; done < n; done += sizeof buf) {
		size_t m = n - done < sizeof buf ? (size_t)(n - done) : sizeof buf;

		cr_assert_eq(pread(fd, buf, m, (off_t)done), (ssize_t)m);
		cr_assert_eq(write(to, buf, m), (ssize_t)m);
	}
	return (to);
}

/* Read a volume up to so many of its items; give W, unless it is NULL, each record.  Return where they end. */
static uint64_t
adopt(struct writer *W, int fd, unsigned items)
{
	struct member m;
	struct reader *R = reader_at(fd, &m);
	uint64_t good;

	for (unsigned i = 0; i < items + 2; i++) {
		if (i > 0)
			cr_assert_eq(reader_next(R, &m), 0);
		if (W != NULL)
			cr_assert_eq(writer_adopt(W, &m.record, m.raw), 0);
	}
	good = reader_position(R);
	cr_expect_eq(reader_good(R), good);
	reader_free(R);
	return (good);
}

/* Write undisturbed once more, as if what stands from volume v on had been lost but for so many of its items. */
static void
resume_at(unsigned v, int items)
{
	struct run *a = &undisturbed, *b = &resumed;
	uint8_t text[LIMIT_JSON];
	struct member m;
	uint64_t stored = 0;
	unsigned done = 0;
	struct writer *W;

	run_init(b, a->items, a->limit);
	for (unsigned i = 0; i < v; i++) {
		struct seen s = read_alone(a->fds[i]);

		stored += s.stored;
		done += (unsigned)(s.segments + s.blobs);
		add_file(b, part_of(a->fds[i], size_of(a->fds[i])));
	}
	reader_free(reader_at(a->fds[0], &m));
	memcpy(text, payload, (size_t)m.record.stored);
	m.payload = text;
	if (items != NONE)
		add_file(b, part_of(a->fds[v], adopt(NULL, a->fds[v], (unsigned)items)));
	W = writer_for(b, items == NONE ? NULL : b->files[v]);
	cr_assert_eq(writer_resume(W, &m, v > 0 ? &a->ended[v - 1] : NULL, stored), 0);
	if (items == NONE) {
		cr_assert_eq(begin(b, W), 0);
	} else {
		cr_expect_eq(adopt(W, a->fds[v], (unsigned)items), writer_position(W));
		done += (unsigned)items;
	}
	put_rest(W, b, done);
	writer_free(W);
	cr_assert_eq(b->n, a->n);
	cr_expect_eq(memcmp(&a->T, &b->T, sizeof a->T), 0);
	for (unsigned i = 0; i < a->n; i++)
		expect_same_file(a->fds[i], b->fds[i], i);
	run_free(b);
}

Test(writer, resumed_anywhere_writes_what_it_would_have_written)
{
	struct run *r = &undisturbed;

	run_small(r);
	for (unsigned v = 0; v < r->n; v++) {
		struct seen s = read_alone(r->fds[v]);

		for (int items = NONE; items <= (int)(s.segments + s.blobs); items++)
			resume_at(v, items);
	}
	run_free(r);
}

/* More segments than what is kept of them in memory. */
Test(writer, long_volumes_are_resumed_likewise)
{
	static const int places[] = { NONE, 0, 1023, 1024, 1025, 1030 };
	struct run *r = &undisturbed;

	run_init(r, ITEMS, UINT64_C(8) << 20);
	run_all(r);
	cr_assert_gt(r->n, 1u);
	cr_assert_gt(read_alone(r->fds[0]).segments, 1030u);
	for (unsigned v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
			resume_at(v, places[i]);
	run_free(r);
}

Test(writer, copies_any_volume_byte_for_byte)
{
	struct run *r = &undisturbed;

	run_small(r);
	for (unsigned i = 0; i < r->n; i++) {
		struct member m;
		struct reader *R = reader_at(r->fds[i], &m);
		int fd = memory_file();
		struct outfile *F = outfile_wrap(fd, "copy");
		struct writer *W = writer_new(F, place, NULL);

		cr_assert(F != NULL && W != NULL);
		cr_assert_eq(writer_copy(W, &m.record, m.raw, m.payload), 0);
		do {
			cr_assert_eq(reader_next(R, &m), 0);
			cr_assert_eq(writer_copy(W, &m.record, m.raw, m.payload), 0);
		} while (!is_end(&m));
		cr_expect_eq(writer_position(W), size_of(fd));
		expect_same_file(r->fds[i], fd, i);
		writer_free(W);
		outfile_free(F);
		io_close(fd);
		reader_free(R);
	}
	run_free(r);
}

/* What came of a volume before a pipe broke was verified; the rest may come through another. */
Test(writer, rest_of_any_volume_continues_what_was_read)
{
	struct run *r = &undisturbed;

	run_small(r);
	for (unsigned v = 0; v < r->n; v++) {
		uint64_t n = size_of(r->fds[v]);
		struct seen s = read_alone(r->fds[v]);

		for (unsigned items = 0; items <= s.segments + s.blobs; items++) {
			uint8_t key[RECORD_KEY], id[RECORD_ID], text[LIMIT_JSON];
			struct member header, m = { .payload = payload };
			struct reader *A = reader_at(r->fds[v], &header), *B = reader_new(r->fds[v], "rest");
			struct chain C;

			memcpy(text, payload, (size_t)header.record.stored);
			header.payload = text;
			cr_expect_eq(reader_is_rest(A, id), 0, "it is the start");
			chain_init(&C);
			cr_assert_null(chain_next(&C, &header.record, header.raw));
			for (unsigned i = 0; i < items + 1; i++) {
				cr_assert_eq(reader_next(A, &m), 0);
				cr_assert_null(chain_next(&C, &m.record, m.raw));
			}
			cr_assert_eq(reader_start(B, key), 0);
			cr_expect_eq(reader_is_rest(B, id), 1);
			cr_expect_arr_eq(id, r->H.id, RECORD_ID);
			cr_assert_eq(reader_continue(B, &header, &C, reader_stored(A)), 0);
			do
				cr_assert_eq(reader_next(B, &m), 0);
			while (!is_end(&m));
			cr_expect_eq(reader_good(B) + FRAME_TRAILER, n);
			cr_expect_eq(reader_stored(B), s.stored);
			cr_expect_arr_eq(reader_volume(B)->end, s.volume.end, RECORD_DIGEST);
			reader_free(A);
			reader_free(B);
		}
	}
	run_free(r);
}

/* What was left of a volume is refused, wherever it was cut (here: at some of its bytes). */
Test(writer, volume_cut_short_is_refused_and_in_silence_where_asked)
{
	struct run *r = &undisturbed;
	uint64_t n;

	run_small(r);
	n = size_of(r->fds[1]);
	for (uint64_t cut = 0; cut < n; cut += 509) {
		int fd = part_of(r->fds[1], cut), rc;
		struct reader *R = reader_new(fd, "cut");
		struct member m = { .payload = payload };
		const struct header *H;
		uint8_t key[RECORD_KEY];

		cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
		reader_set_quiet(R);
		rc = reader_start(R, key);
		if (rc == 0)
			rc = reader_header(R, &m, &H);
		while (rc == 0 && !is_end(&m))
			rc = reader_next(R, &m);
		cr_expect_eq(rc, 1, "cut at %zu", (size_t)cut);
		reader_free(R);
		io_close(fd);
	}
	cr_expect_not(said("vmferry"), "and quietly");
	run_free(r);
}

Test(writer, stops_as_its_callbacks_say)
{
	for (int at_begin = 0; at_begin < 2; at_begin++)
		for (int answer = -1; answer <= 1; answer++) {
			struct run *r = &undisturbed;
			struct writer *W;
			int rc = 0;

			run_init(r, 12, 1);
			*(at_begin ? &r->stop_at_begin : &r->stop_at_end) = answer;
			W = writer_for(r, add_file(r, memory_file()));
			cr_assert_eq(writer_header(W, &r->H), 0);
			for (unsigned i = 0; i < r->items && rc == 0; i++)
				rc = put_item(W, r, i);
			cr_expect_eq(rc, answer);
			cr_expect_eq(r->n == 1, answer != 0);
			cr_expect_eq(read_alone(r->fds[0]).volume.is_last, 0, "what is there is whole");
			writer_free(W);
			run_free(r);
		}
}

Test(writer, makes_no_more_volumes_than_a_bundle_may_have)
{
	struct run *r = &undisturbed;
	struct chain_volume v;
	struct member m;
	struct writer *W;
	uint8_t text[LIMIT_JSON];

	run_init(r, 12, 1);
	run_all(r);
	v = r->ended[0];
	v.number = LIMIT_VOLUMES - 1;
	reader_free(reader_at(r->fds[0], &m));
	memcpy(text, payload, (size_t)m.record.stored);
	m.payload = text;
	W = writer_for(r, NULL);
	cr_assert_eq(writer_resume(W, &m, &v, 0), 0);
	cr_assert_eq(begin(r, W), 0);
	cr_expect_eq(put_item(W, r, BLOBS + 1), 0, "the last volume");
	cr_expect_eq(put_item(W, r, BLOBS + 2), -1);
	cr_expect(said("would need more than 65536 volumes"));
	writer_free(W);
	run_free(r);
}
