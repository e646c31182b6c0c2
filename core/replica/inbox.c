#include "replica/inbox.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"

/* Was it signed by the primary, with whatever key it had then?  It was judged when it came in. */
static int
is_primary_key(const struct site *S, const struct replica *R, const uint8_t key[RECORD_KEY])
{
	const struct trust_entry *e;

	if (memcmp(key, R->key, RECORD_KEY) == 0)
		return (1);
	return ((e = trust_by_key(site_trust(S), R->key)) != NULL && trust_has_key(e, key));
}

/* Open the file and read its header, which the primary must have signed, or, an undo, this very site. */
static int
open_signed(
    struct inbox *b, const char *path, const struct replica *R, const struct site *S, enum bundle_type type)
{
	uint8_t key[RECORD_KEY];
	int rc;

	if ((b->fd = io_open_read(path)) < 0 || (b->reader = reader_new(b->fd, path)) == NULL ||
	    io_size(b->fd, path, &b->U.total) != 0)
		return (-1);
	if ((b->member.payload = malloc(LIMIT_JSON)) == NULL)
		return (say_failed("out of memory"));
	if ((rc = reader_start(b->reader, key)) != 0)
		return (rc);
	if (type == BUNDLE_UNDO ? !site_is_own_key(S, key) : !is_primary_key(S, R, key))
		return (reader_refuse(
		    b->reader, NULL, "it is signed with another key than when it was put here"));
	return (reader_header(b->reader, &b->member, &b->header));
}

static void
make_ready(struct inbox *b, const struct replica *R)
{
	b->U.reader = b->reader;
	b->U.header = b->header;
	b->U.crypt.cipher = b->header->cipher;
	memcpy(b->U.crypt.bundle, b->header->id, RECORD_ID);
	b->U.decode = 1;
	b->U.secret = &R->secret;
}

int
inbox_open(struct inbox *b, const struct replica *R, const struct site *S, const struct point *to)
{
	uint8_t leaf_seed[LEAF_SEED];
	char path[PATH_MAX];
	const char *why;
	int rc;

	memset(b, 0, sizeof *b);
	b->fd = -1;
	if (replica_inbox_path(R, to, path) != 0)
		return (-1);
	if ((rc = open_signed(b, path, R, S, BUNDLE_DELTA)) != 0)
		return (rc);
	make_ready(b, R);
	if ((why = site_unseal(S, b->header, b->U.crypt.key, leaf_seed)) != NULL)
		rc = reader_refuse(b->reader, NULL, why);
	sodium_memzero(leaf_seed, sizeof leaf_seed);
	if (rc == 0 && (b->header->ndisks != R->ndisks || b->header->to.seq != to->seq))
		rc = reader_refuse(b->reader, NULL, "it is not the bundle that the record names");
	return (rc);
}

int
inbox_open_undo(struct inbox *b, const struct replica *R, const struct site *S, const struct point *to)
{
	char path[PATH_MAX];
	int rc;

	memset(b, 0, sizeof *b);
	b->fd = -1;
	if (replica_undo_path(R, to, path) != 0)
		return (-1);
	if ((rc = open_signed(b, path, R, S, BUNDLE_UNDO)) != 0)
		return (rc);
	make_ready(b, R);
	if (b->header->type != BUNDLE_UNDO || b->header->ndisks != R->ndisks || b->header->to.seq != to->seq)
		rc = reader_refuse(b->reader, NULL, "it is not the undo that the record names");
	return (rc);
}

void
inbox_close(struct inbox *b)
{
	reader_free(b->reader);
	free(b->member.payload);
	io_close(b->fd);
	sodium_memzero(&b->U.crypt, sizeof b->U.crypt);
}
