#include "replica/receive.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/writer.h"
#include "base/io.h"
#include "replica/disks.h"
#include "base/say.h"

/* --- may it come in? ---------------------------------------------------------------------------------- */

static int
check_size(const struct trust_entry *e, const struct header *H)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < H->ndisks; i++)
		size += H->disks[i].size;
	if (e->max_size != 0 && size > e->max_size)
		return (say_refused("%s: its disks have %" PRIu64 " bytes, more than the %" PRIu64
		                    " that site '%s' may store "
		                    "here; see 'vmferry trust add --max-size'",
		    H->vm, size, e->max_size, e->card.name));
	return (0);
}

/* Is the bundle one of this very history of this very VM? */
static int
check_identity(const struct replica *R, const struct trust_entry *e, const struct header *H)
{
	if (!trust_has_key(e, R->key))
		return (say_refused(
		    "%s: this VM was accepted from site '%s'; a bundle of site '%s' for it is not", H->vm,
		    R->primary, e->card.name));
	if (memcmp(R->lineage, H->lineage, RECORD_ID) != 0)
		return (say_refused(
		    "%s: the bundle is of another lineage than the replica: the VM was enabled anew at '%s'; "
		    "histories are not mixed without a person's word",
		    H->vm, R->primary));
	if (R->ndisks != H->ndisks)
		return (
		    say_refused("%s: the bundle has %u disks, the replica %u", H->vm, H->ndisks, R->ndisks));
	for (unsigned i = 0; i < H->ndisks; i++)
		if (strcmp(R->disks[i], H->disks[i].id) != 0)
			return (say_refused("%s: the bundle has a disk '%s' where the replica has '%s'",
			    H->vm, H->disks[i].id, R->disks[i]));
	return (0);
}

/* Where we hold the point that a delta starts from, our roots there must be the primary's. */
static int
check_base(const struct replica *R, const struct header *H)
{
	const struct replica_point *p = replica_point(R, H->from.seq);

	for (unsigned i = 0; p != NULL && i < H->ndisks; i++)
		if (memcmp(p->disks[i].root, H->disks[i].before, LEAF_ROOT) != 0 ||
		    p->disks[i].size != H->disks[i].before_size)
			return (say_refused("%s: at point %" PRIu64
			                    ", disk %s is not here what it was at '%s': the histories "
			                    "have parted; ask for a seed",
			    H->vm, H->from.seq, H->disks[i].id, R->primary));
	return (0);
}

/* Does it continue what is held?  0: yes; 2: it is here already; 1, said: no. */
static int
check_fit(const struct replica *R, const struct header *H)
{
	struct point held = replica_held(R);

	if (held.seq != 0 && H->to.epoch != held.epoch)
		return (say_refused("%s: the bundle is of epoch %" PRIu64 ", the replica of epoch %" PRIu64,
		    H->vm, H->to.epoch, held.epoch));
	if (held.seq != 0 && H->to.seq <= held.seq)
		return (2);
	if (H->type == BUNDLE_SEED)
		return (0);
	if (held.seq == 0)
		return (
		    say_refused("%s: the replica waits for its seed, and this is a delta from point %" PRIu64,
		        H->vm, H->from.seq));
	if (H->from.seq > held.seq)
		return (say_refused("%s: the delta starts at point %" PRIu64
		                    ", but the replica is at point %" PRIu64 "; bring "
		                    "what lies between, or export it with --since %" PRIu64,
		    H->vm, H->from.seq, held.seq, held.seq));
	if (R->nstaged >= REPLICA_STAGED)
		return (say_refused("%s: the inbox is full; run 'vmferry merge'", H->vm));
	return (check_base(R, H));
}

static int
check_space(const struct replica *R, const struct header *H)
{
	uint64_t bytes, need = H->most;

	/* A delta goes to the inbox, and what it replaces into an undo. */
	if (replica_last(R) != NULL && H->keep > 1)
		need *= 2;
	if (io_free(R->dir, &bytes) != 0)
		return (-1);
	if (bytes < need)
		return (say_failed("%s: %" PRIu64 " bytes are free, and up to %" PRIu64
		                   " may be needed; free some space and "
		                   "run the command again",
		    R->dir, bytes, need));
	return (0);
}

/* --- a seed into a placeholder ------------------------------------------------------------------------ */

