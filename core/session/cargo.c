#include "session/cargo.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "primary/ledger.h"
#include "primary/pending.h"
#include "primary/primary.h"
#include "replica/forward.h"
#include "replica/outbox.h"
#include "replica/replica.h"
#include "side.h"

/* --- at a primary ----------------------------------------------------------------------------------------- */

/* An initial copy for it is on a medium or in a file: it may be on its way. */
static void
look_for_mail(struct cargo *c, const struct primary *P, const struct primary_target *t)
{
	const struct primary_shipment *s;

	for (unsigned i = 0; (s = ledger_next(P, t, &i)) != NULL;)
		if (s->type == BUNDLE_SEED && s->where[0] != '\0')
			snprintf(c->mailed, sizeof c->mailed, "%s", s->where);
}

static int
look_at_pending(struct cargo *c, const struct primary *P)
{
	struct pending *p;
	int rc = pending_read(&p, P);

	c->is_cut_short = rc == 0 && p->way == PENDING_PIPE;
	c->was_seed = c->is_cut_short && strstr(p->wish, "--seed") != NULL;
	pending_free(p);
	return (rc < 0 ? -1 : 0);
}

static int
look_at_primary(struct cargo *c, const struct site *S)
{
	const struct trust_entry *e = trust_by_name(site_trust(S), c->to);
	const struct primary_target *t;
	struct primary *P;
	int rc;

	if (primary_look(&P, S, c->uuid) != 0)
		return (-1);
	snprintf(c->vm, sizeof c->vm, "%s", P->vm);
	if (primary_last(P) != NULL) {
		c->last = primary_last(P)->point.seq;
		c->epoch = primary_last(P)->point.epoch;
	}
	for (unsigned i = 0; i < P->nreplicated; i++)
		c->size += P->disks[i].size;
	t = e == NULL ? NULL : primary_target_of(P, e);
	if (t != NULL) {
		c->acked = t->acked;
		look_for_mail(c, P, t);
	}
	rc = look_at_pending(c, P);
	primary_close(P);
	if (rc == 0 && (rc = forward_waits(S, c->uuid, c->to)) > 0)
		c->was_replica = 1;
	return (rc < 0 ? -1 : 0);
}

/* --- at a replica ----------------------------------------------------------------------------------------- */

static int
look_at_replica(struct cargo *c, const struct site *S)
{
	struct replica_out_volume *v;
	struct replica_forward *f;
	struct outbox_tally n;
	struct replica_out *b;
	struct replica *R;

	if (replica_look(&R, S, c->uuid) != 0)
		return (-1);
	snprintf(c->vm, sizeof c->vm, "%s", R->vm);
	if ((f = forward_find(R, S, c->to)) != NULL) {
		n = outbox_tally(R, f);
		c->volumes = n.volumes;
		c->sent = n.sent;
		c->acked = f->acked.seq;
		c->has_next = outbox_next(R, f, &b, &v);
		c->next_from = c->has_next ? b->from.seq : 0;
	}
	for (unsigned i = 0; replica_last(R) != NULL && i < R->ndisks; i++)
		c->size += replica_last(R)->disks[i].size;
	replica_close(R);
	return (f == NULL ? 1 : 0);
}

int
cargo_look(struct cargo *c, const struct site *S, const char *uuid, const char *to)
{
	int rc = side_is_replica(S, uuid);

	if (rc < 0)
		return (-1);
	memset(c, 0, sizeof *c);
	snprintf(c->uuid, sizeof c->uuid, "%s", uuid);
	snprintf(c->to, sizeof c->to, "%s", to);
	c->side = rc ? ROLE_REPLICA : ROLE_PRIMARY;
	return (rc ? look_at_replica(c, S) : look_at_primary(c, S));
}

/* --- which way -------------------------------------------------------------------------------------------- */

/* The name that the site with that key has here now, or the one that the record has for it. */
static void
name_site(struct cargo_way *w, const struct site *S, const uint8_t key[RECORD_KEY], const char *name)
{
	const struct trust_entry *e = trust_by_key(site_trust(S), key);

	snprintf(w->site, sizeof w->site, "%s", e == NULL ? name : e->card.name);
}

/* The only target that is not reached by way of another; NULL: there are several, or none. */
static const struct primary_target *
only_target(const struct primary *P)
{
	const struct primary_target *t = NULL;

	for (unsigned i = 0; i < P->ntargets; i++) {
		if (P->targets[i].has_via)
			continue;
		if (t != NULL)
			return (NULL);
		t = &P->targets[i];
	}
	return (t);
}

static int
find_from_primary(struct cargo_way *w, const struct site *S, const char *to)
{
	const struct trust *T = site_trust(S);
	const struct primary_target *t;
	struct primary *P;
	int rc = 0;

	if (primary_look(&P, S, w->uuid) != 0)
		return (-1);
	snprintf(w->vm, sizeof w->vm, "%s", P->vm);
	if (to != NULL)
		snprintf(w->site, sizeof w->site, "%s", to);
	else if ((t = only_target(P)) != NULL)
		name_site(w, S, t->key, t->name);
	else if (P->ntargets == 0 && T->n == 1)
		snprintf(w->site, sizeof w->site, "%s", T->entries[0].card.name);
	else
		rc = say_refused("%s: %s; say --to SITE", P->vm,
		    P->ntargets == 0 ? "it was not said where it goes" : "it is sent to several sites");
	primary_close(P);
	return (rc);
}

