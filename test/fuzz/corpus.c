/*
 * Write seeds for the fuzz targets, made by the real encoders:
 *
 *    corpus DIR		DIR/record/, DIR/chain/, ... one small file each
 */
#include <err.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/sample.h"
#include "base/io.h"
#include "bundle/segment.h"
#include "bundle/writer.h"
#include "chain.h"
#include "custody.h"
#include "disk/changelog.h"
#include "extent.h"
#include "identity.h"
#include "primary/primary_record.h"
#include "replica/replica_record.h"
#include "site/trust.h"
#include "wire.h"

static uint8_t secret[RECORD_SECRET];

/* Write n bytes to DIR/target/name. */
static void
put(const char *dir, const char *target, const char *name, const void *p, size_t n)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, target);
	mkdir(dir, 0777);
	mkdir(path, 0777);
	snprintf(path, sizeof path, "%s/%s/%s", dir, target, name);
	if ((f = fopen(path, "wb")) == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0)
		err(1, "%s", path);
}

static void
records(const char *dir)
{
	uint8_t rec[RECORD_SIZE + 2] = { 0 };
	char name[2] = "0";

	for (int t = RECORD_HEADER; t <= RECORD_VOLUME_END; t++) {
		struct record R = sample_record((enum record_type)t);

		record_pack(rec, &R, secret);
		name[0] = (char)('0' + t);
		put(dir, "record", name, rec, sizeof rec);
	}
}

/*
 * Whole bundles, as the types of their records; each record goes behind a byte that says what fuzz_chain is to do
 * first: here, what makes right what is right already, and in front of a later volume 4, to turn to it.
 */
static void
chain(const char *dir, const char *name, const char *types)
{
	uint8_t all[32 * (1 + RECORD_SIZE)], *p = all;
	struct chain C;

	chain_init(&C);
	for (unsigned i = 0; types[i] != '\0'; i++) {
		struct record R = sample_record((enum record_type)(types[i] - '0'));

		*p = 3 | (C.last == RECORD_VOLUME_END ? 4 : 0);
		if (C.last == RECORD_VOLUME_END)
			chain_turn(&C);
		chain_link(&C, &R);
		if (R.type == RECORD_SEGMENT)
			R.offset = i * R.span;
		if (R.type == RECORD_INDEX || R.type == RECORD_MANIFEST)
			chain_expect(&C, &R);
		record_pack(p + 1, &R, secret);
		if (chain_next(&C, &R, p + 1) != NULL)
			errx(1, "the chain refuses what it should take");
		p += 1 + RECORD_SIZE;
	}
	put(dir, "chain", name, all, (size_t)(p - all));
}

static void
chains(const char *dir)
{
	chain(dir, "0", "12456");
	chain(dir, "1", "123456");
	chain(dir, "3", "12333456");
	chain(dir, "blobs", "1277456");
	chain(dir, "blobs-and-segments", "127733456");
	chain(dir, "two-volumes",
	    "1233458"
	    "123456");
	chain(dir, "three-volumes",
	    "1273458"
	    "1233458"
	    "123456");
	chain(dir, "empty-last-volume",
	    "123458"
	    "12456");
}

static void
extents(const char *dir)
{
	static const struct extent e[] = { { 0, 4096, EXTENT_DATA }, { 4096, 8192, EXTENT_ZERO },
		{ 16384, 4096, EXTENT_DISCARD }, { 40960, 512, EXTENT_DATA } };
	uint8_t seed[12 + 4 * EXTENT_SIZE + 4096 + 512] = { 0 };

	wire_put64(seed, 41472);
	for (uint32_t i = 0; i < 4; i++)
		extent_pack(seed + 12 + i * EXTENT_SIZE, &e[i]);
	wire_put32(seed + 8, 4);
	put(dir, "extent", "data", seed, sizeof seed);
	extent_pack(seed + 12, &e[1]);
	extent_pack(seed + 12 + EXTENT_SIZE, &e[2]);
	wire_put32(seed + 8, 2);
	put(dir, "extent", "zero", seed, 12 + 2 * EXTENT_SIZE);
}

static void
header(const char *dir, const char *name, struct header H)
{
	struct trailer T = sample_trailer(&H);
	size_t n, m;
	char *h, *s, *both;

	h = header_encode(&H, &n);
	s = trailer_encode(&T, &H, &m);
	if (h == NULL || s == NULL || (both = malloc(n + 1 + m)) == NULL)
		errx(1, "no memory");
	memcpy(both, h, n + 1);
	memcpy(both + n + 1, s, m);
	put(dir, "header", name, both, n + 1 + m);
	free(both);
	free(s);
	free(h);
}

