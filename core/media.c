#include "media.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "gather.h"
#include "import.h"
#include "jsontext.h"
#include "medium/holdings.h"
#include "primary/primary.h"
#include "replica/intake.h"
#include "replica/replica.h"

/* Who made a bundle. */
enum maker { MAKER_UNKNOWN, MAKER_KNOWN, MAKER_REVOKED, MAKER_US };

/* Has it done its duty? */
enum duty {
	DUTY_OPEN,         /* not that we know */
	DUTY_ACKNOWLEDGED, /* every site that it is for has said so */
	DUTY_HELD,         /* what it brings is here for good */
	DUTY_TAKEN,        /* a receipt, and its word is in our record */
};

struct verdict {
	enum maker maker;
	enum duty duty;
	int can_go; /* nobody needs it any more */
};

struct listing {
	struct site *S;
	const struct media_options *o;
	struct medium *M;
	struct holdings C;
	json_t *list;
	uint64_t removed; /* bytes */
};

static const char *const duties[] = { "open", "acknowledged", "held", "taken" };

/* --- what can be deleted ------------------------------------------------------------------------------ */

static enum maker
judge_maker(const struct site *S, const struct holdings_bundle *b)
{
	const struct trust_entry *e;
	char words[TRUST_WORDS];

	if (site_is_own_key(S, b->key))
		return (MAKER_US);
	if ((e = trust_by_key(site_trust(S), b->key)) == NULL)
		return (MAKER_UNKNOWN);
	return (trust_objection(e, b->key, b->created, words) == NULL ? MAKER_KNOWN : MAKER_REVOKED);
}

/* The target of P that a bundle names by a key, perhaps an earlier one. */
static const struct primary_target *
target_of(const struct site *S, struct primary *P, const uint8_t key[RECORD_KEY])
{
	const struct trust_entry *e = trust_by_key(site_trust(S), key);

	return (e == NULL ? NULL : primary_target_of(P, e));
}

/* Is its point one that our epochs have gone through? */
static int
is_on_way(const struct primary *P, const struct holdings_bundle *b)
{
	const struct history *h = &P->role.history;

	return (b->epoch <= primary_epoch(P) && history_has(h, h, &b->to));
}

/* Our own bundle: has every site acknowledged it that it is for?  One for nobody is for all. */
static int
is_acknowledged(const struct site *S, struct primary *P, const struct holdings_bundle *b)
{
	unsigned n = b->ntargets == 0 ? P->ntargets : b->ntargets;

	if (memcmp(P->lineage, b->lineage, RECORD_ID) != 0 || !is_on_way(P, b))
		return (0);
	for (unsigned i = 0; i < n; i++) {
		const struct primary_target *t =
		    b->ntargets == 0 ? &P->targets[i] : target_of(S, P, b->targets[i]);

		if (t == NULL || t->acked < b->to.seq)
			return (0);
	}
	return (n > 0);
}

static void
judge_as_primary(const struct site *S, const struct holdings_bundle *b, struct verdict *v)
{
	const struct primary_target *t;
	char uuid[HEADER_UUID];
	struct primary *P;

	if (primary_find(S, b->uuid, uuid) != 1 || primary_look(&P, S, uuid) != 0)
		return;
	if (v->maker == MAKER_US && header_leads(b->type) && is_acknowledged(S, P, b))
		v->duty = DUTY_ACKNOWLEDGED;
	if (v->maker == MAKER_KNOWN && b->type == BUNDLE_RECEIPT &&
	    memcmp(P->lineage, b->lineage, RECORD_ID) == 0 && is_on_way(P, b) &&
	    (t = target_of(S, P, b->key)) != NULL && t->acked >= b->to.seq)
		v->duty = DUTY_TAKEN;
	v->can_go = v->duty != DUTY_OPEN;
	primary_close(P);
}

/* Others may still wait for a bundle that we have, if it is for them too. */
static int
is_for_us_alone(const struct site *S, const struct holdings_bundle *b)
{
	for (unsigned i = 0; i < b->ntargets; i++)
		if (!site_is_own_key(S, b->targets[i]))
			return (0);
	return (b->ntargets > 0);
}

