/*
 * Makes compare bundles that are wrong in one thing each, signed by the site that may make them:
 *
 *    compared HOME CARD DIR
 *
 * HOME is the replica's site, CARD the primary's.  There is one good bundle, DIR/good.vmf, from which the others
 * differ; their names are printed.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "bundle/outfile.h"
#include "bundle/segment.h"
#include "bundle/writer.h"
#include "replica/replica.h"
#include "site/site.h"
#include "wire.h"

#define ROOM (8u + 8u * (1u << 17) + 64u)

/* One blob as it is to be. */
struct blob {
	uint32_t disk, zero;
	size_t n;    /* digests */
	size_t more; /* bytes behind them */
	int is_clear, is_foreign, is_damaged;
	uint64_t plain; /* what the record says it has; 0: the truth */
};

struct recipe {
	const char *name;
	void (*header)(struct header *H);
	unsigned nblobs;
	struct blob blobs[4];
	int is_sealed_to_self, has_other_seed, has_end_missing;
};

static void
other_vm(struct header *H)
{
	memset(H->uuid, '1', 8);
}

static void
other_lineage(struct header *H)
{
	H->lineage[0] ^= 1;
}

static void
other_epoch(struct header *H)
{
	H->from.epoch = ++H->to.epoch;
}

static void
other_disk(struct header *H)
{
	strcpy(H->disks[1].id, "vdz");
}

static void
other_disks(struct header *H)
{
	strcpy(H->disks[0].id, "vdy");
	strcpy(H->disks[1].id, "vdz");
}

static void
one_disk(struct header *H)
{
	H->ndisks = 1;
}

static void
same_disks(struct header *H)
{
	strcpy(H->disks[1].id, H->disks[0].id);
}

static void
points_differ(struct header *H)
{
	H->to.seq++;
}

static void
no_from(struct header *H)
{
	H->from.seq = 0;
}

static void
no_to(struct header *H)
{
	H->to.seq = 0;
}

static void
huge(struct header *H)
{
	H->disks[0].size = H->disks[0].before_size = LIMIT_DISK_SIZE;
}

static void
odd_size(struct header *H)
{
	H->disks[0].size++;
}

static void
adopted_of_another(struct header *H)
{
	H->from.seq = H->to.seq = 0;
	strcpy(H->vm, "db1");
}

static void
an_undo(struct header *H)
{
	H->type = BUNDLE_UNDO;
	H->from.seq++;
}

/* The disks of the test: 4 MiB, and 1 MiB with 512 bytes. */
#define A                          \
	{                          \
		.disk = 0, .n = 64 \
	}
#define B                          \
	{                          \
		.disk = 1, .n = 17 \
	}

