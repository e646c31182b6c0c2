#include "run/roster.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "primary/primary.h"
#include "replica/replica.h"
#include "side.h"

struct walk {
	const struct site *S;
	void (*each)(void *context, const char *uuid, uint64_t stamp);
	void *context;
};

static uint64_t
stamp_of(const struct site *S, const char *kind, const char *uuid)
{
	char path[PATH_MAX];

	return (io_path(path, "%s/%s/%s/state", site_home(S), kind, uuid) == 0 ? io_stamp(path) : 0);
}

uint64_t
roster_stamp(const struct site *S, const char *uuid)
{
	return (stamp_of(S, "primaries", uuid) + 31 * stamp_of(S, "replicas", uuid));
}

static int
meet_primary(void *context, const char *uuid)
{
	const struct walk *w = context;

	w->each(w->context, uuid, roster_stamp(w->S, uuid));
	return (0);
}

/* Those that have a primary's record too were met there. */
static int
meet_replica(void *context, const char *uuid)
{
	const struct walk *w = context;

	if (stamp_of(w->S, "primaries", uuid) == 0)
		w->each(w->context, uuid, roster_stamp(w->S, uuid));
	return (0);
}

int
roster_each(
    const struct site *S, void (*each)(void *context, const char *uuid, uint64_t stamp), void *context)
{
	struct walk w = { S, each, context };

	return (primary_each(S, meet_primary, &w) != 0 ? -1 : replica_each(S, meet_replica, &w));
}

static int64_t
cut_at(const struct primary *P, uint64_t seq, int64_t otherwise)
{
	const struct primary_point *p = seq == 0 ? NULL : primary_point(P, seq);

	return (p != NULL ? p->point.time : otherwise);
}

/* What goes by way of another site gets there by that one's own doing. */
static int
look_primary(struct roster_vm *v, const struct site *S, const char *uuid)
{
	char words[ROLE_WORDS];
	struct primary *P;
	const char *why;

	if (primary_look(&P, S, uuid) != 0)
		return (-1);
	strcpy(v->vm, P->vm);
	strcpy(v->dir, P->dir);
	strcpy(v->host, P->host);
	v->frequency = P->wishes.frequency;
	if ((why = role_objection(&P->role, ROLE_SEND, words)) != NULL)
		snprintf(v->why, sizeof v->why, "%s", why);
	for (unsigned i = 0; i < P->ntargets; i++) {
		const struct primary_target *t = &P->targets[i];
		struct roster_target *r = &v->targets[v->ntargets];
		uint64_t there = t->acked != 0 ? t->acked : t->sent;

		if (t->has_via)
			continue;
		*r = (struct roster_target){ .is_initial = t->seeded == 0 && t->acked == 0 };
		strcpy(r->site, t->name);
		r->last = cut_at(P, there, t->acked_at);
		v->ntargets++;
	}
	primary_close(P);
	return (0);
}

/* A replica sends on what came, as soon as it is seen. */
static int
look_replica(struct roster_vm *v, const struct site *S, const char *uuid)
{
	struct replica *R;

	if (replica_look(&R, S, uuid) != 0)
		return (-1);
	strcpy(v->vm, R->vm);
	strcpy(v->dir, R->dir);
	strcpy(v->host, "none");
	v->frequency = R->wishes.frequency != 0 ? R->wishes.frequency : 60;
	for (unsigned i = 0; i < R->nforwards; i++) {
		uint32_t wanted = 0;

		for (unsigned k = 0; k < R->nouts; k++)
			wanted |= R->outs[k].wanted;
		if ((wanted >> i & 1) != 0)
			strcpy(v->targets[v->ntargets++].site, R->forwards[i].name);
	}
	replica_close(R);
	return (0);
}

int
roster_look(struct roster_vm *v, const struct site *S, const char *uuid)
{
	enum role_side side;

	memset(v, 0, sizeof *v);
	if (side_of(S, uuid, &side) != 0)
		return (-1);
	return (side == ROLE_PRIMARY ? look_primary(v, S, uuid) : look_replica(v, S, uuid));
}