static void
judge_as_replica(const struct site *S, const struct holdings_bundle *b, struct verdict *v)
{
	const struct trust_entry *e = trust_by_key(site_trust(S), b->key);
	char uuid[HEADER_UUID];
	struct replica *R;
	struct point held;

	if (v->maker != MAKER_KNOWN || !header_leads(b->type) || replica_find(S, b->uuid, uuid) != 1 ||
	    replica_look(&R, S, uuid) != 0)
		return;
	held = intake_held(R);
	if (trust_has_key(e, R->key) && memcmp(R->lineage, b->lineage, RECORD_ID) == 0 &&
	    held.epoch == b->to.epoch && held.seq >= b->to.seq) {
		v->duty = DUTY_HELD;
		v->can_go = is_for_us_alone(S, b);
	}
	replica_close(R);
}

static struct verdict
judge(const struct site *S, const struct holdings_bundle *b)
{
	struct verdict v = { judge_maker(S, b), DUTY_OPEN, 0 };

	judge_as_primary(S, b, &v);
	if (v.duty == DUTY_OPEN)
		judge_as_replica(S, b, &v);
	return (v);
}

/* --- words -------------------------------------------------------------------------------------------- */

/* A name from a folder, which may hold anything, made fit to be shown. */
static const char *
fit(char out[256], const char *name)
{
	size_t i = 0;

	for (; i < 255 && name[i] != '\0'; i++)
		out[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	out[i] = '\0';
	return (out);
}

/* What a site is called here, or the start of its key. */
static const char *
site_name(const struct site *S, const uint8_t key[RECORD_KEY], char out[24])
{
	const struct trust_entry *e = trust_by_key(site_trust(S), key);
	char hex[17];

	if (e != NULL)
		return (e->card.name);
	if (site_is_own_key(S, key))
		return (site_card(S)->name);
	sodium_bin2hex(hex, sizeof hex, key, 8);
	snprintf(out, 24, "%s...", hex);
	return (out);
}

static void
volumes_text(char out[64], const struct holdings_bundle *b)
{
	unsigned all = holdings_volumes(b), n = 0;

	for (unsigned i = 0; i < b->nvolumes; i++)
		n += i == 0 || b->volumes[i].number != b->volumes[i - 1].number;
	if (all == 0)
		snprintf(out, 64, "%u of ?", n);
	else
		snprintf(out, 64, "%u of %u", n, all);
}

static void
points_text(char out[64], const struct holdings_bundle *b)
{
	if (b->type == BUNDLE_RECEIPT || b->from.seq == 0)
		snprintf(out, 64, "%" PRIu64, b->to.seq);
	else
		snprintf(out, 64, "%" PRIu64 "-%" PRIu64, b->from.seq, b->to.seq);
}

static void
print_state(const struct holdings_bundle *b, const struct verdict *v)
{
	static const char *const words[] = { "", ", acknowledged", ", is here", ", taken" };
	unsigned damaged = 0;

	for (unsigned i = 0; i < b->nvolumes; i++)
		damaged += !b->volumes[i].is_whole;
	if (damaged > 0)
		printf("%u damaged", damaged);
	else
		printf("%s", holdings_is_whole(b) ? "whole" : "others are elsewhere");
	if (v->maker == MAKER_UNKNOWN)
		printf(", of an unknown signer");
	if (v->maker == MAKER_REVOKED)
		printf(", signed with a revoked key");
	printf("%s%s\n", words[v->duty], v->can_go ? ", can be deleted" : "");
}

static void
print_bundle(const struct listing *l, const struct holdings_bundle *b, const struct verdict *v)
{
	char points[64], volumes[64], hex[24], id[2 * RECORD_ID + 1], name[256];

	points_text(points, b);
	volumes_text(volumes, b);
	sodium_bin2hex(id, sizeof id, b->id, RECORD_ID);
	printf("%-20s %-8s %-12s %-8.8s %-8s %14" PRIu64 "  ", b->vm, header_type_text(b->type), points, id,
	    volumes, holdings_bytes(b));
	print_state(b, v);
	printf("  from %s", site_name(l->S, b->key, hex));
	for (unsigned i = 0; i < b->ntargets; i++)
		printf("%s %s", i == 0 ? " for" : ",", site_name(l->S, b->targets[i], hex));
	printf("%s\n", b->ntargets > 0 || !header_leads(b->type) ? "" : " for whoever has it");
	for (unsigned i = 0; i < b->nvolumes; i++)
		if (!b->volumes[i].is_whole)
			printf("  damaged: %s\n", fit(name, b->volumes[i].name));
}

static json_t *
volumes_json(const struct holdings_bundle *b)
{
	json_t *a = json_array();
	char name[256];

	for (unsigned i = 0; i < b->nvolumes; i++)
		json_array_append_new(
		    a, json_pack("{s:s,s:i,s:I,s:b}", "file", fit(name, b->volumes[i].name), "number",
		           (int)b->volumes[i].number, "bytes", (json_int_t)b->volumes[i].bytes, "whole",
		           b->volumes[i].is_whole));
	return (a);
}

static json_t *
targets_json(const struct listing *l, const struct holdings_bundle *b)
{
	json_t *a = json_array();
	char hex[24];

	for (unsigned i = 0; i < b->ntargets; i++)
		json_array_append_new(a, json_string(site_name(l->S, b->targets[i], hex)));
	return (a);
}

static void
list_json(const struct listing *l, const struct holdings_bundle *b, const struct verdict *v)
{
	static const char *const makers[] = { "unknown", "known", "revoked", "us" };
	char hex[24];
	json_t *o = json_pack("{s:s,s:s,s:s,s:I,s:I,s:s,s:s,s:o,s:o,s:i,s:b,s:I,s:s,s:b}", "vm", b->vm,
	    "uuid", b->uuid, "type", header_type_text(b->type), "from", (json_int_t)b->from.seq, "to",
	    (json_int_t)b->to.seq, "site", site_name(l->S, b->key, hex), "signer", makers[v->maker],
	    "targets", targets_json(l, b), "volumes", volumes_json(b), "of", (int)holdings_volumes(b),
	    "whole", holdings_is_whole(b), "bytes", (json_int_t)holdings_bytes(b), "duty", duties[v->duty],
	    "deletable", v->can_go);

	jsontext_set_bytes(o, "id", b->id, RECORD_ID);
	json_array_append_new(l->list, o);
}

/* --- delete ------------------------------------------------------------------------------------------- */

static int
remove_bundle(struct listing *l, const struct holdings_bundle *b)
{
	for (unsigned i = 0; i < b->nvolumes; i++) {
		if (medium_remove(l->M, b->volumes[i].name) != 0)
			return (-1);
		l->removed += b->volumes[i].bytes;
		say_note("%s/%s: deleted", medium_folder(l->M), b->volumes[i].name);
	}
	return (0);
}

static int
same_stem(void *context, const char *name)
{
	char stem[FILENAME_STEM];

	return (filename_split(stem, name) != 0 && strcmp(stem, context) == 0 ? 2 : 0);
}

/* Is it what a vmferry that was killed left half written?  The lock says that none is writing now. */
static int
is_half_written(const char *name)
{
	char stem[FILENAME_STEM], whole[FILENAME_SIZE];
	size_t n = strlen(name), end = n > 5 && strcmp(name + n - 5, ".part") == 0  ? n - 5
	                               : n > 4 && strcmp(name + n - 4, ".new") == 0 ? n - 4
	                                                                            : 0;

	if (end == 0 || end >= sizeof whole)
		return (0);
	memcpy(whole, name, end);
	whole[end] = '\0';
	return (filename_split(stem, whole) != 0 || filename_beside(stem, whole) != NULL ||
	        strcmp(whole, "medium") == 0);
}

/* What lies beside volumes goes when none of them is there any more; so does what was left half written. */
static int
sweep(void *context, const char *name)
{
	struct listing *l = context;
	char stem[FILENAME_STEM];
	int rc;

	if (is_half_written(name)) {
		say_note("%s/%s: deleted: was left half written", medium_folder(l->M), name);
		return (medium_remove(l->M, name));
	}
	if (filename_beside(stem, name) == NULL)
		return (0);
	rc = medium_each(l->M, ".vmf", same_stem, stem);
	return (rc == 0 ? medium_remove(l->M, name) : rc < 0 ? -1 : 0);
}

static int
clean(struct listing *l)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < l->C.n; i++)
		if (judge(l->S, &l->C.bundles[i]).can_go)
			rc = remove_bundle(l, &l->C.bundles[i]);
	if (rc == 0)
		rc = medium_each(l->M, "", sweep, l);
	if (rc == 0)
		rc = io_sync_dir(medium_folder(l->M));
	if (rc == 0)
		say_note("%s: %" PRIu64 " bytes of bundles deleted", medium_folder(l->M), l->removed);
	return (rc);
}

