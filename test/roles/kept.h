#ifndef KEPT_H_
#define KEPT_H_

/* Records and their durable copies; crashes between any two durable steps; old copies that come back. */

#include "scene.h"

/* Something durable is about to happen: or not. */
static inline void
durable(struct world *w)
{
	if (w->crash_in > 0 && --w->crash_in == 0)
		longjmp(w->crashed, 1);
}

static inline void
save_primary(struct world *w, struct site *s)
{
	struct kept *k = &s->disk_copy;
	const struct primary *P = s->P;

	durable(w);
	k->has_primary = s->has_primary;
	k->prole = P->role;
	k->ntargets = P->ntargets;
	k->nshipments = P->nshipments;
	k->npoints = P->npoints;
	if (P->nshipments > SENT || P->npoints > POINTS)
		fail(w, "there are more points or shipments than the simulation has room for");
	memcpy(k->targets, P->targets, P->ntargets * sizeof *k->targets);
	memcpy(k->shipments, P->shipments, P->nshipments * sizeof *k->shipments);
	memcpy(k->points, P->points, P->npoints * sizeof *k->points);
}

static inline void
save_replica(struct world *w, struct site *s)
{
	struct kept *k = &s->disk_copy;
	const struct replica *R = s->R;

	durable(w);
	if (R->npoints > POINTS || R->nstaged > STAGED)
		fail(w, "there are more points or bundles than the simulation has room for");
	k->has_replica = s->has_replica;
	k->rrole = R->role;
	memcpy(k->key, R->key, RECORD_KEY);
	k->nheirs = R->nheirs;
	memcpy(k->heirs, R->heirs, R->nheirs * sizeof *k->heirs);
	k->nrpoints = R->npoints;
	if (R->npoints > 0)
		memcpy(k->rpoints, R->points, R->npoints * sizeof *k->rpoints);
	k->nstaged = R->nstaged;
	for (unsigned i = 0; i < R->nstaged; i++) {
		k->staged[i] = R->staged[i];
		if (R->staged[i].nvolumes > 0)
			k->volumes[i] = R->staged[i].volumes[0];
	}
	k->ncompared = R->ncompared;
	memcpy(k->compared, R->compared, sizeof k->compared);
	k->merging = R->merging;
	k->merging_undo = R->merging_undo;
}

static inline void
clear_replica(struct replica *R)
{
	while (R->nstaged > 0)
		replica_drop_staged(R, R->nstaged - 1);
	R->npoints = R->ncompared = 0;
	R->merging = R->merging_undo = 0;
	memset(&R->seed, 0, sizeof R->seed);
}

/* Memory is lost, and what is on disk is read again. */
static inline void
load(struct world *w, struct site *s)
{
	const struct kept *k = &s->disk_copy;
	struct primary *P = s->P;
	struct replica *R = s->R;

	s->has_primary = k->has_primary;
	P->role = k->prole;
	P->ntargets = k->ntargets;
	P->nshipments = k->nshipments;
	P->npoints = k->npoints;
	memcpy(P->targets, k->targets, k->ntargets * sizeof *k->targets);
	memcpy(P->shipments, k->shipments, k->nshipments * sizeof *k->shipments);
	memcpy(P->points, k->points, k->npoints * sizeof *k->points);
	clear_replica(R);
	s->has_replica = k->has_replica;
	R->role = k->rrole;
	memcpy(R->key, k->key, RECORD_KEY);
	R->nheirs = k->nheirs;
	memcpy(R->heirs, k->heirs, k->nheirs * sizeof *k->heirs);
	for (unsigned i = 0; i < k->nrpoints; i++)
		if (replica_add_point(R, &k->rpoints[i]) != 0)
			fail(w, "no memory");
	for (unsigned i = 0; i < k->nstaged; i++) {
		struct replica_staged x = k->staged[i];

		x.volumes = NULL;
		x.nvolumes = 0;
		if (replica_add_staged(R, &x) != 0 ||
		    (k->staged[i].nvolumes > 0 && replica_add_volume(&R->staged[i], &k->volumes[i]) != 0))
			fail(w, "no memory");
	}
	R->ncompared = k->ncompared;
	memcpy(R->compared, k->compared, sizeof k->compared);
	R->merging = k->merging;
	R->merging_undo = k->merging_undo;
}

static inline void
back_up(struct site *s)
{
	s->backup = s->disk_copy;
	s->backup.disk = s->disk;
	s->backup.overlay = s->overlay;
	s->backup.has_overlay = s->has_overlay;
	s->backup.nbranches = s->nbranches;
	memcpy(s->backup.branches, s->branches, sizeof s->branches);
	memcpy(s->backup_got, s->got, sizeof s->got);
	s->has_backup = 1;
}

/* An older copy comes back, of the records alone or with the disks. */
static inline void
restore(struct world *w, struct site *s, int with_disks)
{
	s->disk_copy = s->backup;
	load(w, s);
	s->runs = s->has_test = s->is_told = 0;
	s->heard = 0;
	s->restored++;
	memcpy(s->got, s->backup_got, sizeof s->got);
	s->nbranches = s->backup.nbranches;
	memcpy(s->branches, s->backup.branches, sizeof s->branches);
	if (with_disks) {
		s->disk = s->backup.disk;
		s->overlay = s->backup.overlay;
		s->has_overlay = s->backup.has_overlay;
	}
	w->events[EV_RESTORED]++;
}

#endif
