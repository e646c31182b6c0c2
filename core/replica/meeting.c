#include "replica/meeting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/say.h"
#include "replica/compare.h"
#include "replica/intake.h"

/* Where we are, as far as this is here for good. */
struct here {
	struct role role; /* with the history that has led there */
	struct point newest;
};

static void
look(struct here *h, const struct replica *R)
{
	h->role = R->role;
	h->newest = intake_held_by(R, &h->role.history);
}

static int
is_heir(const struct replica *R, const struct trust_entry *e)
{
	for (unsigned i = 0; i < R->nheirs; i++)
		if (trust_has_key(e, R->heirs[i]))
			return (1);
	return (0);
}

/* Has it ever begun an epoch of ours? */
static int
was_primary(const struct replica *R, const struct trust_entry *e)
{
	for (unsigned i = 0; i < R->role.history.n; i++)
		if (trust_has_key(e, R->role.history.turns[i].site))
			return (1);
	return (0);
}

/* Did the site of e begin the epoch that the history has come to? */
static int
began(const struct trust_entry *e, const struct history *h)
{
	return (h->n > 0 && trust_has_key(e, h->turns[h->n - 1].site));
}

static void
claim(struct replica *R, const struct trust_entry *e, const struct header *H)
{
	struct role_claim c = {
		.history = H->history, .newest = H->to, .is_primary = 1, .heard = (int64_t)time(NULL)
	};

	memcpy(c.site, e->card.sign, RECORD_KEY);
	role_claim(&R->role, &c);
}

/* Where the ways part, in words: "behind point 7", or that it is not known. */
static void
fork_text(char out[64], const struct here *h, const struct header *H)
{
	struct point fork = history_fork(&h->role.history, &h->newest, &H->history, &H->to);

	if (fork.seq == 0)
		strcpy(out, "at a point that is not known any more");
	else
		snprintf(out, 64, "behind point %" PRIu64, fork.seq);
}

static int
refuse_behind(
    const struct replica *R, const struct trust_entry *e, const struct header *H, const struct here *h)
{
	return (say_refused("%s: site '%s' speaks of epoch %" PRIu64 ", and here it is epoch %" PRIu64
	                    " of site '%s': it does not know of that yet; give it what 'vmferry import "
	                    "--receipt' writes here",
	    R->vm, e->card.name, history_epoch(&H->history), history_epoch(&h->role.history), R->primary));
}

static int
refuse_stray(
    const struct replica *R, const struct trust_entry *e, const struct header *H, const struct here *h)
{
	char fork[64];

	fork_text(fork, h, H);
	return (say_refused("%s: site '%s' goes on in epoch %" PRIu64 " to point %" PRIu64
	                    ", and here it is epoch %" PRIu64
	                    " of site '%s': the histories have parted %s; say there 'vmferry resync %s "
	                    "--keep SITE', with the site that is to be kept",
	    R->vm, e->card.name, history_epoch(&H->history), H->to.seq, history_epoch(&h->role.history),
	    R->primary, fork, R->vm));
}

static int
refuse_rival(
    const struct replica *R, const struct trust_entry *e, const struct header *H, const struct here *h)
{
	char fork[64];

	fork_text(fork, h, H);
	return (say_refused("%s: site '%s' has begun an epoch %" PRIu64
	                    " of its own, and so has the one of site '%s' that is known here: the histories "
	                    "have parted %s; decide for one of them, and say at each other site 'vmferry "
	                    "resync %s --keep SITE'",
	    R->vm, e->card.name, history_epoch(&H->history), R->primary, fork, R->vm));
}

/* We have parted from the site that is to be followed: nothing goes on without a person's word. */
static int
part(struct replica *R, const struct trust_entry *e, const struct header *H, const struct here *h)
{
	char fork[64];

	fork_text(fork, h, H);
	if (role_step(&R->role, ROLE_PART) == 0)
		snprintf(R->role.cause, sizeof R->role.cause,
		    "site '%.80s' goes on in epoch %" PRIu64 " %s, and here it is point %" PRIu64
		    " of epoch %" PRIu64,
		    e->card.name, history_epoch(&H->history), fork, h->newest.seq, h->newest.epoch);
	if (replica_save(R) != 0)
		return (-1);
	return (say_refused("%s: site '%s' goes on in epoch %" PRIu64 ", and this site has point %" PRIu64
	                    " of epoch %" PRIu64
	                    ": the histories have parted %s; say here 'vmferry resync %s --keep %s'",
	    R->vm, e->card.name, history_epoch(&H->history), h->newest.seq, h->newest.epoch, fork, R->vm,
	    e->card.name));
}

/* Nothing is lost by what is not taken in: it is kept in mind. */
static int
refuse(struct replica *R, const struct trust_entry *e, const struct header *H, const struct here *h,
    enum role_meeting m)
{
	if (m == ROLE_PARTED && R->role.state == ROLE_RESYNCING && trust_has_key(e, R->key))
		return (say_refused("%s: the bundle to point %" PRIu64
		                    " of site '%s' does not start from what was compared here; bring what "
		                    "'vmferry export --against' makes there",
		    R->vm, H->to.seq, e->card.name));
	claim(R, e, H);
	if (m == ROLE_PARTED)
		return (part(R, e, H, h));
	if (replica_save(R) != 0)
		return (-1);
	return (m == ROLE_BEHIND  ? refuse_behind(R, e, H, h)
	        : m == ROLE_STRAY ? refuse_stray(R, e, H, h)
	                          : refuse_rival(R, e, H, h));
}