static void
headers(const char *dir)
{
	struct header H;

	for (int t = BUNDLE_SEED; t <= BUNDLE_COMPARE; t++) {
		H = sample_header((enum bundle_type)t);
		if (t == BUNDLE_SEED) {
			H.cipher = RECORD_CLEAR;
			H.has_leaf_seed = 1;
		}
		H.ntargets = H.has_leaf_seed ? 0 : 1;
		header(dir, header_type_text(H.type), H);
	}
	H = sample_combined();
	H.ntargets = 1;
	header(dir, "combined", H);
	H = sample_header(BUNDLE_COMPARE);
	H.to.seq = H.from.seq = 0;
	header(dir, "adopted", H);
}

static void
names(const char *dir)
{
	static const char *const seeds[] = { "web 1", "na\xc3\xafve", "\xe6\x9d\xb1", "\xf0\x9f\x90\xa7",
		"data.1_x-y", "0c5d9a34-7a1f-4a55-9d3c-3f6a2b1e0d77", "2026-03-01T12:00:00Z", "standard",
		"app", "final" };
	char name[2] = "0";

	for (unsigned i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
		name[0] = (char)('0' + i);
		put(dir, "name", name, seeds[i], strlen(seeds[i]));
	}
}

/* A plain segment: blocks of data and of zeroes in turn, then a discard; its record's fields go to R. */
static size_t
plain_segment(uint8_t *out, struct record *R, uint64_t offset, uint32_t n)
{
	size_t size = (n + 1) * EXTENT_SIZE;

	for (uint32_t i = 0; i <= n; i++) {
		struct extent e = { offset + i * LIMIT_BLOCK, LIMIT_BLOCK, EXTENT_DATA };

		e.kind = i == n ? EXTENT_DISCARD : i % 2 == 0 ? EXTENT_DATA : EXTENT_ZERO;
		extent_pack(out + i * EXTENT_SIZE, &e);
		if (e.kind == EXTENT_DATA) {
			memset(out + size, 'a' + (int)i, LIMIT_BLOCK);
			size += LIMIT_BLOCK;
		}
	}
	R->extents = n + 1;
	R->offset = offset;
	R->span = (n + 1) * LIMIT_BLOCK;
	return (size);
}

/* Encode it for a bundle. */
static size_t
encode(enum segment_level level, const struct segment_crypt *K, uint8_t *out, struct record *R, uint64_t at,
    uint32_t n)
{
	static uint8_t plain[1 << 16];
	struct segment_coder *C = segment_coder_new(level);
	size_t size = plain_segment(plain, R, at, n);

	if (C == NULL || segment_encode(C, K, plain, size, out, R) != 0)
		errx(1, "cannot encode a segment");
	segment_coder_free(C);
	return (R->stored);
}

static void
segments(const char *dir)
{
	static const struct segment_crypt clear = { .cipher = RECORD_CLEAR };
	static uint8_t seed[37 + (1 << 16)];

	for (unsigned level = 0; level < 2; level++) {
		struct record R = { .type = RECORD_SEGMENT };
		size_t n = encode((enum segment_level)level, &clear, seed + 37, &R, 8 * LIMIT_BLOCK, 5);

		seed[0] = R.codec == RECORD_ZSTD;
		wire_put32(seed + 1, R.extents);
		wire_put64(seed + 5, R.offset);
		wire_put64(seed + 13, R.span);
		wire_put64(seed + 21, R.plain);
		wire_put64(seed + 29, 1 << 20);
		put(dir, "segment", level == 0 ? "raw" : "zstd", seed, 37 + n);
	}
}

/* A bundle to be written: two segments on each of two disks, in each part, or two blobs. */
struct bundle {
	const char *dir, *name;
	enum bundle_type type;
	enum record_cipher cipher;
	unsigned parts;
	int in_volumes; /* one for each segment */
	unsigned volume;
	int fd;
	struct outfile *file;
};

/* The next volume's file. */
static void
open_volume(struct bundle *b)
{
	char name[64], path[4096];

	b->volume++;
	snprintf(name, sizeof name, b->volume == 1 ? "%s" : "%s-%u", b->name, b->volume);
	put(b->dir, "stream", name, "", 0);
	snprintf(path, sizeof path, "%s/stream/%s", b->dir, name);
	if ((b->fd = open(path, O_WRONLY)) < 0 || (b->file = outfile_wrap(b->fd, path)) == NULL)
		err(1, "%s", path);
}

