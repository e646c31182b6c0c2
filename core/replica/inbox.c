#include "replica/inbox.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "replica/combined.h"

static void
close_volume(struct inbox *b)
{
	reader_free(b->reader);
	b->reader = NULL;
	io_close(b->fd);
	b->fd = -1;
}

/* Open the file and read its header, which signer has signed; NULL: this very site, with whatever key it had then. */
static int
open_file(struct inbox *b, const char *path, const uint8_t *signer)
{
	uint8_t key[RECORD_KEY];
	int rc;

	close_volume(b);
	if ((b->fd = io_open_read(path)) < 0 || (b->reader = reader_new(b->fd, path)) == NULL ||
	    io_size(b->fd, path, &b->U.total) != 0)
		return (-1);
	if ((rc = reader_start(b->reader, key)) != 0)
		return (rc);
	if (signer == NULL ? !site_is_own_key(b->S, key) : memcmp(key, signer, RECORD_KEY) != 0)
		return (reader_refuse(
		    b->reader, NULL, "it is signed with another key than when it was put here"));
	if ((rc = reader_header(b->reader, &b->member, &b->header)) != 0)
		return (rc);
	b->U.reader = b->reader;
	b->U.header = b->header;
	b->is_fresh = 1;
	return (0);
}

static int
open_volume(struct inbox *b, uint32_t number)
{
	char path[PATH_MAX];
	int rc;

	if (replica_inbox_path(b->R, b->staged->id, number, path) != 0)
		return (-1);
	if ((rc = open_file(b, path, b->staged->key)) != 0)
		return (rc);
	b->volume = number;
	if (memcmp(b->member.record.bundle, b->staged->id, RECORD_ID) != 0)
		return (reader_refuse(b->reader, NULL, "it is not the bundle that the record names"));
	return (0);
}

static int
begin(struct inbox *b, const struct replica *R, const struct site *S, const struct replica_staged *s)
{
	memset(b, 0, sizeof *b);
	b->R = R;
	b->S = S;
	b->staged = s;
	b->fd = -1;
	if ((b->member.payload = malloc(LIMIT_JSON)) == NULL)
		return (say_failed("out of memory"));
	return (0);
}

/* The keys to it. */
static int
make_ready(struct inbox *b)
{
	uint8_t leaf_seed[LEAF_SEED];
	const char *why = NULL;

	b->U.crypt.cipher = b->header->cipher;
	memcpy(b->U.crypt.bundle, b->header->id, RECORD_ID);
	b->U.decode = 1;
	b->U.secret = &b->R->secret;
	if (!replica_has_disks_of(b->R, b->header) || (b->staged == NULL && b->header->ndisks > b->R->ndisks))
		return (reader_refuse(b->reader, NULL, "it is not the bundle that the record names"));
	if (b->staged != NULL)
		why = site_unseal(b->S, b->header, b->U.crypt.key, leaf_seed);
	if (why == NULL)
		why = combined_unseal(b->S, b->header, b->parts, &b->U);
	sodium_memzero(leaf_seed, sizeof leaf_seed);
	return (why == NULL ? 0 : reader_refuse(b->reader, NULL, why));
}

int
inbox_open(struct inbox *b, const struct replica *R, const struct site *S, const struct replica_staged *s)
{
	int rc = begin(b, R, S, s);

	if (rc == 0 && (rc = open_volume(b, 1)) == 0)
		rc = make_ready(b);
	return (rc);
}

int
inbox_open_undo(struct inbox *b, const struct replica *R, const struct site *S, const struct point *to)
{
	char path[PATH_MAX];
	int rc = begin(b, R, S, NULL);

	if (rc != 0 || replica_undo_path(R, to, path) != 0)
		return (-1);
	if ((rc = open_file(b, path, NULL)) == 0 &&
	    (b->header->type != BUNDLE_UNDO || b->header->to.seq != to->seq))
		rc = reader_refuse(b->reader, NULL, "it is not the undo that the record names");
	return (rc == 0 ? make_ready(b) : rc);
}

int
inbox_open_part(
    struct inbox *b, const struct replica *R, const struct site *S, const struct replica_staged *s)
{
	char path[PATH_MAX];
	int rc = begin(b, R, S, s);

	if (rc != 0 || replica_part_path(R, s->id, s->cut, path) != 0)
		return (-1);
	return ((rc = open_file(b, path, s->key)) == 0 ? make_ready(b) : rc);
}

/* Each volume by itself was right; what they say together must be what was found when they came in. */
static int
check_whole(struct inbox *b)
{
	b->end = *reader_trailer(b->reader);
	if (b->end.data != b->U.data || b->end.zero != b->U.zero)
		return (reader_refuse(b->reader, NULL, "the end counts other bytes than there are"));
	return (0);
}

static int
run_volume(struct inbox *b)
{
	const struct chain_volume *want = &b->staged->volumes[b->volume - 1].chain;
	int rc;

	b->is_fresh = 0;
	rc = unpack_run(&b->U);
	if (rc == 0 && memcmp(reader_volume(b->reader)->end, want->end, RECORD_DIGEST) != 0)
		rc = reader_refuse(b->reader, NULL, "it is not the volume that the record names");
	return (rc);
}

int
inbox_run(
    struct inbox *b, void *context, int (*take)(void *context, const struct unpacked *u), const char *what)
{
	int rc = 0;

	b->U.context = context;
	b->U.take = take;
	b->U.what = what;
	b->U.data = b->U.zero = 0;
	if (b->staged == NULL)
		rc = unpack_run(&b->U);
	for (uint32_t i = 1; rc == 0 && b->staged != NULL && i <= b->staged->nvolumes; i++)
		if ((b->volume == i && b->is_fresh) || (rc = open_volume(b, i)) == 0)
			rc = run_volume(b);
	return (rc == 0 ? check_whole(b) : rc);
}

void
inbox_close(struct inbox *b)
{
	close_volume(b);
	free(b->member.payload);
	sodium_memzero(&b->U.crypt, sizeof b->U.crypt);
	sodium_memzero(b->parts, sizeof b->parts);
}
