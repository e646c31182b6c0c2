#include "primary/handover.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "disk/image.h"
#include "host/host.h"
#include "primary/fencing.h"
#include "primary/pending.h"
#include "primary/plan.h"
#include "primary/primary.h"
#include "primary/resume.h"
#include "primary/waybill.h"

/* What must be so before a VM is handed over. */
struct check {
	const char *name;
	int is_ok;
	int is_said;                         /* by who found it out */
	char words[ROLE_WORDS + LIMIT_NAME]; /* of one that is not: what, and the remedy */
};

#define CHECKS 16u
struct handing {
	const struct site *S;
	const struct handover_options *o;
	struct export_options bundle; /* as it is made: the target is named */
	struct primary *P;
	const struct trust_entry *e; /* the site that is to take over; NULL: not known */
	struct primary_target *t;
	unsigned nchecks;
	struct check checks[CHECKS];
};

static struct check *
add(struct handing *h, const char *name)
{
	struct check *c = &h->checks[h->nchecks < CHECKS ? h->nchecks++ : CHECKS - 1];

	*c = (struct check){ .name = name };
	return (c);
}

static void __attribute__((format(printf, 3, 4)))
good(struct handing *h, const char *name, const char *format, ...)
{
	struct check *c = add(h, name);
	va_list ap;

	c->is_ok = 1;
	va_start(ap, format);
	vsnprintf(c->words, sizeof c->words, format, ap);
	va_end(ap);
}

static void __attribute__((format(printf, 3, 4)))
bad(struct handing *h, const char *name, const char *format, ...)
{
	struct check *c = add(h, name);
	va_list ap;

	va_start(ap, format);
	vsnprintf(c->words, sizeof c->words, format, ap);
	va_end(ap);
}

/* One that is not so, as was said just now by whoever found it out. */
static void
said(struct handing *h, const char *name)
{
	struct check *c = add(h, name);
	char words[SAY_LAST];

	say_last(words);
	for (size_t i = 0; words[i] != '\0'; i++)
		c->words[i] = words[i] >= ' ' && words[i] <= '~' ? words[i] : '?';
	c->is_said = 1;
}

/* --- the checks --------------------------------------------------------------------------------------- */

static void
check_role(struct handing *h)
{
	char words[ROLE_WORDS];
	const char *why = role_objection(&h->P->role, ROLE_PREPARE, words);

	if (why != NULL)
		bad(h, "state", "%s", why);
	else
		good(h, "state", "%s", role_state_text(h->P->role.state));
}

/* One site is meant: --to, or the only one. */
static void
check_target(struct handing *h)
{
	struct primary *P = h->P;
	const char *to = h->o->bundle.to;

	if (to == NULL && P->ntargets != 1) {
		bad(h, "target", "it is replicated to %s; say --to SITE",
		    P->ntargets == 0 ? "no site yet" : "several sites, and one takes over");
		return;
	}
	h->e = to != NULL ? trust_by_name(site_trust(h->S), to)
	                  : trust_by_key(site_trust(h->S), P->targets[0].key);
	if (h->e == NULL) {
		bad(h, "target", "the card of site '%s' is not known here; add it with 'vmferry trust add'",
		    to != NULL ? to : P->targets[0].name);
		return;
	}
	h->t = primary_target_of(P, h->e);
	if (h->t == NULL)
		bad(h, "target", "it is not replicated to site '%s': nothing was ever sent there", to);
	else if (P->role.state == ROLE_PREPARED && !trust_has_key(h->e, P->role.locked_for))
		bad(h, "target",
		    "it is prepared for another site already; take that back with 'vmferry failover "
		    "--cancel' first");
	else
		good(h, "target", "site '%s'", h->e->card.name);
	h->bundle.to = h->e->card.name;
}

/* What can be told here of how the target does. */
static void
check_health(struct handing *h)
{
	const struct primary_target *t = h->t;

	if (t == NULL)
		return;
	if (t->acked == 0)
		bad(h, "health",
		    "no receipt of site '%s' has come yet, so nobody knows here what it has; give that of "
		    "'vmferry import --receipt' there to 'vmferry import' here",
		    t->name);
	else if (t->back != 0)
		bad(h, "health",
		    "site '%s' went back from point %" PRIu64 " to %" PRIu64
		    "; export to it, and bring its receipt first",
		    t->name, t->acked, t->back);
	else
		good(h, "health", "site '%s' has acknowledged point %" PRIu64, t->name, t->acked);
}