/* --- */

static int
print_medium_json(struct listing *l, uint64_t bytes)
{
	const struct identity *I = medium_identity(l->M);
	json_t *others = json_array(), *o;
	char name[256];
	int rc;

	for (size_t i = 0; i < l->C.nothers; i++)
		json_array_append_new(others, json_string(fit(name, l->C.others[i])));
	o = json_pack("{s:s,s:s,s:s,s:I,s:O,s:o}", "label", I->label, "id", I->id, "folder",
	    medium_folder(l->M), "free", (json_int_t)bytes, "bundles", l->list, "others", others);
	rc = json_dumpf(o, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;
	json_decref(o);
	return (rc);
}

static int
print(struct listing *l)
{
	const struct identity *I = medium_identity(l->M);
	char name[256];
	uint64_t bytes;

	if (medium_free_bytes(l->M, &bytes) != 0)
		return (-1);
	l->list = l->o->json ? json_array() : NULL;
	if (!l->o->json)
		printf("medium '%s' %s, %" PRIu64 " bytes free\n", I->label, I->id, bytes);
	if (!l->o->json && l->C.n > 0)
		printf("%-20s %-8s %-12s %-8s %-8s %14s  %s\n", "VM", "TYPE", "POINTS", "ID", "VOLUMES",
		    "BYTES", "STATE");
	for (size_t i = 0; i < l->C.n; i++) {
		struct verdict v = judge(l->S, &l->C.bundles[i]);

		(l->o->json ? list_json : print_bundle)(l, &l->C.bundles[i], &v);
	}
	if (l->o->json)
		return (print_medium_json(l, bytes));
	for (size_t i = 0; i < l->C.nothers; i++)
		printf("no bundle: %s\n", fit(name, l->C.others[i]));
	return (0);
}

static int
look(struct listing *l)
{
	int rc;

	if (l->o->clean && !medium_can_write(l->M))
		return (say_refused("%s: cannot be written to, so nothing is deleted", medium_folder(l->M)));
	if ((rc = import_confine(l->S, medium_folder(l->M), l->o->insist)) != 0 ||
	    (rc = holdings_read(&l->C, l->M, 1)) != 0)
		return (rc);
	if ((rc = gather(l->S, l->M, &l->C)) == 0 && (rc = print(l)) == 0 && l->o->clean)
		rc = clean(l);
	holdings_free(&l->C);
	json_decref(l->list);
	return (rc);
}

int
media(struct site *S, const struct media_options *o)
{
	struct listing l = { .S = S, .o = o };
	enum medium_use use = o->label != NULL ? MEDIUM_WRITE : o->clean ? MEDIUM_LEAVE : MEDIUM_READ;
	int rc = medium_open(&l.M, o->dir, use, o->label);

	if (rc == 0 && o->label != NULL)
		rc = medium_rename(l.M, o->label);
	if (rc == 0)
		rc = look(&l);
	medium_close(l.M);
	return (rc);
}

int
media_tidy(struct site *S, const char *dir)
{
	const struct media_options o = { .dir = dir, .clean = 1 };
	struct listing l = { .S = S, .o = &o };
	int rc = medium_open(&l.M, dir, MEDIUM_LEAVE, NULL);

	if (rc == 0 && (rc = import_confine(S, medium_folder(l.M), 0)) == 0 &&
	    (rc = holdings_read(&l.C, l.M, 0)) == 0) {
		rc = clean(&l);
		holdings_free(&l.C);
	}
	medium_close(l.M);
	return (rc);
}