struct seeding {
	struct replica *R;
	const struct header *H;
	struct reader *reader;
	struct disks disks;
	struct leaf_sum sums[LIMIT_DISKS];
	unsigned disk; /* the seed was whole up to this disk */
	uint64_t end;  /* and this offset in it */
};

/* A seed covers every byte of every disk, in order. */
static const char *
cover(struct seeding *s, const struct unpacked *u)
{
	while (s->disk < u->member.record.disk) {
		if (s->end != s->H->disks[s->disk].size)
			return ("the seed leaves a part of a disk out");
		s->disk++;
		s->end = 0;
	}
	for (uint32_t i = 0; i < u->member.record.extents; i++) {
		if (u->extents[i].offset != s->end)
			return ("the seed leaves a part of a disk out");
		s->end += u->extents[i].length;
	}
	return (NULL);
}

static int
take_seed(void *context, const struct unpacked *u)
{
	struct seeding *s = context;
	const struct record *r = &u->member.record;
	const char *why;

	if (r->type == RECORD_END && (s->disk + 1 != s->H->ndisks || s->end != s->H->disks[s->disk].size))
		return (reader_refuse(s->reader, NULL, "the seed leaves a part of a disk out"));
	if (r->type != RECORD_SEGMENT)
		return (0);
	if ((why = cover(s, u)) != NULL)
		return (reader_refuse(s->reader, r, why));
	if (disks_sum(s->disks.leaves[r->disk], &s->R->secret, u, &s->sums[r->disk], NULL) != 0)
		return (-1);
	return (disks_apply(&s->disks, u));
}

/* The roots that the sums make, against those that the bundle's end names; which disk differs, or -1. */
static int
find_root_mismatch(const struct replica *R, const struct trailer *T, const struct replica_disk_point *d)
{
	for (unsigned i = 0; i < R->ndisks; i++)
		if (memcmp(d[i].root, T->root[i], LEAF_ROOT) != 0)
			return ((int)i);
	return (-1);
}

/* All of the seed is on the disks: make it durable, then make the placeholder a replica. */
static int
finish_seed(struct seeding *s)
{
	struct replica *R = s->R;
	struct replica_point p;
	int bad;

	memset(&p, 0, sizeof p);
	p.point = s->H->to;
	for (unsigned i = 0; i < R->ndisks; i++) {
		p.disks[i].size = s->H->disks[i].size;
		p.disks[i].sum = s->sums[i];
		leaf_root(p.disks[i].root, &R->secret, &s->sums[i], p.disks[i].size);
	}
	if ((bad = find_root_mismatch(R, reader_trailer(s->reader), p.disks)) >= 0)
		return (say_refused(
		    "%s: disk %s does not come out as its primary signed it; export the seed again", R->vm,
		    R->disks[bad]));
	if (disks_sync(&s->disks, R) != 0 || replica_add_point(R, &p) != 0)
		return (-1);
	R->state = REPLICA_REPLICATING;
	R->keep = s->H->keep;
	return (replica_save(R));
}

static int
receive_seed(struct replica *R, struct unpack *U)
{
	struct seeding *s = calloc(1, sizeof *s);
	int rc;

	if (s == NULL)
		return (say_failed("out of memory"));
	s->R = R;
	s->H = U->header;
	s->reader = U->reader;
	U->context = s;
	U->take = take_seed;
	U->secret = &R->secret;
	U->what = "seed";
	if ((rc = disks_create(&s->disks, R, U->header)) == 0)
		rc = unpack_run(U);
	if (rc == 0)
		rc = finish_seed(s);
	disks_close(&s->disks);
	free(s);
	return (rc);
}

/* --- anything else into the inbox --------------------------------------------------------------------- */

static int
take_copy(void *context, const struct unpacked *u)
{
	return (writer_copy(context, &u->member.record, u->member.raw, u->member.payload));
}

static int
copy_to_inbox(struct replica *R, struct unpack *U, const struct member *header, const char *part)
{
	struct outfile *F = NULL;
	struct writer *W = NULL;
	int fd, rc = -1;

	if (io_remove(part) != 0 || (fd = io_create(part)) < 0)
		return (-1);
	if ((F = outfile_wrap(fd, part)) != NULL && (W = writer_new(F, R->dir, NULL)) != NULL)
		rc = writer_copy(W, &header->record, header->raw, header->payload);
	U->context = W;
	U->take = take_copy;
	U->what = "import";
	if (rc == 0)
		rc = unpack_run(U);
	if (rc == 0)
		rc = outfile_commit(F);
	writer_free(W);
	outfile_free(F);
	io_close(fd);
	return (rc);
}

