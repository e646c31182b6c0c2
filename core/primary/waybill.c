#include "primary/waybill.h"

#include <inttypes.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "primary/against.h"
#include "primary/definition.h"
#include "primary/live.h"

static const char *
level_text(enum header_level level)
{
	return (level == HEADER_LEVEL_NONE   ? "none"
	        : level == HEADER_LEVEL_FAST ? "fast"
	        : level == HEADER_LEVEL_BEST ? "best"
	                                     : "default");
}

/* The file at path from anywhere: its folder, which is there, without links and dots. */
int
waybill_output(const char *path, char out[PATH_MAX])
{
	char dir[PATH_MAX], base[PATH_MAX], *real;
	int rc;

	if (io_path(dir, "%s", path) != 0 || io_path(base, "%s", path) != 0)
		return (-1);
	if ((real = realpath(dirname(dir), NULL)) == NULL)
		return (io_path(out, "%s", path)); /* to open it will say why */
	rc = io_path(out, "%s/%s", real, basename(base));
	free(real);
	return (rc);
}

int
waybill_wish(const struct export_options *o, char out[PENDING_WISH])
{
	char seq[32] = "", path[PATH_MAX] = "", against[PATH_MAX] = "";
	int n;

	if (o->since != EXPORT_SINCE_ACKED)
		snprintf(seq, sizeof seq, " --since %" PRIu64, o->since_seq);
	if (o->since == EXPORT_SINCE_SENT)
		strcpy(seq, " --since sent");
	if (o->output != NULL && strcmp(o->output, "-") != 0 && waybill_output(o->output, path) != 0)
		return (-1);
	if (o->against != NULL &&
	    (strcmp(o->against, "-") == 0 ? io_path(against, "-") : waybill_output(o->against, against)) != 0)
		return (-1);
	n = snprintf(out, PENDING_WISH, "%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s", o->final ? " --planned" : "",
	    o->seed ? " --seed" : "", o->delta && !o->final ? " --delta" : "", seq,
	    against[0] == '\0' ? "" : " --against ", against, o->changes == NULL ? "" : " --changes ",
	    o->changes == NULL ? "" : o->changes, o->to == NULL ? "" : " --to ", o->to == NULL ? "" : o->to,
	    o->plain == 0  ? ""
	    : o->plain > 0 ? " --plain"
	                   : " --encrypt",
	    o->level == 0 ? "" : " --compress ", o->level == 0 ? "" : level_text(o->level),
	    o->live_unsafe ? " --live-unsafe" : "", o->app ? " --app" : "",
	    o->media != NULL  ? " --media"
	    : path[0] == '\0' ? ""
	                      : " -o ",
	    o->media != NULL ? "" : path);
	return (n < 0 || n >= (int)PENDING_WISH ? say_failed("the command line is too long") : 0);
}

int
waybill_command(const struct primary *P, const struct pending *p, char out[PENDING_WISH])
{
	int n = snprintf(out, PENDING_WISH, "vmferry %s %s%s%s", waybill_is_final(p) ? "failover" : "export",
	    P->vm, p->wish, p->way == PENDING_MEDIA ? " DIR" : "");

	return (n < 0 || n >= (int)PENDING_WISH ? say_failed("the command line is too long") : 0);
}

int
waybill_is_final(const struct pending *p)
{
	return (strncmp(p->wish, " --planned", 10) == 0);
}