static int
check_pending(struct handing *h)
{
	char wish[PENDING_WISH], command[PENDING_WISH];
	struct pending *p;
	int rc = pending_read(&p, h->P);

	if (rc < 0 || waybill_wish(&h->bundle, wish) != 0) {
		pending_free(rc == 0 ? p : NULL);
		return (-1);
	}
	if (rc == 0 && p->way != PENDING_PIPE && strcmp(p->wish, wish) != 0) {
		rc = waybill_command(h->P, p, command);
		bad(h, "exports",
		    "an export was begun and is not finished; go on with it by '%.300s', or give it up with "
		    "%s",
		    command, waybill_is_final(p) ? "'vmferry failover --cancel'" : "'vmferry export --anew'");
	} else {
		good(h, "exports", "none is unfinished");
	}
	pending_free(p);
	return (rc < 0 ? -1 : 0);
}

/* A host says how the VM is: off, and shut down from inside. */
static void
judge_host(struct handing *h, const struct host_state *is)
{
	const char *vm = h->P->vm;

	if (is->run == HOST_OFF && is->stop == HOST_SHUT_DOWN)
		good(h, "shut-down", "the host says so");
	else if (is->run == HOST_OFF)
		bad(h, "shut-down",
		    "the host says that it is off, and how: %s; what it had not written yet is lost so: "
		    "start it "
		    "once more, shut it down from inside, or say --vm-is-shut-down if you know that it was",
		    host_stop_name(is->stop));
	else if (is->run == HOST_ABSENT)
		bad(h, "shut-down",
		    "the host knows no VM of the name '%s', so it cannot say whether it was shut down; say "
		    "--vm-is-shut-down if it was",
		    vm);
	else
		bad(h, "shut-down", "the host says that it is %s: shut it down from inside",
		    host_run_name(is->run));
}

/* Was the VM shut down, so that all that it had to write is on its disks? */
static int
vm_is_off(struct handing *h)
{
	struct host_state is = { HOST_UNKNOWN, HOST_STOP_UNKNOWN };
	struct host *H;
	int rc = host_open(&H, h->P->host);

	if (rc == 0)
		rc = host_state(H, h->P->vm, &is);
	host_close(H);
	if (rc < 0)
		return (-1);
	if (rc != 0)
		said(h, "shut-down");
	else if (is.run == HOST_RUNNING || is.run == HOST_PAUSED ||
	         (is.run == HOST_OFF && !h->o->is_shut_down) ||
	         (is.run == HOST_ABSENT && !h->o->is_shut_down))
		judge_host(h, &is);
	else if (h->o->is_shut_down)
		good(h, "shut-down", "by your word");
	else
		bad(h, "shut-down",
		    "nobody can be asked here whether it was shut down, and not just turned off: shut it "
		    "down "
		    "from inside, and say --vm-is-shut-down");
	return (0);
}

/* No program has a disk open for writing. */
static int
check_quiet(struct handing *h)
{
	struct source *source;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < h->P->nreplicated; i++)
		if ((rc = primary_open_disk(h->P, i, SOURCE_QUIET, NULL, &source)) == 0)
			source_close(source);
	if (rc < 0)
		return (-1);
	if (rc == 0)
		good(h, "quiet", "no program writes to its disks");
	else
		said(h, "quiet");
	return (0);
}

/* Not every image can become a replica's disk, which is no hindrance: nobody need ever come back. */
static void
warn_of_return(const struct handing *h)
{
	for (unsigned i = 0; i < h->P->nreplicated; i++) {
		const struct primary_disk *d = &h->P->disks[i];

		if (!d->is_gone && !image_takes(d->where))
			say_note("%s: disk %s is at %s, where no replica can have it: this site can follow "
			         "site '%s' afterwards only if the disk was brought to a qcow2 image or a "
			         "raw file",
			    h->P->vm, d->id, d->where, h->e->card.name);
	}
}

/* Afterwards it is the other site that sends. */
static void
check_return(struct handing *h)
{
	if (h->e == NULL)
		return;
	if (h->e->is_revoked)
		bad(h, "return", "the keys of site '%s' were revoked here: nothing is handed over to it",
		    h->e->card.name);
	else if (!trust_allows(h->e, h->P->vm))
		bad(h, "return",
		    "site '%s' may not replicate this VM back to here; say 'vmferry trust add CARD --vm %s' "
		    "with its card",
		    h->e->card.name, h->P->vm);
	else {
		good(h, "return", "site '%s' may send it back", h->e->card.name);
		warn_of_return(h);
	}
}

