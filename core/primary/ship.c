#include "primary/ship.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "medium/logbook.h"
#include "primary/cycle.h"
#include "primary/definition.h"
#include "primary/ledger.h"
#include "primary/live.h"
#include "primary/volumes.h"

void
ship_fill(struct ship *s)
{
	s->pack.secret = &s->cut->P->secret;
	s->pack.level = s->cut->level;
	s->pack.disks = s->disks;
	s->pack.ndisks = s->cut->P->nreplicated;
	s->pack.trailer = &s->trailer;
	s->pack.what = cut_is_seed(s->cut) ? "seed" : "delta";
	for (unsigned i = 0; i < s->pack.ndisks; i++) {
		struct pack_disk *d = &s->disks[i];

		d->source = s->cut->sources[i];
		d->leaves = s->cut->leaves[i];
		d->must = &s->cut->must[i];
		d->maybe = &s->cut->maybe[i];
		d->size = source_size(d->source);
		d->only_must = s->cut->against != NULL;
	}
}

/* --- segments and point ------------------------------------------------------------------------------- */

/* Blocks beyond the new end of a disk that shrank are no more. */
static int
cut_off(struct ship *s, unsigned i)
{
	struct pack_disk *d = &s->disks[i];
	uint64_t start = (d->size + LIMIT_BLOCK - 1) / LIMIT_BLOCK, count, old[512];
	uint64_t end = (s->cut->P->disks[i].size + LIMIT_BLOCK - 1) / LIMIT_BLOCK;
	int rc;

	if (d->log == NULL)
		return (0);
	while ((rc = leaves_next(d->leaves, &start, end, &count)) == 0) {
		size_t n = count < 512 ? (size_t)count : 512;

		if (leaves_read(d->leaves, start, n, old) != 0)
			return (-1);
		for (size_t k = 0; k < n; k++)
			leaf_remove(&s->cut->P->secret, &d->sum, start + k, old[k]);
		if (changelog_add(d->log, start, n, NULL) != 0)
			return (-1);
		start += n;
	}
	return (rc < 0 ? -1 : 0);
}

int
ship_segments(struct ship *s)
{
	int rc;

	for (unsigned i = 0; i < s->pack.ndisks; i++)
		s->disks[i].log = s->logs[i];
	if ((rc = pack_run(&s->pack)) != 0)
		return (rc);
	for (unsigned i = 0; i < s->pack.ndisks; i++)
		if ((rc = source_check(s->cut->sources[i])) != 0 || (rc = cut_off(s, i)) != 0)
			return (rc);
	return (0);
}

int
ship_take_point(struct ship *s)
{
	struct primary *P = s->cut->P;
	struct primary_point *have = primary_point(P, s->header.to.seq), p = { .point = s->header.to };

	s->trailer.ndisks = P->nreplicated;
	for (unsigned i = 0; i < P->nreplicated; i++) {
		p.size[i] = s->header.disks[i].size;
		leaf_root(p.root[i], &P->secret, &s->pending->disks[i].sum, p.size[i]);
		memcpy(s->trailer.root[i], p.root[i], LEAF_ROOT);
	}
	if (have != NULL)
		return (0);
	/* The lock is in the same write as the final point. */
	if (s->header.has_handover ? role_prepare(&P->role, p.point.seq, s->header.handover)
	                           : role_step(&P->role, ROLE_SEND))
		return (say_failed("%s: point %" PRIu64 " may not be taken in any more", P->vm, p.point.seq));
	for (unsigned i = 0; i < P->nreplicated; i++) {
		P->disks[i].sum = s->pending->disks[i].sum;
		P->disks[i].size = p.size[i];
		P->disks[i].has_stamp = s->header.has_handover && s->pending->disks[i].has_stamp;
		P->disks[i].stamp = s->pending->disks[i].stamp;
		P->disks[i].is_new = 0;
	}
	for (unsigned i = 0; s->cut->base == 0 && i < s->cut->ntargets; i++)
		if (s->cut->targets[i]->seeded == 0 &&
		    !ledger_follows(P, s->cut->targets[i], cut_targets(s->cut)))
			s->cut->targets[i]->seeded = p.point.seq;
	definition_commit(P, &s->header);
	live_note(s->cut, &p.point);
	return (s->pending->is_lost ? primary_commit_alone(P, &p) : primary_commit(P, &p));
}

int
ship_commit_point(struct ship *s)
{
	struct pending *p = s->pending;

	int rc = live_end(s->cut);

	if (rc != 0)
		return (rc);
	if (shiplog_sync(s->shiplog) != 0)
		return (-1);
	for (unsigned i = 0; i < s->pack.ndisks; i++) {
		struct changelog *L = s->logs[i];

		s->logs[i] = NULL;
		if (changelog_commit(L) != 0)
			return (-1);
		p->disks[i].sum = s->disks[i].sum;
	}
	p->is_cut = 1;
	p->segments = writer_chain(s->writer)->segments;
	if (volumes_is_noted(s) && pending_write(p, s->cut->P) != 0)
		return (-1);
	return (ship_take_point(s));
}