/* Where a delta starts: at a point of ours, or at that of the comparison, which we need not know. */
static void
start_from(struct ship *s)
{
	const struct primary_point *base = primary_point(s->cut->P, s->cut->base);
	const struct header *A = s->cut->against == NULL ? NULL : against_header(s->cut->against);
	struct header *H = &s->header;

	for (unsigned i = 0; i < H->ndisks; i++)
		primary_no_disk(s->cut->P, &H->disks[i].before_size, H->disks[i].before);
	if (base != NULL)
		H->from = base->point;
	for (unsigned i = 0; base != NULL && i < H->ndisks; i++) {
		H->disks[i].before_size = base->size[i];
		memcpy(H->disks[i].before, base->root[i], LEAF_ROOT);
	}
	if (A == NULL)
		return;
	H->has_against = 1;
	memcpy(H->against, A->id, RECORD_ID);
	H->from = A->from;
	/* A number is never used twice, even where our record is older than what the replica has. */
	if (H->to.seq <= A->from.seq)
		H->to.seq = A->from.seq + 1;
	for (unsigned i = 0; A->from.seq != 0 && i < H->ndisks; i++)
		for (unsigned k = 0; k < A->ndisks; k++)
			if (strcmp(A->disks[k].id, H->disks[i].id) == 0) {
				H->disks[i].before_size = A->disks[k].before_size;
				memcpy(H->disks[i].before, A->disks[k].before, LEAF_ROOT);
			}
}

/* Where the lineage has come from, who may go on with it, and how. */
static void
say_roles(struct header *H, const struct primary *P)
{
	H->history = P->role.history;
	for (unsigned i = 0; i < P->ntargets; i++)
		memcpy(H->heirs[H->nheirs++], P->targets[i].key, RECORD_KEY);
	H->has_wishes = 1;
	H->wishes = P->wishes;
}

static void
make_header(struct ship *s)
{
	struct header *H = &s->header;
	const struct primary_point *last = primary_last(s->cut->P);

	H->type = cut_is_seed(s->cut) ? BUNDLE_SEED : BUNDLE_DELTA;
	randombytes_buf(H->id, sizeof H->id);
	memcpy(H->lineage, s->cut->P->lineage, sizeof H->lineage);
	strcpy(H->uuid, s->cut->P->uuid);
	strcpy(H->vm, s->cut->P->vm);
	strcpy(H->signer, site_card(s->cut->S)->name);
	H->created = (int64_t)time(NULL);
	H->to = (struct point){ primary_epoch(s->cut->P), last == NULL ? 1 : last->point.seq + 1, H->created,
		live_kind(s->cut) };
	say_roles(H, s->cut->P);
	H->keep = s->cut->P->keep;
	H->most = s->pack.most;
	H->cipher = s->cut->is_plain ? RECORD_CLEAR : RECORD_XCHACHA20POLY1305;
	for (unsigned i = 0; i < s->cut->P->ndisks; i++) {
		const struct primary_disk *d = &s->cut->P->disks[i];

		if (d->is_excluded) {
			strcpy(H->excluded[H->nexcluded].id, d->id);
			H->excluded[H->nexcluded++].size = d->size;
			continue;
		}
		strcpy(H->disks[H->ndisks].id, d->id);
		H->disks[H->ndisks++].size = source_size(s->cut->sources[i]);
	}
	start_from(s);
}

/* To the only site that it is for: by the key that the lock knows already, if it is locked. */
static void
hand_over(struct ship *s)
{
	const struct role *r = &s->cut->P->role;

	s->header.has_handover = 1;
	memcpy(s->header.handover, r->state == ROLE_PREPARED ? r->locked_for : s->header.targets[0].key,
	    RECORD_KEY);
}

static int
seal(struct ship *s)
{
	struct header *H = &s->header;

	randombytes_buf(s->pack.crypt.key, sizeof s->pack.crypt.key);
	s->pack.crypt.cipher = H->cipher;
	memcpy(s->pack.crypt.bundle, H->id, RECORD_ID);
	for (unsigned i = 0; i < s->cut->ntargets; i++) {
		const struct trust_entry *e = trust_by_key(site_trust(s->cut->S), s->cut->targets[i]->key);

		if (e == NULL)
			return (
			    say_refused("%s: its card is not known any more; add it with 'vmferry trust "
			                "add', say --to, or end it with 'vmferry extend %s --to %s --end'",
			        s->cut->targets[i]->name, s->cut->P->vm, s->cut->targets[i]->name));
		if (e->is_revoked)
			return (say_refused("%s: the keys of this site were revoked here: nothing is sealed "
			                    "to them; 'vmferry "
			                    "extend %s --to %s --end' ends it",
			    e->card.name, s->cut->P->vm, e->card.name));
		memcpy(H->targets[H->ntargets].key, e->card.sign, RECORD_KEY);
		site_seal(&e->card, s->pack.crypt.key, s->cut->P->leaf_seed, H->targets[H->ntargets++].seal);
	}
	if (s->cut->o->final)
		hand_over(s);
	if (s->cut->ntargets == 0) {
		H->has_leaf_seed = 1;
		memcpy(H->leaf_seed, s->cut->P->leaf_seed, LEAF_SEED);
	}
	return (0);
}