static int
receive_staged(struct replica *R, struct unpack *U, const struct member *header)
{
	struct replica_staged s = { U->header->from, U->header->to };
	char part[PATH_MAX], path[PATH_MAX], dir[PATH_MAX];
	int rc;

	if (io_path(part, "%s/inbox/part", R->dir) != 0 || io_path(dir, "%s/inbox", R->dir) != 0 ||
	    replica_inbox_path(R, &s.to, path) != 0)
		return (-1);
	rc = copy_to_inbox(R, U, header, part);
	if (rc == 0)
		rc = io_publish(part, path, dir);
	if (rc != 0) {
		io_remove(part);
		return (rc);
	}
	if (replica_add_staged(R, &s) != 0)
		return (-1);
	return (replica_save(R));
}

/* --- */

/* The bundle is here already: it is read to its end all the same, since only a whole one gets a good answer. */
static int
receive_again(const struct replica *R, struct unpack *U)
{
	int rc;

	U->take = NULL;
	U->what = "verify";
	if ((rc = unpack_run(U)) == 0)
		say_note("%s: already have it: point %" PRIu64 " is here", R->vm, U->header->to.seq);
	return (rc);
}

static int
receive_into(struct replica *R, const struct trust_entry *e, struct unpack *U, const struct member *header)
{
	int rc;

	if ((rc = check_identity(R, e, U->header)) != 0)
		return (rc);
	if ((rc = check_fit(R, U->header)) == 2)
		return (receive_again(R, U));
	if (rc != 0 || (rc = check_space(R, U->header)) != 0)
		return (rc);
	return (replica_last(R) == NULL ? receive_seed(R, U) : receive_staged(R, U, header));
}

/* A replica that is here.  A placeholder, whose seed was cut short, takes any new seed of its primary. */
static int
receive_next(struct replica *R, const struct trust_entry *e, struct unpack *U, const struct member *header,
    const uint8_t leaf_seed[LEAF_SEED])
{
	if (replica_last(R) == NULL && U->header->type == BUNDLE_SEED && trust_has_key(e, R->key)) {
		replica_describe(R, e, U->header, leaf_seed);
		if (replica_save(R) != 0)
			return (-1);
	}
	return (receive_into(R, e, U, header));
}

/* The first seed of a VM: a placeholder is made for it, and goes again if the seed is none. */
static int
receive_first(struct replica **R, const struct site *S, const struct trust_entry *e, struct unpack *U,
    const struct member *header, const uint8_t leaf_seed[LEAF_SEED])
{
	int rc;

	if (U->header->type != BUNDLE_SEED)
		return (say_refused(
		    "%s: there is no replica of this VM here, and this is a delta from point %" PRIu64
		    "; import a seed first",
		    U->header->vm, U->header->from.seq));
	if ((rc = replica_create(R, S, e, U->header, leaf_seed)) != 0)
		return (rc);
	rc = receive_into(*R, e, U, header);
	if (rc != 0) {
		replica_remove(*R, S);
		*R = NULL;
	}
	return (rc);
}

int
receive(struct replica **R, const struct site *S, const struct trust_entry *e, struct unpack *U,
    const struct member *header)
{
	uint8_t leaf_seed[LEAF_SEED];
	char uuid[HEADER_UUID];
	const char *why;
	int rc;

	*R = NULL;
	if (!trust_allows(e, U->header->vm))
		return (say_refused(
		    "%s: site '%s' may not replicate this VM to here; see 'vmferry trust add --vm'",
		    U->header->vm, e->card.name));
	if ((rc = check_size(e, U->header)) != 0)
		return (rc);
	if ((why = site_unseal(S, U->header, U->crypt.key, leaf_seed)) != NULL)
		return (say_refused("%s: %s", U->header->vm, why));
	U->crypt.cipher = U->header->cipher;
	memcpy(U->crypt.bundle, U->header->id, RECORD_ID);
	U->decode = 1;
	if ((rc = replica_find(S, U->header->uuid, uuid)) == 0)
		rc = receive_first(R, S, e, U, header, leaf_seed);
	else if (rc > 0 && (rc = replica_open(R, S, U->header->uuid)) == 0)
		rc = receive_next(*R, e, U, header, leaf_seed);
	sodium_memzero(leaf_seed, sizeof leaf_seed);
	return (rc);
}
