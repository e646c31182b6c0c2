#include "replica/forward.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "bundle/infile.h"
#include "bundle/unpack.h"
#include "replica/outbox.h"

/* --- what is kept ------------------------------------------------------------------------------------- */

/* Does one of n targets name the site of f? */
static int
names(const struct site *S, const struct replica_forward *f, const struct header_target *targets, unsigned n)
{
	const struct trust_entry *e = trust_by_key(site_trust(S), f->key);

	for (unsigned i = 0; i < n; i++)
		if (e == NULL ? memcmp(f->key, targets[i].key, RECORD_KEY) == 0
		              : trust_has_key(e, targets[i].key))
			return (1);
	return (0);
}

/* Can that site open the bundle? */
static int
is_sealed_to(const struct site *S, const struct replica_forward *f, const struct header *H)
{
	if (H->ntargets > 0 && !names(S, f, H->targets, H->ntargets))
		return (0);
	for (unsigned i = 0; i < H->nparts; i++)
		if (H->parts[i].ntargets > 0 && !names(S, f, H->parts[i].targets, H->parts[i].ntargets))
			return (0);
	return (1);
}

/* For whom it is of use; for whom it would be, but is not sealed to, is said. */
static uint32_t
wanted_by(const struct replica *R, const struct site *S, const struct header *H)
{
	uint32_t wanted = 0;

	for (unsigned i = 0; i < R->nforwards; i++) {
		const struct replica_forward *f = &R->forwards[i];

		if (outbox_has(f, &H->to))
			continue;
		if (is_sealed_to(S, f, H))
			wanted |= outbox_bit(R, f);
		else
			say_note("%s: the bundle to point %" PRIu64
			         " is not sealed to site '%s', so it is not kept for it; say 'vmferry extend "
			         "%s --to "
			         "%s --via %s' at '%s'",
			    R->vm, H->to.seq, f->name, R->vm, f->name, site_card(S)->name, R->primary);
	}
	return (wanted);
}

/* The entry of the bundle, new if need be; NULL: no memory, said. */
static struct replica_out *
entry(struct replica *R, const struct header *H, uint32_t wanted)
{
	struct replica_out b = { .type = H->type, .from = H->from, .to = H->to, .wanted = wanted },
	                   *have = outbox_find(R, H->id);

	if (have != NULL) {
		have->wanted |= wanted;
		return (have);
	}
	memcpy(b.id, H->id, RECORD_ID);
	return (outbox_add(R, &b));
}

static int
has_volume(const struct replica_out *b, uint32_t number)
{
	for (unsigned i = 0; i < b->nvolumes; i++)
		if (b->volumes[i].number == number)
			return (1);
	return (0);
}

/* Give the file of the inbox its second name: 0; 1, said, where that cannot be; -1. */
static int
link_volume(const struct replica *R, const uint8_t id[RECORD_ID], uint32_t number)
{
	char from[PATH_MAX], to[PATH_MAX], dir[PATH_MAX];
	int rc;

	if (io_path(dir, "%s/outbox", R->dir) != 0 || replica_inbox_path(R, id, number, from) != 0 ||
	    replica_outbox_path(R, id, number, to) != 0 || io_mkdir(dir, 0700) != 0 || io_remove(to) != 0)
		return (-1);
	if ((rc = io_second_name(from, to)) == 1)
		say_note("%s: a file cannot have two names here, so nothing is kept to be forwarded", dir);
	return (rc == 0 ? io_sync_dir(dir) : rc);
}

/* The volume of the bundle with header H in the inbox is kept too. */
static int
keep(struct replica *R, const struct site *S, const struct header *H, uint32_t number, uint64_t file)
{
	struct replica_out_volume v = { number, file, 0 };
	uint32_t wanted = R->nforwards == 0 ? 0 : wanted_by(R, S, H);
	struct replica_out *b;
	int rc;

	if (wanted == 0)
		return (0);
	if ((b = outbox_find(R, H->id)) != NULL && has_volume(b, number)) {
		b->wanted |= wanted;
		return (0);
	}
	if ((rc = link_volume(R, H->id, number)) != 0)
		return (rc < 0 ? -1 : 0);
	return ((b = entry(R, H, wanted)) == NULL ? -1 : outbox_add_volume(b, &v));
}

/* Only so much is kept. */
static void
bound(struct replica *R, uint64_t most)
{
	unsigned n = outbox_bound(R, most == 0 ? REPLICA_OUTBOX_MAX : most);

	if (n > 0)
		say_note(
		    "%s: no more than %" PRIu64
		    " bytes are kept to be forwarded, so the oldest %u bundles are not any more; whoever had "
		    "not got them needs a delta of '%s'",
		    R->vm, most == 0 ? REPLICA_OUTBOX_MAX : most, n, R->primary);
}