static void
close_volume(struct bundle *b)
{
	outfile_free(b->file);
	if (close(b->fd) != 0)
		err(1, "%s", b->name);
}

static uint64_t
limit(void *context)
{
	return (((const struct bundle *)context)->in_volumes ? 1 : UINT64_MAX);
}

static int
ended(void *context, const struct chain_volume *v)
{
	(void)v;
	close_volume(context);
	return (0);
}

static int
begin(void *context, struct writer *W)
{
	struct bundle *b = context;

	open_volume(b);
	return (writer_begin_volume(W, b->file));
}

static struct header
header_of(const struct bundle *b)
{
	struct header H = b->parts > 0 ? sample_combined() : sample_header(b->type);

	H.cipher = b->cipher;
	H.has_leaf_seed = b->cipher == RECORD_CLEAR;
	H.ntargets = b->cipher != RECORD_CLEAR;
	H.nparts = b->parts;
	for (unsigned i = 0; i < b->parts; i++)
		if (H.parts[i].ntargets > 1)
			H.parts[i].ntargets = 1;
	return (H);
}

static void
put_segments(
    struct writer *W, const struct header *H, uint32_t part, struct segment_crypt K, struct trailer *T)
{
	static uint8_t stored[1 << 17];

	memcpy(K.bundle, H->nparts > 0 ? H->parts[part].id : H->id, RECORD_ID);
	K.cipher = H->nparts > 0 ? H->parts[part].cipher : H->cipher;
	for (uint32_t i = 0; i < 2 * T->ndisks; i++) {
		struct record R = { .part = part, .disk = i / 2 };

		encode(i % 2 == 0 ? SEGMENT_NONE : SEGMENT_FAST, &K, stored, &R, i * 8 * LIMIT_BLOCK, i);
		T->data += (i + 1) / 2 * LIMIT_BLOCK;
		T->zero += (i / 2 + 1) * LIMIT_BLOCK;
		if (writer_segment(W, &R, stored) != 0)
			errx(1, "a segment cannot be written");
	}
}

static void
put_blobs(struct writer *W, struct segment_crypt K)
{
	static uint8_t plain[3000], stored[1 << 16];
	struct segment_coder *C = segment_coder_new(SEGMENT_FAST);

	for (unsigned i = 0; C != NULL && i < 2; i++) {
		struct record R = { .disk = 0 };

		if (segment_encode(C, &K, plain, i == 0 ? 16 : sizeof plain, stored, &R) != 0 ||
		    writer_blob(W, &R, stored) != 0)
			errx(1, "a blob cannot be written");
	}
	segment_coder_free(C);
}

static void
bundle(struct bundle b)
{
	struct header H = header_of(&b);
	struct segment_crypt K = { .cipher = b.cipher };
	struct trailer T = { .ndisks = header_leads(b.type) ? 2 : 0 };
	struct writer_volumes v = { &b, limit, ended, begin };
	struct writer *W;

	memcpy(K.bundle, H.id, RECORD_ID);
	memset(K.key, 7, sizeof K.key);
	open_volume(&b);
	if ((W = writer_new(b.file, b.dir, secret)) == NULL)
		errx(1, "no memory");
	writer_use_volumes(W, &v);
	if (writer_header(W, &H) != 0)
		errx(1, "%s: no header", b.name);
	if (header_has_blobs(&H))
		put_blobs(W, K);
	for (uint32_t i = 0; i < (b.parts > 0 ? b.parts : 1); i++)
		put_segments(W, &H, i, K, &T);
	if (writer_finish(W, &H, &T) != 0)
		errx(1, "%s: no end", b.name);
	writer_free(W);
	close_volume(&b);
}

static void
streams(const char *dir)
{
	static const struct bundle bundles[] = {
		{ .name = "seed", .type = BUNDLE_SEED },
		{ .name = "sealed", .type = BUNDLE_DELTA, .cipher = RECORD_XCHACHA20POLY1305 },
		{ .name = "undo", .type = BUNDLE_UNDO },
		{ .name = "receipt", .type = BUNDLE_RECEIPT },
		{ .name = "request", .type = BUNDLE_REQUEST },
		{ .name = "repair", .type = BUNDLE_REPAIR },
		{ .name = "compare", .type = BUNDLE_COMPARE, .cipher = RECORD_XCHACHA20POLY1305 },
		{ .name = "combined", .type = BUNDLE_DELTA, .parts = 2 },
		{ .name = "volume", .type = BUNDLE_DELTA, .in_volumes = 1 },
		{ .name = "part", .type = BUNDLE_DELTA, .parts = 2, .in_volumes = 1 },
	};

	for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++) {
		struct bundle b = bundles[i];

		b.dir = dir;
		bundle(b);
	}
}