/* --- the end ------------------------------------------------------------------------------------------ */

/* Text for the record, and for a line of status. */
static void
name_place(const struct ship *s, char out[PRIMARY_WHERE])
{
	const struct pending *p = s->pending;
	const char *slash = strrchr(p->output, '/');
	size_t used = 0;

	out[0] = '\0';
	if (p->way == PENDING_FILE)
		snprintf(out, PRIMARY_WHERE, "%.100s", slash == NULL ? p->output : slash + 1);
	for (unsigned i = 0; i < p->nplaces && used < PRIMARY_WHERE; i++)
		used += (size_t)snprintf(
		    out + used, PRIMARY_WHERE - used, "%s%s", i == 0 ? "medium " : ", ", p->places[i].label);
	for (char *c = out; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int
enter_ledger(const struct ship *s)
{
	struct primary *P = s->cut->P;
	struct primary_shipment n = { .type = s->header.type,
		.from = s->header.from.seq,
		.to = s->header.to.seq,
		.at = (int64_t)time(NULL),
		.volumes = s->pending->volume.number,
		.bytes = s->pending->bytes,
		.cipher = s->header.cipher,
		.level = s->pending->level };

	if (ledger_find(P, s->header.id) != NULL)
		return (0);
	n.targets = cut_targets(s->cut);
	memcpy(n.id, s->header.id, RECORD_ID);
	memcpy(n.key, s->pending->key, sizeof n.key);
	name_place(s, n.where);
	ledger_sent(P, &n);
	sodium_memzero(n.key, sizeof n.key);
	return (primary_save(P));
}

int
ship_finish(struct ship *s)
{
	if (writer_finish(s->writer, &s->header, &s->trailer) != 0 || shiplog_sync(s->shiplog) != 0)
		return (-1);
	return (volumes_end(s));
}

int
ship_done(struct ship *s)
{
	const struct pending *p = s->pending;
	char places[512];

	if (s->medium != NULL &&
	    logbook_add(s->medium, s->cut->S, s->stem, s->header.id, "export", "ok") != 0)
		return (-1);
	if (enter_ledger(s) != 0 || pending_remove(s->cut->P) != 0)
		return (-1);
	cycle_sent(s);
	say_note("%s: %s to point %" PRIu64 ", %" PRIu64 " bytes (%" PRIu64 " of data)", s->cut->P->vm,
	    s->header.type == BUNDLE_SEED ? "seed" : "delta", s->header.to.seq, p->bytes, p->data);
	pending_places(p, places, sizeof places);
	if (places[0] != '\0')
		say_note("%s: %s", s->cut->P->vm, places);
	return (0);
}

/* Is what the record says of media true of this one? */
static int
is_on_medium(const struct ship *s)
{
	const struct pending *p = s->pending;

	return (s->medium != NULL && p->nplaces > 0 &&
	        strncmp(p->places[p->nplaces - 1].label, medium_identity(s->medium)->label,
	            PRIMARY_WHERE - 1) == 0);
}

int
ship_stop(struct ship *s, int rc)
{
	struct pending *p = s->pending;

	/* Nothing was begun, or it is another's. */
	if (p == NULL || s->writer == NULL)
		return (rc);
	if (!p->is_cut && !s->is_resumed && p->volume.number == 0 &&
	    (rc == 1 || writer_chain(s->writer)->segments == 0)) {
		pending_remove(s->cut->P);
		return (rc == 1 ? 1 : -1);
	}
	if (s->out != NULL && s->medium != NULL && outfile_is_full(s->out))
		volumes_say_full(s);
	if (is_on_medium(s))
		logbook_add(s->medium, s->cut->S, s->stem, s->header.id, "export", "ok");
	if (s->out != NULL && p->way == PENDING_PIPE)
		pending_write(p, s->cut->P);
	else if (s->out != NULL)
		outfile_keep(s->out);
	if (p->is_cut)
		say_note(
		    "%s: point %" PRIu64
		    " was cut, but its bundle was not delivered; the same command again goes on with it, "
		    "else the next delta carries what it held",
		    s->cut->P->vm, s->header.to.seq);
	return (rc == 1 ? 1 : -1);
}

void
ship_free(struct ship *s)
{
	writer_free(s->writer);
	shiplog_free(s->shiplog);
	outfile_free(s->out);
	medium_close(s->medium);
	free(s->member.payload);
	pending_free(s->pending);
	for (unsigned i = 0; i < LIMIT_DISKS; i++)
		changelog_free(s->logs[i]);
	sodium_memzero(&s->pack.crypt, sizeof s->pack.crypt);
}