/* The header's text and its signed record. */
static int
make_member(struct ship *s)
{
	struct record *R = &s->member.record;
	size_t n = 0;

	s->member.payload = (uint8_t *)header_encode(&s->header, &n);
	if (s->member.payload == NULL && s->header.definition.size > 0) {
		definition_leave_out(s);
		s->member.payload = (uint8_t *)header_encode(&s->header, &n);
	}
	if (s->member.payload == NULL)
		return (say_failed(
		    "%s: the bundle's description does not fit; too many disks or sites, or no memory",
		    s->cut->P->vm));
	R->type = RECORD_HEADER;
	R->stored = R->plain = n;
	memcpy(R->bundle, s->header.id, RECORD_ID);
	crypto_sign_ed25519_sk_to_pk(R->link, site_secret(s->cut->S));
	crypto_generichash(R->digest, RECORD_DIGEST, s->member.payload, n, NULL, 0);
	record_pack(s->member.raw, R, site_secret(s->cut->S));
	return (0);
}

static int
make_pending(struct ship *s)
{
	struct pending *p = s->pending = calloc(1, sizeof *p);
	int rc;

	if (p == NULL || (p->text = malloc((size_t)s->member.record.stored)) == NULL)
		return (say_failed("out of memory"));
	if (waybill_wish(s->cut->o, p->wish) != 0)
		return (-1);
	p->started = (int64_t)time(NULL);
	p->base = s->cut->base;
	p->is_lost = s->cut->is_lost;
	p->is_live = live_is_running(s->cut);
	p->level = s->cut->level;
	memcpy(p->key, s->pack.crypt.key, sizeof p->key);
	memcpy(p->raw, s->member.raw, RECORD_SIZE);
	p->text_size = (size_t)s->member.record.stored;
	memcpy(p->text, s->member.payload, p->text_size);
	p->ndisks = s->cut->P->nreplicated;
	for (unsigned i = 0; i < p->ndisks; i++) {
		p->disks[i].sum = s->disks[i].sum;
		if ((rc = source_stamp(s->cut->sources[i], &p->disks[i].stamp)) < 0)
			return (-1);
		p->disks[i].has_stamp = rc == 0;
	}
	return (0);
}

static int
make_logs(struct ship *s)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < s->cut->P->nreplicated; i++)
		if (primary_changes_path(s->cut->P, s->header.to.seq, s->cut->P->disks[i].id, path) != 0 ||
		    (s->logs[i] = changelog_create(path)) == NULL)
			return (-1);
	return (0);
}

int
waybill_make(struct ship *s)
{
	int rc;

	ship_fill(s);
	for (unsigned i = 0; i < s->pack.ndisks; i++)
		s->disks[i].sum = s->cut->sums[i];
	if (pack_most(&s->pack, &s->pack.most) != 0)
		return (-1);
	make_header(s);
	if ((rc = seal(s)) != 0)
		return (rc);
	if (definition_put(s) != 0)
		return (-1);
	filename_stem(s->stem, &s->header);
	if (make_member(s) != 0 || make_pending(s) != 0 || make_logs(s) != 0)
		return (-1);
	return (s->cut->base != 0 && s->cut->o->changes != NULL ? pending_keep_sets(s->cut->P, s->cut->maybe)
	                                                        : 0);
}