/* Does what comes in here go on to that site? */
static int
is_forwarded(struct replica *R, const struct site *S, const char *to)
{
	const struct trust_entry *e = trust_by_name(site_trust(S), to);

	return (e != NULL && outbox_forward_of(R, e) != NULL);
}

static int
find_from_replica(struct cargo_way *w, const struct site *S, const char *to)
{
	struct replica *R;
	int rc = 0;

	if (replica_look(&R, S, w->uuid) != 0)
		return (-1);
	snprintf(w->vm, sizeof w->vm, "%s", R->vm);
	name_site(w, S, R->key, R->primary);
	if (to != NULL && is_forwarded(R, S, to))
		snprintf(w->site, sizeof w->site, "%s", to);
	else if (to == NULL || strcmp(to, w->site) == 0)
		w->is_fetched = 1;
	else
		rc = say_refused(
		    "%s: this site is a replica of it: it comes from '%s', and is not forwarded to "
		    "'%s'; 'vmferry extend %s --to %s' begins that",
		    R->vm, w->site, to, R->vm, to);
	replica_close(R);
	return (rc);
}

/* The UUID of the VM of that name or UUID: 0; 1, unsaid: there is none; -1, said. */
static int
find(struct cargo_way *w, const struct site *S, const char *vm)
{
	char uuid[HEADER_UUID];
	int rc;

	memset(w, 0, sizeof *w);
	if ((rc = primary_find(S, vm, uuid)) == 0 && (rc = replica_find(S, vm, uuid)) == 0)
		return (1);
	if (rc < 0)
		return (-1);
	snprintf(w->uuid, sizeof w->uuid, "%s", uuid);
	return (0);
}

int
cargo_find(struct cargo_way *w, const struct site *S, const char *vm, const char *to)
{
	enum role_side side;
	int rc;

	if ((rc = find(w, S, vm)) > 0)
		return (say_refused("%s: no such VM is replicated here", vm));
	if (rc != 0 || (rc = side_of(S, vm, &side)) != 0)
		return (rc);
	return (side == ROLE_PRIMARY ? find_from_primary(w, S, to) : find_from_replica(w, S, to));
}

static int
is_target(const struct site *S, const char *uuid, const struct trust_entry *e)
{
	struct primary *P;
	int is;

	if (primary_look(&P, S, uuid) != 0)
		return (-1);
	is = primary_target_of(P, e) != NULL;
	primary_close(P);
	return (is);
}

static int
is_forward(const struct site *S, const char *uuid, const struct trust_entry *e)
{
	struct replica *R;
	int is;

	if (replica_look(&R, S, uuid) != 0)
		return (-1);
	is = outbox_forward_of(R, e) != NULL;
	replica_close(R);
	return (is);
}

int
cargo_find_for(struct cargo_way *w, const struct site *S, const char *vm, const struct trust_entry *e)
{
	enum role_side side;
	int rc;

	if ((rc = find(w, S, vm)) < 0 || (rc == 0 && (rc = side_of(S, w->uuid, &side)) != 0))
		return (rc);
	/* Whether there is one is not for who asks in vain. */
	rc = rc > 0 ? 0 : side == ROLE_PRIMARY ? is_target(S, w->uuid, e) : is_forward(S, w->uuid, e);
	if (rc == 0)
		return (say_refused(
		    "%s: it is not replicated to site '%s'; 'vmferry extend %s --to %s' begins that", vm,
		    e->card.name, vm, e->card.name));
	snprintf(w->vm, sizeof w->vm, "%s", vm);
	snprintf(w->site, sizeof w->site, "%s", e->card.name);
	return (rc < 0 ? -1 : 0);
}

/* --- how much ---------------------------------------------------------------------------------------------- */

static int
measure(const char *where, uint64_t *size, uint64_t *taken)
{
	int fd, rc;

	if (where[0] != '/')
		return (0);
	if ((fd = io_open_read(where)) < 0)
		return (-1);
	rc = io_size(fd, where, size);
	io_close(fd);
	return (rc != 0 ? -1 : io_allocated(where, taken));
}

int
cargo_measure(const struct cargo *c, const struct site *S, uint64_t *all, uint64_t *taken)
{
	struct primary *P;
	int rc = 0;

	*all = *taken = 0;
	if (c->side != ROLE_PRIMARY)
		return (0);
	if (primary_look(&P, S, c->uuid) != 0)
		return (-1);
	for (unsigned i = 0; rc == 0 && i < P->nreplicated; i++) {
		uint64_t size = P->disks[i].size, some = size;

		if (P->disks[i].is_gone)
			continue;
		rc = measure(P->disks[i].where, &size, &some);
		*all += size;
		*taken += some < size ? some : size;
	}
	primary_close(P);
	return (rc);
}