static int
refuse_incredible(const struct replica *R, const struct trust_entry *e, const struct header *H)
{
	return (say_refused("%s: site '%s' speaks of point %" PRIu64 " of epoch %" PRIu64
	                    ", which nobody can have come to: nothing of it is believed",
	    R->vm, e->card.name, H->to.seq, history_epoch(&H->history)));
}

/* What we have got already may come again, whoever is the primary now. */
static int
is_again(const struct replica *R, const struct header *H, const struct here *h)
{
	return (H->to.seq <= h->newest.seq && history_has(&h->role.history, &H->history, &H->to) &&
	        intake_is_ours(R, &H->to));
}

int
meeting(struct replica *R, const struct trust_entry *e, const struct header *H)
{
	int is_followed = trust_has_key(e, R->key), is_combined = H->nparts > 0;
	enum role_meeting m;
	struct here h;

	/* Who combined deltas may be another site; where they lead to is proven to be the primary's word. */
	if (!is_combined && !is_followed && !is_heir(R, e) && !was_primary(R, e))
		return (say_refused(
		    "%s: this VM was accepted from site '%s'; a bundle of site '%s' for it is not", H->vm,
		    R->primary, e->card.name));
	look(&h, R);
	if (!role_is_credible(&h.role, &h.newest, &H->history, &H->to))
		return (refuse_incredible(R, e, H));
	/* A placeholder is at no point that anything could part from. */
	if (h.newest.seq == 0 && (is_followed || is_combined))
		return (0);
	m = role_meet(&h.role, &h.newest, &H->history, &H->to);
	if ((m == ROLE_PEER || m == ROLE_AHEAD) && is_followed)
		return (0);
	/* Who has a key that was revoked may say when he likes that something was made before. */
	if (m == ROLE_OVERTAKEN && e->is_revoked)
		return (say_refused("%s: site '%s' has begun epoch %" PRIu64
		                    ", and its keys were revoked here: it is not followed there",
		    R->vm, e->card.name, history_epoch(&H->history)));
	if (m == ROLE_OVERTAKEN && (is_followed || is_heir(R, e)) && began(e, &H->history))
		return (0);
	if ((m == ROLE_PEER || m == ROLE_AHEAD || m == ROLE_OVERTAKEN) && is_combined)
		return (0);
	/* What was made for these very disks leads over. */
	if (m == ROLE_PARTED && is_followed && H->has_against && H->type == BUNDLE_DELTA &&
	    compare_is_fit(R, H))
		return (0);
	if (is_again(R, H, &h))
		return (0);
	if (is_combined)
		return (say_refused("%s: the combined delta is of epoch %" PRIu64
		                    ", on another way than what is here; bring its parts",
		    R->vm, H->to.epoch));
	if (m == ROLE_PEER || m == ROLE_AHEAD || m == ROLE_OVERTAKEN)
		return (
		    say_refused("%s: this site follows site '%s' in epoch %" PRIu64
		                "; the bundle of site '%s' is of epoch %" PRIu64 ", which that has not begun",
		        R->vm, R->primary, history_epoch(&h.role.history), e->card.name, H->to.epoch));
	return (refuse(R, e, H, &h, m));
}

int
meeting_heard(struct replica *R, const struct trust_entry *e, const struct header *H)
{
	enum role_meeting m;
	struct here h;

	if (memcmp(R->lineage, H->lineage, RECORD_ID) != 0)
		return (say_refused("%s: the receipt is for another lineage of this VM", R->vm));
	if (!trust_has_key(e, R->key) && !is_heir(R, e) && !was_primary(R, e))
		return (say_refused(
		    "%s: this VM was accepted from site '%s'; the word of site '%s' for it is not", R->vm,
		    R->primary, e->card.name));
	look(&h, R);
	if (!role_is_credible(&h.role, &h.newest, &H->history, &H->to))
		return (refuse_incredible(R, e, H));
	m = role_meet(&h.role, &h.newest, &H->history, &H->to);
	if (m == ROLE_PEER || m == ROLE_AHEAD || m == ROLE_OVERTAKEN) {
		say_note("%s: site '%s' is its primary, in epoch %" PRIu64 ": what it sends is taken in here",
		    R->vm, e->card.name, history_epoch(&H->history));
		return (0);
	}
	return (refuse(R, e, H, &h, m));
}

int
meeting_twin(struct replica *R, const struct trust_entry *e, const struct header *H)
{
	if (H->nparts == 0) {
		claim(R, e, H);
		if (replica_save(R) != 0)
			return (-1);
	}
	return (say_refused(
	    "%s: point %" PRIu64 " of site '%s' is not the one of that number that was here before: its "
	    "record is older than what is here (restored from a backup?); give it what 'vmferry "
	    "import --receipt' writes here",
	    R->vm, H->to.seq, e->card.name));
}

void
meeting_received(struct replica *R, const struct site *S, const struct header *H)
{
	if (H->nparts > 0)
		return;
	role_heard(&R->role, &H->history);
	role_received(&R->role, &H->to, H->has_handover && site_is_own_key(S, H->handover));
}