static int
check_all(struct handing *h)
{
	check_role(h);
	check_target(h);
	check_health(h);
	if (check_pending(h) != 0 || vm_is_off(h) != 0 || check_quiet(h) != 0)
		return (-1);
	check_return(h);
	return (0);
}

static unsigned
count_bad(const struct handing *h)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->nchecks; i++)
		n += !h->checks[i].is_ok;
	return (n);
}

/* --- looking ahead ------------------------------------------------------------------------------------ */

/* How much is it?  The VM may still run: then it is what it would be now.  0; 1: it cannot be told; -1. */
static int
estimate(struct handing *h, struct plan_estimate *E)
{
	const struct plan_options w = { .bandwidth = h->o->bandwidth };
	struct export_options live = h->bundle;
	struct cut *c;
	int rc;

	if (h->t == NULL || h->t->acked == 0)
		return (1);
	if ((c = calloc(1, sizeof *c)) == NULL)
		return (say_failed("out of memory"));
	live.live_unsafe = 1;
	cut_describe(c, h->S, &live, h->P);
	rc = plan_estimate(c, &w, E);
	c->P = NULL;
	cut_free(c);
	free(c);
	return (rc);
}

static uint64_t
down_for(const struct plan_estimate *E)
{
	return (E->read_for + E->write_for + E->line_for);
}

static int
print_json(const struct handing *h, const struct plan_estimate *E)
{
	json_t *list = json_array(), *o;
	int rc;

	for (unsigned i = 0; i < h->nchecks; i++)
		json_array_append_new(list, json_pack("{s:s,s:b,s:s}", "check", h->checks[i].name, "ok",
		                                h->checks[i].is_ok, "text", h->checks[i].words));
	o = json_pack("{s:s,s:s,s:s,s:s?,s:b,s:o}", "vm", h->P->vm, "uuid", h->P->uuid, "act", "planned",
	    "to", h->t == NULL ? NULL : h->e->card.name, "ok", count_bad(h) == 0, "checks", list);
	if (E != NULL)
		json_object_set_new(o, "final",
		    json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "from", (json_int_t)E->from, "to",
		        (json_int_t)E->to, "changed", (json_int_t)E->changed, "estimate",
		        (json_int_t)E->bytes, "sampled", (json_int_t)E->sampled, "read_seconds",
		        (json_int_t)E->read_for, "write_seconds", (json_int_t)E->write_for, "line_seconds",
		        (json_int_t)E->line_for, "down_seconds", (json_int_t)down_for(E)));
	if (o == NULL)
		return (say_failed("out of memory"));
	rc = json_dumpf(o, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;
	json_decref(o);
	return (rc);
}

/* How long is the VM down, and what of that is a guess? */
static void
print_down(const struct handing *h, const struct plan_estimate *E)
{
	char all[PLAN_TEXT], part[PLAN_TEXT];

	plan_time_text(all, down_for(E));
	plan_time_text(part, E->read_for);
	printf("down: about %s: %s to read the disks, as it took just now", all, part);
	plan_time_text(part, E->write_for);
	if (h->o->bundle.media != NULL)
		printf(", %s to write the medium%s", part, E->write_for == 0 ? " (not known)" : "");
	plan_time_text(part, E->line_for);
	if (h->o->bandwidth != 0)
		printf(", %s on the line", part);
	printf(" (estimates), and what the way%s and the merge at site '%s' take\n",
	    h->o->bandwidth != 0 ? "" : " there", h->e->card.name);
}

static void
print_words(const struct handing *h, const struct plan_estimate *E)
{
	char changed[PLAN_TEXT], bytes[PLAN_TEXT], sampled[PLAN_TEXT];

	printf("%s: planned failover%s%s%s\n", h->P->vm, h->t == NULL ? "" : " to site '",
	    h->t == NULL ? "" : h->e->card.name, h->t == NULL ? "" : "'");
	for (unsigned i = 0; i < h->nchecks; i++)
		printf("  %-8s %s: %s\n", h->checks[i].is_ok ? "ok" : "NOT YET", h->checks[i].name,
		    h->checks[i].words);
	if (E == NULL)
		return;
	plan_size_text(changed, E->changed);
	plan_size_text(bytes, E->bytes);
	plan_size_text(sampled, E->sampled);
	printf("to send: from point %" PRIu64 " to point %" PRIu64
	       ", %s changed so far, about %s (an estimate from %s that were encoded, and thrown away)\n",
	    E->from, E->to, changed, bytes, sampled);
	print_down(h, E);
}