int
forward_keep(struct replica *R, const struct receiving *c, uint64_t file)
{
	if (keep(R, c->S, c->U->header, c->volume, file) != 0)
		return (-1);
	bound(R, c->e->inbox);
	return (0);
}

void
forward_note_seed(const struct replica *R)
{
	for (unsigned i = 0; i < R->nforwards; i++)
		say_note("%s: a seed goes to the disks as it comes, so it cannot be forwarded to '%s'; if "
		         "that has "
		         "none, say 'vmferry export %s --seed --to %s' at '%s'",
		    R->vm, R->forwards[i].name, R->vm, R->forwards[i].name, R->primary);
}

/* --- start and end ------------------------------------------------------------------------------------ */

/* Keep a volume that lies in the inbox. */
static int
keep_staged(struct replica *R, const struct site *S, const struct replica_staged *s,
    const struct replica_volume *v, struct member *m)
{
	const struct header *H;
	char path[PATH_MAX];
	uint8_t key[RECORD_KEY];
	struct infile *F;
	int rc;

	if (replica_inbox_path(R, s->id, v->chain.number, path) != 0)
		return (-1);
	if ((rc = infile_open(&F, path)) != 0)
		return (rc);
	if ((rc = reader_start(infile_reader(F), key)) == 0 &&
	    (rc = reader_header(infile_reader(F), m, &H)) == 0)
		rc = keep(R, S, H, v->chain.number, v->file);
	infile_close(F);
	return (rc);
}

static int
keep_all_staged(struct replica *R, const struct site *S)
{
	const struct trust_entry *e = trust_by_key(site_trust(S), R->key);
	struct member m = { .payload = malloc(LIMIT_JSON) };
	int rc = 0;

	if (m.payload == NULL)
		return (say_failed("out of memory"));
	for (unsigned i = 0; rc == 0 && i < R->nstaged; i++) {
		const struct replica_staged *s = &R->staged[i];

		for (unsigned k = 0; rc == 0 && !s->on_disks && k < s->nvolumes; k++)
			rc = keep_staged(R, S, s, &s->volumes[k], &m);
	}
	free(m.payload);
	bound(R, e == NULL ? 0 : e->inbox);
	return (rc);
}

static int
start(struct replica *R, const struct site *S, const struct trust_entry *e)
{
	struct replica_forward *f = outbox_forward_of(R, e);
	int rc;

	if (f != NULL) {
		say_note("%s: is forwarded to '%s' already", R->vm, f->name);
		return (0);
	}
	if (trust_has_key(e, R->key))
		return (say_refused("%s: '%s' is its primary", R->vm, e->card.name));
	if (R->nforwards == LIMIT_TARGETS)
		return (say_refused("%s: is forwarded to at most %u sites", R->vm, LIMIT_TARGETS));
	f = &R->forwards[R->nforwards++];
	memset(f, 0, sizeof *f);
	strcpy(f->name, e->card.name);
	memcpy(f->key, e->card.sign, RECORD_KEY);
	if ((rc = keep_all_staged(R, S)) != 0)
		return (rc);
	if (replica_save(R) != 0 || replica_tidy(R) != 0)
		return (-1);
	say_note("%s: what comes in from now on is kept for '%s', if '%s' seals it to that too ('vmferry "
	         "extend %s "
	         "--to %s --via %s' there)",
	    R->vm, f->name, R->primary, R->vm, f->name, site_card(S)->name);
	say_note("%s: a seed cannot be forwarded: 'vmferry export %s --seed --to %s' at '%s' makes one",
	    R->vm, R->vm, f->name, R->primary);
	return (0);
}

int
forward_start(const struct site *S, const char *vm, const char *to)
{
	const struct trust_entry *e;
	struct replica *R;
	int rc = site_find(S, to, &e);

	if (rc != 0)
		return (rc);
	if ((rc = replica_open(&R, S, vm)) == 0)
		rc = start(R, S, e);
	replica_close(R);
	return (rc);
}

/* By the name of its card; or, if that is known no more, as it was called then. */
struct replica_forward *
forward_find(struct replica *R, const struct site *S, const char *name)
{
	const struct trust_entry *e = name == NULL ? NULL : trust_by_name(site_trust(S), name);
	struct replica_forward *f = e == NULL ? NULL : outbox_forward_of(R, e);

	if (name == NULL && R->nforwards == 1)
		return (&R->forwards[0]);
	if (name == NULL) {
		say_refused(
		    R->nforwards == 0
		        ? "%s: this site is a replica of it, and forwards it to nobody; 'vmferry extend "
		          "%s --to SITE' begins that"
		        : "%s: this site is a replica of it, and forwards it to several sites; say 'vmferry "
		          "export %s --to SITE'",
		    R->vm, R->vm);
		return (NULL);
	}
	for (unsigned i = 0; f == NULL && i < R->nforwards; i++)
		if (strcmp(R->forwards[i].name, name) == 0)
			f = &R->forwards[i];
	if (f == NULL)
		say_refused(
		    "%s: this site is a replica of it, and does not forward it to '%s'; 'vmferry extend %s "
		    "--to %s' begins that",
		    R->vm, name, R->vm, name);
	return (f);
}

