#include "bundle/proof.h"

#include <sodium.h>
#include <string.h>

void
proof_set_header(struct proof *P, const struct member *header)
{
	memcpy(P->header_record, header->raw, RECORD_SIZE);
	memcpy(P->header_text, header->payload, (size_t)header->record.stored);
	P->header_size = (size_t)header->record.stored;
	P->n = PROOF_BLOBS - 2;
}

void
proof_set_end(struct proof *P, const struct member *end)
{
	memcpy(P->end_record, end->raw, RECORD_SIZE);
	memcpy(P->end_text, end->payload, (size_t)end->record.stored);
	P->end_size = (size_t)end->record.stored;
	P->n = PROOF_BLOBS;
}

const char *
proof_take(struct proof *P, const struct record *R, const uint8_t *payload)
{
	uint8_t *to[PROOF_BLOBS] = { P->header_record, P->header_text, P->end_record, P->end_text };
	size_t n = (size_t)R->stored;
	int is_record = P->n % 2 == 0;

	if (P->n >= PROOF_BLOBS)
		return ("a combined delta has more blobs than its proof takes");
	if (R->codec != RECORD_RAW || R->cipher != RECORD_CLEAR || R->plain != R->stored ||
	    (is_record ? n != RECORD_SIZE : n > LIMIT_JSON))
		return ("the proof of a combined delta is not one");
	memcpy(to[P->n], payload, n);
	if (P->n == 1)
		P->header_size = n;
	if (P->n == 3)
		P->end_size = n;
	P->n++;
	return (NULL);
}

const uint8_t *
proof_key(const struct proof *P)
{
	return (record_claimed_key(P->header_record));
}

/* A record of that type, with the text that it was signed for. */
static const char *
check_record(struct record *R, const uint8_t rec[RECORD_SIZE], const uint8_t key[RECORD_KEY],
    enum record_type type, const uint8_t *text, size_t n)
{
	static const char not_one[] = "the proof of a combined delta is not what a primary signed";
	uint8_t digest[RECORD_DIGEST];

	if (record_unpack(R, rec, key) != NULL || R->type != type || R->stored != n)
		return (not_one);
	crypto_generichash(digest, RECORD_DIGEST, text, n, NULL, 0);
	return (memcmp(digest, R->digest, RECORD_DIGEST) == 0 ? NULL : not_one);
}

static int
points_differ(const struct point *a, const struct point *b)
{
	return (a->epoch != b->epoch || a->seq != b->seq || a->time != b->time || a->kind != b->kind);
}

static int
disks_differ(const struct header *a, const struct header *b)
{
	if (a->ndisks != b->ndisks || a->nexcluded != b->nexcluded)
		return (1);
	for (unsigned i = 0; i < a->ndisks; i++)
		if (strcmp(a->disks[i].id, b->disks[i].id) != 0 || a->disks[i].size != b->disks[i].size)
			return (1);
	for (unsigned i = 0; i < a->nexcluded; i++)
		if (strcmp(a->excluded[i].id, b->excluded[i].id) != 0 ||
		    a->excluded[i].size != b->excluded[i].size)
			return (1);
	return (0);
}

/* What whoever combines may not choose. */
static const char *
compare(const struct header *of, const struct header *H)
{
	if (of->type != BUNDLE_DELTA || of->nparts != 0)
		return ("the proof of a combined delta is that of another kind of bundle");
	if (memcmp(of->lineage, H->lineage, RECORD_ID) != 0 || strcmp(of->uuid, H->uuid) != 0 ||
	    strcmp(of->vm, H->vm) != 0)
		return ("the proof of a combined delta is that of another VM or lineage");
	if (points_differ(&of->to, &H->to) || of->from.seq < H->from.seq || of->from.epoch != H->from.epoch)
		return ("the proof of a combined delta is that of other points");
	if (disks_differ(of, H) || of->keep != H->keep)
		return ("the proof of a combined delta is that of other disks");
	if (of->definition.is_known != H->definition.is_known ||
	    memcmp(of->definition.digest, H->definition.digest, HEADER_DIGEST) != 0)
		return ("the proof of a combined delta is that of another definition of the VM");
	return (NULL);
}

const char *
proof_check(struct proof *P, const uint8_t key[RECORD_KEY], const struct header *H)
{
	struct record h, e;
	const char *why;

	if (P->n != PROOF_BLOBS)
		return ("a combined delta comes without its proof");
	if ((why = check_record(&h, P->header_record, key, RECORD_HEADER, P->header_text, P->header_size)) !=
	        NULL ||
	    (why = check_record(&e, P->end_record, key, RECORD_END, P->end_text, P->end_size)) != NULL ||
	    (why = header_decode(&P->header, (const char *)P->header_text, P->header_size)) != NULL ||
	    (why = trailer_decode(&P->trailer, &P->header, (const char *)P->end_text, P->end_size)) != NULL)
		return (why);
	if (memcmp(h.bundle, e.bundle, RECORD_ID) != 0 || memcmp(h.bundle, P->header.id, RECORD_ID) != 0)
		return ("the proof of a combined delta is put together from two bundles");
	return (compare(&P->header, H));
}

const char *
proof_check_end(const struct proof *P, const struct trailer *T)
{
	if (T->ndisks != P->trailer.ndisks)
		return ("a combined delta leads to other roots than its primary signed");
	for (unsigned i = 0; i < T->ndisks; i++)
		if (memcmp(T->root[i], P->trailer.root[i], LEAF_ROOT) != 0)
			return ("a combined delta leads to other roots than its primary signed");
	return (NULL);
}

int
proof_write(const struct proof *P, struct writer *W)
{
	const uint8_t *from[PROOF_BLOBS] = { P->header_record, P->header_text, P->end_record, P->end_text };
	size_t sizes[PROOF_BLOBS] = { RECORD_SIZE, P->header_size, RECORD_SIZE, P->end_size };

	for (unsigned i = 0; i < PROOF_BLOBS; i++) {
		struct record R = { .codec = RECORD_RAW, .plain = sizes[i], .stored = sizes[i] };

		crypto_generichash(R.digest, RECORD_DIGEST, from[i], sizes[i], NULL, 0);
		if (writer_blob(W, &R, from[i]) != 0)
			return (-1);
	}
	return (0);
}