static void
keylists(const char *dir)
{
	static const unsigned sizes[] = { 1, 2, 3, 4, KEYLIST_KEYS };
	static uint8_t secrets[KEYLIST_KEYS * RECORD_SECRET];
	char text[KEYLIST_MAX], name[16];

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct keylist L = sample_keylist(sizes[i], secrets);

		snprintf(name, sizeof name, "of-%u", sizes[i]);
		put(dir, "keylist", name, text, keylist_encode(text, &L, secrets));
	}
}

static void
trusts(const char *dir)
{
	static uint8_t secrets[KEYLIST_KEYS * RECORD_SECRET];
	struct keylist L = sample_keylist(3, secrets);
	struct trust_entry e[2];
	struct trust T = { e, 2 };
	const char *why;
	char *text;

	memset(e, 0, sizeof e);
	e[0].card = e[1].card = sample_card();
	if (trust_take_keys(&e[0], &L, &why) != 0 || trust_revoke(&e[0], 1772366400) != 0)
		errx(1, "%s", why);
	strcpy(e[1].card.name, "hq 2");
	strcpy(e[1].vm, "web*");
	strcpy(e[1].store, "/srv/replicas");
	e[1].max_size = UINT64_C(2) << 40;
	if ((text = trust_encode(&T)) == NULL)
		errx(1, "no memory");
	put(dir, "trust", "two", text, strlen(text));
	free(text);
}

static void
changelists(const char *dir)
{
	static const char one[] = "\0# one disk\n0 4096\n0x10000 0x200 data\n\n  512 1\n";
	static const char three[] = "\2vda 0 65536\nvdb 4096 4096 zero\n7 0xfffff000 1000000\n";

	put(dir, "changelist", "one", one, sizeof one - 1);
	put(dir, "changelist", "three", three, sizeof three - 1);
}

/* The bytes of a file of ours but for the last cut ones, as a seed. */
static void
put_file(const char *dir, const char *target, const char *name, const char *path, size_t cut)
{
	size_t n;
	char *text = io_slurp(path, 1 << 20, &n);

	if (text == NULL)
		errx(1, "%s: cannot be read", path);
	put(dir, target, name, text, n - cut);
	free(text);
	unlink(path);
}

static void
changelogs(const char *dir)
{
	static const uint64_t leaves[5] = { 1, 2, UINT64_MAX, 0, 5 };
	char path[PATH_MAX];
	struct changelog *L;

	if (io_path(path, "%s/log", dir) != 0 || (L = changelog_create(path)) == NULL ||
	    changelog_add(L, 3, 5, leaves) != 0 || changelog_add(L, 10, 1000, NULL) != 0 ||
	    changelog_add(L, 1 << 20, 2, leaves) != 0 || changelog_commit(L) != 0)
		errx(1, "%s: cannot be written", path);
	put_file(dir, "changelog", "three", path, 8);
}

static void
replicas(const char *dir)
{
	static struct replica R = { .keep = 3, .ndisks = 2, .nexcluded = 1 };
	static struct replica_point points[2] = { { .point = { 1, 1, 1772366400, POINT_STANDARD } },
		{ .point = { 1, 2, 1772366401, POINT_APP }, .is_pinned = 1 } };
	static struct replica_staged staged[1] = { { .from = { 1, 2, 1772366401, POINT_APP },
	    .to = { 1, 3, 1772366402, POINT_FINAL } } };
	char path[PATH_MAX];

	role_begin(&R.role, ROLE_REPLICA, ROLE_REPLICATING);
	R.wishes.level = HEADER_LEVEL_DEFAULT;
	strcpy(R.host, "none");
	strcpy(R.vm, "web1");
	strcpy(R.uuid, "0c5d9a34-7a1f-4a55-9d3c-3f6a2b1e0d77");
	strcpy(R.primary, "site-a");
	strcpy(R.disks[0], "vda");
	strcpy(R.disks[1], "vdb");
	strcpy(R.excluded[0].id, "swap");
	R.excluded[0].size = 4096;
	R.points = points;
	R.npoints = 2;
	R.staged = staged;
	R.nstaged = 1;
	for (R.merging = 0; R.merging < 2; R.merging++) {
		if (io_path(path, "%s/state.tmp", dir) != 0 || replica_record_write(path, &R) != 0)
			errx(1, "%s: cannot be written", path);
		put_file(dir, "state", R.merging ? "merging" : "replica", path, 22);
	}
	/* Every text as long as it may be. */
	memset(R.vm, 'v', LIMIT_NAME);
	memset(R.primary, 'p', LIMIT_NAME);
	memset(R.role.cause, 'c', ROLE_CAUSE - 1);
	memset(R.disks[0], 'd', LIMIT_DISK_ID);
	memset(R.excluded[0].id, 'x', LIMIT_DISK_ID);
	if (replica_record_write(path, &R) != 0)
		errx(1, "%s: cannot be written", path);
	put_file(dir, "state", "long", path, 22);
}