int
forward_end(const struct site *S, const char *vm, const char *to)
{
	struct replica_forward *f;
	struct replica *R;
	int rc = replica_open(&R, S, vm);

	if (rc == 0 && (f = forward_find(R, S, to)) == NULL)
		rc = 1;
	if (rc == 0) {
		outbox_end(R, f);
		rc = replica_save(R) != 0 ? -1 : replica_tidy(R);
	}
	if (rc == 0)
		say_note("%s: is not forwarded to '%s' any more", R->vm, to);
	replica_close(R);
	return (rc);
}

int
forward_waits(const struct site *S, const char *vm, const char *to)
{
	const struct trust_entry *e = trust_by_name(site_trust(S), to);
	char uuid[HEADER_UUID];
	const struct replica_forward *f;
	struct replica_out_volume *v;
	struct replica_out *b;
	struct replica *R;
	int rc = e == NULL ? 0 : replica_find(S, vm, uuid);

	if (rc <= 0)
		return (rc);
	if (replica_look(&R, S, uuid) != 0)
		return (-1);
	f = outbox_forward_of(R, e);
	rc = R->role.state == ROLE_TURNED && f != NULL && outbox_next(R, f, &b, &v);
	replica_close(R);
	return (rc);
}

/* --- receipts ----------------------------------------------------------------------------------------- */

int
forward_is_news(const struct site *S, const struct trust_entry *e, const char *uuid, const struct point *to)
{
	const struct replica_forward *f;
	char found[HEADER_UUID];
	struct replica *R;
	int rc = replica_find(S, uuid, found);

	if (rc <= 0)
		return (rc);
	if (replica_look(&R, S, uuid) != 0)
		return (-1);
	f = outbox_forward_of(R, e);
	rc = f != NULL && !outbox_has(f, to);
	replica_close(R);
	return (rc);
}

/* Is it about this very history, and are the disks there what they were here? */
static int
check(const struct replica *R, const struct trust_entry *e, const struct header *H)
{
	const struct replica_point *p = replica_point(R, H->from.seq);

	if (memcmp(R->lineage, H->lineage, RECORD_ID) != 0)
		return (say_refused("%s: the receipt is for another lineage of this VM", R->vm));
	if (p == NULL || p->point.epoch != H->from.epoch)
		return (0);
	for (unsigned i = 0; i < R->ndisks; i++)
		for (unsigned k = 0; k < H->ndisks; k++)
			if (strcmp(R->disks[i], H->disks[k].id) == 0 &&
			    memcmp(p->disks[i].root, H->disks[k].before, LEAF_ROOT) != 0)
				return (say_refused(
				    "%s: disk %s at site '%s' is not what it is here at point %" PRIu64
				    "; run scrub there and here",
				    R->vm, R->disks[i], e->card.name, H->from.seq));
	return (0);
}

static int
acknowledge(struct replica *R, const struct trust_entry *e, const struct header *H)
{
	struct replica_forward *f = outbox_forward_of(R, e);
	enum outbox_news news;
	int rc;

	if (f == NULL)
		return (say_refused(
		    "%s: this site is a replica of it and does not forward it to '%s'; the receipt "
		    "is for '%s'",
		    R->vm, e->card.name, R->primary));
	if ((rc = check(R, e, H)) != 0)
		return (rc);
	news = outbox_acked(R, f, H, (int64_t)time(NULL));
	if (replica_save(R) != 0 || replica_tidy(R) != 0)
		return (-1);
	if (news == OUTBOX_WENT_BACK)
		say_note("%s: site '%s' says that it went back to point %" PRIu64
		         "; what is not kept here any more, '%s' must send it",
		    R->vm, f->name, f->acked.seq, R->primary);
	else
		say_note("%s: %ssite '%s' has point %" PRIu64 "; its receipt is for '%s' too", R->vm,
		    news == OUTBOX_KNOWN ? "already have it: " : "", f->name, f->acked.seq, R->primary);
	return (0);
}

int
forward_acknowledge(const struct site *S, const struct trust_entry *e, const struct header *H)
{
	struct replica *R;
	int rc = replica_open(&R, S, H->uuid);

	if (rc == 0)
		rc = acknowledge(R, e, H);
	replica_close(R);
	return (rc);
}