static const struct recipe recipes[] = {
	{ "good", NULL, 2, { A, B }, 0, 0, 0 },
	{ "blobs-none", NULL, 0, { A }, 0, 0, 0 },
	{ "blobs-first-missing", NULL, 1, { B }, 0, 0, 0 },
	{ "blobs-last-missing", NULL, 1, { A }, 0, 0, 0 },
	{ "blobs-one-more", NULL, 3, { A, B, B }, 0, 0, 0 },
	{ "blobs-of-no-disk-more", NULL, 3, { A, B, { .disk = 2, .n = 1 } }, 0, 0, 0 },
	{ "blobs-swapped", NULL, 2, { B, A }, 0, 0, 0 },
	{ "blob-of-no-disk", NULL, 2, { { .disk = 7, .n = 64 }, B }, 0, 0, 0 },
	{ "blob-of-disk-with-high-bits", NULL, 2, { { .disk = 1u << 31, .n = 64 }, B }, 0, 0, 0 },
	{ "blob-zero-in-use", NULL, 2, { { .zero = 1, .n = 64 }, B }, 0, 0, 0 },
	{ "blob-empty", NULL, 2, { { .n = 0 }, B }, 0, 0, 0 },
	{ "blob-short-by-one", NULL, 2, { { .n = 63 }, B }, 0, 0, 0 },
	{ "blob-long-by-one", NULL, 2, { { .n = 65 }, B }, 0, 0, 0 },
	{ "blob-in-two", NULL, 3, { { .n = 32 }, { .n = 32 }, B }, 0, 0, 0 },
	{ "blob-full", NULL, 2, { { .n = 1u << 17 }, B }, 0, 0, 0 },
	{ "blob-with-a-byte-more", NULL, 2, { { .n = 64, .more = 1 }, B }, 0, 0, 0 },
	{ "blob-clear", NULL, 2, { { .n = 64, .is_clear = 1 }, B }, 0, 0, 0 },
	{ "blob-with-another-key", NULL, 2, { { .n = 64, .is_foreign = 1 }, B }, 0, 0, 0 },
	{ "blob-damaged", NULL, 2, { { .n = 64, .is_damaged = 1 }, B }, 0, 0, 0 },
	{ "blob-says-it-is-larger", NULL, 2, { { .n = 64, .plain = 8 + 8 * 64 + 1 }, B }, 0, 0, 0 },
	{ "blob-says-it-is-huge", NULL, 2, { { .n = 64, .plain = LIMIT_STORED }, B }, 0, 0, 0 },
	{ "blob-says-it-is-nothing", NULL, 2, { { .n = 64, .plain = 1 }, B }, 0, 0, 0 },
	{ "vm-of-another-uuid", other_vm, 2, { A, B }, 0, 0, 0 },
	{ "vm-of-another-lineage", other_lineage, 2, { A, B }, 0, 0, 0 },
	{ "vm-of-another-epoch", other_epoch, 2, { A, B }, 0, 0, 0 },
	{ "vm-adopted-of-another-name", adopted_of_another, 2, { A, B }, 0, 0, 0 },
	{ "disk-unknown", other_disk, 2, { A, B }, 0, 0, 0 },
	{ "disks-unknown", other_disks, 2, { A, B }, 0, 0, 0 },
	{ "disk-missing", one_disk, 1, { A }, 0, 0, 0 },
	{ "disk-twice", same_disks, 2, { A, { .disk = 1, .n = 64 } }, 0, 0, 0 },
	{ "disk-of-64-TiB-without-digests", huge, 2, { A, B }, 0, 0, 0 },
	{ "disk-of-64-TiB-and-one-blob", huge, 1, { { .n = 1u << 17 } }, 0, 0, 0 },
	{ "disk-size-odd", odd_size, 2, { A, B }, 0, 0, 0 },
	{ "points-that-differ", points_differ, 2, { A, B }, 0, 0, 0 },
	{ "points-without-from", no_from, 2, { A, B }, 0, 0, 0 },
	{ "points-without-to", no_to, 2, { A, B }, 0, 0, 0 },
	{ "type-undo", an_undo, 0, { A }, 0, 0, 0 },
	{ "sealed-to-another", NULL, 2, { A, B }, 1, 0, 0 },
	{ "seed-of-another-lineage", NULL, 2, { A, B }, 0, 1, 0 },
	{ "end-missing", NULL, 2, { A, B }, 0, 0, 1 },
};

static const struct site *site;
static struct card primary;
static const struct replica *replica;

static void
die(const char *what)
{
	fprintf(stderr, "compared: %s\n", what);
	exit(3);
}