static void
primaries(const char *dir)
{
	static struct primary P = { .keep = 3, .ndisks = 2, .nreplicated = 1, .ntargets = 1 };
	static struct primary_point points[1] = { { .point = { 1, 1, 1772366400, POINT_STANDARD } } };
	char path[PATH_MAX];

	role_begin(&P.role, ROLE_PRIMARY, ROLE_REPLICATING);
	P.wishes.level = HEADER_LEVEL_DEFAULT;
	strcpy(P.host, "none");
	strcpy(P.vm, "web1");
	strcpy(P.uuid, "0c5d9a34-7a1f-4a55-9d3c-3f6a2b1e0d77");
	strcpy(P.disks[0].id, "vda");
	strcpy(P.disks[0].where, "/srv/vda.img");
	strcpy(P.disks[1].id, "swap");
	P.disks[1].is_excluded = 1;
	strcpy(P.targets[0].name, "dr");
	P.points = points;
	P.npoints = 1;
	if (io_path(path, "%s/state.tmp", dir) != 0 || primary_record_write(path, &P) != 0)
		errx(1, "%s: cannot be written", path);
	put_file(dir, "state", "primary", path, 22);
}

static void
custody(const char *dir)
{
	static const uint8_t id[RECORD_ID];
	struct custody C = {
		.time = 1772366400, .what = "import", .site = "dr", .result = "refused: cut short"
	};
	struct identity I = { .id = "0123456789abcdef", .label = "Stick 7", .made = 1772366400 };
	char line[CUSTODY_LINE], text[IDENTITY_MAX];

	put(dir, "custody", "signed", line, custody_encode(line, &C, id, secret));
	put(dir, "custody", "unsigned", line, custody_encode(line, &C, id, NULL));
	put(dir, "custody", "identity", text, identity_encode(text, &I));
	put(dir, "custody", "name", "web1-delta-41-43.1a2b3c4d.001.vmf", 33);
	put(dir, "custody", "beside", "web1-delta-41-43.1a2b3c4d.b2.minisig", 36);
}

/* A byte that says which message it is, and the message. */
static void
sessions(const char *dir)
{
	static uint8_t m[1 + SESSION_BODY];
	struct session_ask a = sample_ask();
	struct session_have h = sample_have();
	struct session_answer r = sample_session_answer();

	put(dir, "session", "ask", m, 1 + session_encode_ask(m + 1, &a));
	a.verb = SESSION_FETCH;
	a.uuid[0] = '\0';
	put(dir, "session", "fetch", m, 1 + session_encode_ask(m + 1, &a));
	m[0] = 1;
	put(dir, "session", "have", m, 1 + session_encode_have(m + 1, &h));
	h.position[0] = h.text[0] = '\0';
	put(dir, "session", "nothing", m, 1 + session_encode_have(m + 1, &h));
	m[0] = 2;
	put(dir, "session", "answer", m, 1 + session_encode_answer(m + 1, &r));
}

int
main(int argc, char *argv[])
{
	uint8_t key[RECORD_KEY];
	char card[CARD_MAX];
	struct card C;

	if (argc != 2 || sodium_init() < 0)
		errx(2, "usage: corpus DIR");
	sample_keys(key, secret, 1);
	C = sample_card();
	records(argv[1]);
	chains(argv[1]);
	extents(argv[1]);
	headers(argv[1]);
	names(argv[1]);
	segments(argv[1]);
	streams(argv[1]);
	keylists(argv[1]);
	trusts(argv[1]);
	changelists(argv[1]);
	changelogs(argv[1]);
	replicas(argv[1]);
	primaries(argv[1]);
	custody(argv[1]);
	sessions(argv[1]);
	put(argv[1], "card", "site-a", card, card_encode(card, &C, secret));
	return (0);
}
