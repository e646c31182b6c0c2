#include "bundle/digests.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "wire.h"

#define HEAD 8u
#define PLAIN (HEAD + 8u * (size_t)GROUPS_BATCH)

struct digests {
	struct segment_crypt crypt;
	struct segment_coder *coder;
	uint8_t *plain; /* PLAIN bytes */
	struct member
	    member; /* its payload: LIMIT_STORED bytes, which segment_bound(PLAIN) is not more than */
};

struct digests *
digests_new(const struct segment_crypt *K)
{
	struct digests *D = calloc(1, sizeof *D);

	if (D == NULL || (D->plain = malloc(PLAIN)) == NULL ||
	    (D->member.payload = malloc(LIMIT_STORED)) == NULL) {
		say_failed("out of memory");
		digests_free(D);
		return (NULL);
	}
	if ((D->coder = segment_coder_new(SEGMENT_DEFAULT)) == NULL) {
		digests_free(D);
		return (NULL);
	}
	D->crypt = *K;
	return (D);
}

void
digests_free(struct digests *D)
{
	if (D == NULL)
		return;
	segment_coder_free(D->coder);
	free(D->plain);
	free(D->member.payload);
	sodium_memzero(&D->crypt, sizeof D->crypt);
	free(D);
}

int
digests_write(struct digests *D, struct writer *W, uint32_t disk, size_t n, const uint64_t *digests)
{
	struct record R = { .type = RECORD_BLOB };

	wire_put32(D->plain, disk);
	wire_put32(D->plain + 4, 0);
	for (size_t i = 0; i < n; i++)
		wire_put64(D->plain + HEAD + 8 * i, digests[i]);
	if (segment_encode(D->coder, &D->crypt, D->plain, HEAD + 8 * n, D->member.payload, &R) != 0)
		return (-1);
	return (writer_blob(W, &R, D->member.payload));
}

int
digests_read(struct digests *D, struct reader *R, uint32_t disk, size_t n, uint64_t *digests)
{
	struct member *m = &D->member;
	const char *why;
	int rc;

	do
		if ((rc = reader_next(R, m)) != 0)
			return (rc);
	while (m->record.type == RECORD_VOLUME);
	if (m->record.type != RECORD_BLOB)
		return (reader_refuse(R, &m->record, "the digests of a disk are missing"));
	if ((why = segment_open(D->coder, &D->crypt, &m->record, m->payload, D->plain, PLAIN)) != NULL)
		return (reader_refuse(R, &m->record, why));
	if (m->record.plain != HEAD + 8 * n || wire_get32(D->plain) != disk || wire_get32(D->plain + 4) != 0)
		return (
		    reader_refuse(R, &m->record, "its digests are not those of the header's disks in order"));
	for (size_t i = 0; i < n; i++)
		digests[i] = wire_get64(D->plain + HEAD + 8 * i);
	return (0);
}

int
digests_end(struct digests *D, struct reader *R)
{
	struct member *m = &D->member;
	int rc;

	do {
		if ((rc = reader_next(R, m)) != 0)
			return (rc);
		if (m->record.type == RECORD_BLOB)
			return (reader_refuse(R, &m->record, "it has more digests than its disks"));
		if (m->record.type == RECORD_VOLUME_END)
			return (reader_refuse(R, &m->record, "a compare bundle has one volume"));
	} while (m->record.type != RECORD_END);
	return (0);
}