static void
make_header(const struct recipe *r, struct header *H, struct segment_crypt *K)
{
	const struct replica_point *last = replica_last(replica);
	uint8_t seed[LEAF_SEED];

	memset(H, 0, sizeof *H);
	H->type = BUNDLE_COMPARE;
	randombytes_buf(H->id, RECORD_ID);
	memcpy(H->lineage, replica->lineage, RECORD_ID);
	strcpy(H->uuid, replica->uuid);
	strcpy(H->vm, replica->vm);
	strcpy(H->signer, site_card(site)->name);
	H->created = last->point.time;
	H->from = H->to = last->point;
	H->keep = 1;
	H->cipher = RECORD_XCHACHA20POLY1305;
	H->ndisks = replica->ndisks;
	for (unsigned i = 0; i < H->ndisks; i++) {
		strcpy(H->disks[i].id, replica->disks[i]);
		H->disks[i].size = H->disks[i].before_size = last->disks[i].size;
		memcpy(H->disks[i].before, last->disks[i].root, LEAF_ROOT);
	}
	if (r->header != NULL)
		r->header(H);
	K->cipher = H->cipher;
	memcpy(K->bundle, H->id, RECORD_ID);
	randombytes_buf(K->key, sizeof K->key);
	memcpy(seed, replica->leaf_seed, LEAF_SEED);
	seed[0] ^= (uint8_t)r->has_other_seed;
	H->ntargets = 1;
	memcpy(H->targets[0].key, r->is_sealed_to_self ? site_card(site)->sign : primary.sign, RECORD_KEY);
	site_seal(r->is_sealed_to_self ? site_card(site) : &primary, K->key, seed, H->targets[0].seal);
}

static void
put_blob(struct writer *W, const struct blob *b, struct segment_crypt K)
{
	struct segment_coder *C = segment_coder_new(SEGMENT_DEFAULT);
	uint8_t *plain = calloc(1, ROOM), *out = malloc(segment_bound(ROOM));
	struct record R = { .type = RECORD_BLOB };

	if (C == NULL || plain == NULL || out == NULL)
		die("no memory");
	if (b->is_clear)
		K.cipher = RECORD_CLEAR;
	K.key[0] ^= (uint8_t)b->is_foreign;
	wire_put32(plain, b->disk);
	wire_put32(plain + 4, b->zero);
	for (size_t i = 0; i < b->n; i++)
		wire_put64(plain + 8 + 8 * i, i);
	if (segment_encode(C, &K, plain, 8 + 8 * b->n + b->more, out, &R) != 0)
		die("cannot encode");
	if (b->plain != 0)
		R.plain = b->plain;
	out[R.stored / 2] ^= (uint8_t)b->is_damaged;
	if (writer_blob(W, &R, out) != 0)
		die("cannot write a blob");
	segment_coder_free(C);
	free(plain);
	free(out);
}

static void
make(const struct recipe *r, const char *dir)
{
	struct header *H = malloc(sizeof *H);
	struct trailer T = { .ndisks = 0 };
	struct segment_crypt K;
	struct outfile *F;
	struct writer *W;
	char path[PATH_MAX];

	if (H == NULL || io_path(path, "%s/%s.vmf", dir, r->name) != 0 || outfile_create(&F, path) != 0 ||
	    (W = writer_new(F, dir, site_secret(site))) == NULL)
		die("cannot begin");
	make_header(r, H, &K);
	if (writer_header(W, H) != 0)
		die("cannot write the header");
	for (unsigned i = 0; i < r->nblobs; i++)
		put_blob(W, &r->blobs[i], K);
	if ((!r->has_end_missing && writer_finish(W, H, &T) != 0) || outfile_commit(F) != 0)
		die("cannot finish");
	writer_free(W);
	outfile_free(F);
	free(H);
	printf("%s\n", r->name);
}

static void
read_card(const char *path)
{
	size_t n;
	char *text = io_slurp(path, CARD_MAX, &n);

	if (text == NULL || card_decode(&primary, text, n) != NULL)
		die("no card");
	free(text);
}

int
main(int argc, char *argv[])
{
	struct replica *R;
	struct site *S;

	say_init("compared");
	if (argc != 4 || (S = site_open(argv[1])) == NULL || replica_look_for(&R, S, "web1") != 0)
		die("usage: compared HOME CARD DIR");
	site = S;
	replica = R;
	read_card(argv[2]);
	for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
		make(&recipes[i], argv[3]);
	replica_close(R);
	site_close(S);
	return (say_exit(0));
}