static int
look_ahead(struct handing *h)
{
	struct plan_estimate E;
	int rc = estimate(h, &E);

	if (rc < 0)
		return (-1);
	if (!h->o->json)
		print_words(h, rc == 0 ? &E : NULL);
	else if (print_json(h, rc == 0 ? &E : NULL) != 0)
		return (-1);
	if (count_bad(h) > 0)
		return (say_refused("%s: %u of %u checks failed; a planned failover would be refused",
		    h->P->vm, count_bad(h), h->nchecks));
	return (rc);
}

/* --- */

static int
hand_over(struct handing *h)
{
	char vm[sizeof h->P->vm], site[sizeof h->e->card.name];
	struct primary *P = h->P;
	int rc;

	for (unsigned i = 0; i < h->nchecks; i++)
		if (!h->checks[i].is_ok && !h->checks[i].is_said)
			say_refusal("%s: %s", P->vm, h->checks[i].words);
	if (count_bad(h) > 0 || h->e == NULL)
		return (1);
	strcpy(vm, P->vm);
	strcpy(site, h->e->card.name);
	h->P = NULL;
	if ((rc = export_opened(h->S, P, &h->bundle)) != 0)
		return (rc);
	say_note("%s: locked: it is handed over to site '%s'; when its bundle is there, say 'vmferry "
	         "failover %s --planned --complete' there, or 'vmferry failover %s --cancel' here",
	    vm, site, vm, vm);
	/* What goes wrong from here on takes nothing of it back. */
	if (primary_open(&h->P, h->S, vm) == 0)
		fencing_script(h->P, h->S, SCRIPT_AFTER_STOP, "planned");
	return (0);
}

int
handover(struct site *S, const struct handover_options *o)
{
	struct handing *h = calloc(1, sizeof *h);
	int rc;

	if (h == NULL)
		return (say_failed("out of memory"));
	h->S = S;
	h->o = o;
	h->bundle = o->bundle;
	h->bundle.final = h->bundle.delta = 1;
	if ((rc = primary_open(&h->P, S, o->bundle.vm)) == 0 && (rc = check_all(h)) == 0)
		rc = o->is_dry ? look_ahead(h) : hand_over(h);
	primary_close(h->P);
	free(h);
	return (rc);
}

/* --- taking it back ----------------------------------------------------------------------------------- */

/* What was begun of the handover's bundle is never to be completed: 1: there was something; 0; -1. */
static int
drop_bundle(const struct primary *P)
{
	struct pending *p;
	int rc = pending_read(&p, P);

	if (rc != 0)
		return (rc < 0 ? -1 : 0);
	rc = !waybill_is_final(p) ? 0
	     : p->volume.is_last  ? (pending_remove(P) != 0 ? -1 : 1)
	                          : (resume_give_up(p, P) != 0 ? -1 : 1);
	pending_free(p);
	return (rc);
}

static int
withdraw(struct primary *P)
{
	char words[ROLE_WORDS];
	const char *why = role_objection(&P->role, ROLE_CANCEL, words);
	uint64_t seq = P->role.locked;
	int begun;

	if (P->role.is_fenced)
		return (say_refused("%s: %s", P->vm, why));
	if ((begun = drop_bundle(P)) < 0)
		return (-1);
	if (why != NULL && begun) {
		say_note("%s: the handover that was begun is given up; it was never locked", P->vm);
		return (0);
	}
	if (why != NULL)
		return (say_refused("%s: %s", P->vm, why));
	if (role_withdraw(&P->role) != 0)
		return (say_refused("%s: it cannot be taken back in this state", P->vm));
	if (primary_save(P) != 0)
		return (-1);
	say_note("%s: unlocked: the handover at point %" PRIu64
	         " is taken back; where it was used all the same, that is seen at the next contact, and "
	         "nothing is merged",
	    P->vm, seq);
	return (0);
}

int
handover_cancel(const struct site *S, const char *vm)
{
	struct primary *P;
	int rc = primary_open(&P, S, vm);

	if (rc == 0)
		rc = withdraw(P);
	primary_close(P);
	return (rc);
}
