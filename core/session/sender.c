#include "session/sender.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/stop.h"
#include "session/cargo.h"
#include "session/ferry.h"
#include "import.h"
#include "session/outgoing.h"
#include "replica/onward.h"
#include "send.h"

struct sender {
	const struct site *S;
	struct sender_options o;
	char uuid[40], to[LIMIT_NAME + 1];
	struct cargo cargo;
	struct session_have have;
	int has_have;
	struct outgoing g;  /* the stream */
	struct rate *terms; /* what the other site prescribes */
	int is_sure;        /* what it ends with is an answer, and not the line's */
	int is_cut;         /* it is the line's all the same */
	int is_done;        /* what was cut had come */
	int was_anew;       /* what waits to be forwarded, and went before, was taken up once more */
	struct sender_result result;
};

/* --- its life ----------------------------------------------------------------------------------------------- */

int
sender_new(struct sender **out, const struct site *S, const struct sender_options *o)
{
	struct sender *s = *out = calloc(1, sizeof *s);

	if (s == NULL)
		return (say_failed("out of memory"));
	if (outgoing_make(&s->g, s->to) != 0) {
		free(s);
		*out = NULL;
		return (-1);
	}
	s->S = S;
	s->o = *o;
	snprintf(s->uuid, sizeof s->uuid, "%s", o->uuid);
	snprintf(s->to, sizeof s->to, "%s", o->to);
	/* One place is for what the other site prescribes. */
	s->g.nlimits = o->nlimits < OUTGOING_LIMITS ? o->nlimits + 1 : OUTGOING_LIMITS;
	for (unsigned i = 1; i < s->g.nlimits; i++)
		s->g.limits[i] = o->limits[i - 1];
	return (0);
}

void
sender_free(struct sender *s)
{
	if (s == NULL)
		return;
	outgoing_free(&s->g);
	rate_free(s->terms);
	free(s);
}

void
sender_result(const struct sender *s, struct sender_result *r)
{
	*r = s->result;
	r->seq = s->cargo.acked;
	r->bytes = s->g.bytes;
	if (s->has_have)
		r->terms = s->have.terms;
	else
		r->terms.rate = s->o.rate;
}

/* --- what the other site has ---------------------------------------------------------------------------- */

/* It wants no more than so many bytes a second. */
static int
obey(struct sender *s, uint64_t rate)
{
	if (rate == 0 && s->terms == NULL)
		return (0);
	if (s->terms == NULL && (s->terms = rate_new(rate)) == NULL)
		return (-1);
	rate_set(s->terms, rate);
	s->g.limits[0] = s->terms;
	return (0);
}

/* What the other site has answered, as a result. */
static int
is_answered(struct sender *s)
{
	if (s->g.answer.rc == 0)
		return (0);
	say_refused("%s: site '%s' says: %s", s->cargo.vm, s->to,
	    s->g.answer.text[0] == '\0' ? "it could not be taken" : s->g.answer.text);
	say_last(s->result.why);
	return (s->g.answer.rc == 1 ? 1 : -1);
}

/* It answers before it was told anything: nobody is served who is not meant. */
static int
hear_refusal(struct sender *s, const uint8_t *body, size_t n)
{
	if (outgoing_take_answer(&s->g, body, n) != 0)
		return (-1);
	if (s->g.answer.rc == 0)
		return (ferry_astray(SESSION_ANSWER));
	s->is_sure = 1;
	return (is_answered(s));
}

/* It says what it has; its receipt comes behind that. */
static int
hear(struct sender *s)
{
	enum session_kind kind;
	const uint8_t *body;
	const char *why;
	size_t n;

	if (ferry_next(s->g.C, &kind, &body, &n) != 0)
		return (-1);
	if (kind == SESSION_ANSWER)
		return (hear_refusal(s, body, n));
	if (kind != SESSION_HAVE)
		return (ferry_astray(kind));
	if ((why = session_decode_have(&s->have, body, n)) != NULL)
		return (say_failed("what site '%s' has is not understood: %s", s->to, why));
	s->has_have = 1;
	if (!s->have.has_receipt)
		return (obey(s, s->have.terms.rate));
	if (ferry_next(s->g.C, &kind, &body, &n) != 0)
		return (-1);
	if (kind != SESSION_OPEN || n != 1 || body[0] != SESSION_RECEIPT)
		return (ferry_astray(kind));
	return (outgoing_take_receipt(&s->g) != 0 ? -1 : obey(s, s->have.terms.rate));
}

static int
ask(struct sender *s, enum session_verb verb)
{
	struct session_ask a = { .verb = verb, .size = s->cargo.size, .time = (int64_t)time(NULL) };

	snprintf(a.vm, sizeof a.vm, "%s", s->cargo.vm);
	snprintf(a.uuid, sizeof a.uuid, "%s", s->uuid);
	outgoing_drop_receipt(&s->g);
	if (ferry_ask(s->g.C, &a) != 0)
		return (-1);
	return (verb == SESSION_NEXT ? 0 : hear(s));
}

int
sender_test(struct sender *s, struct channel *C, struct session_have *h)
{
	uint64_t all, taken;
	int rc;

	s->g.C = C;
	if ((rc = cargo_look(&s->cargo, s->S, s->uuid, s->to)) != 0)
		return (rc);
	if (cargo_measure(&s->cargo, s->S, &all, &taken) == 0 && all > s->cargo.size)
		s->cargo.size = all;
	if ((rc = ask(s, SESSION_TEST)) != 0)
		return (rc);
	*h = s->have;
	return (0);
}

/* --- its receipt ----------------------------------------------------------------------------------------- */

struct receipt {
	const char *home, *uuid;
};

static int
do_receipt(const void *context, uint64_t *value)
{
	const struct receipt *w = context;
	const struct import_options o = { .only = w->uuid };
	struct site *S = site_open(w->home);
	int rc = S == NULL ? -1 : import(S, &o);

	(void)value;
	site_close(S);
	return (rc);
}

/* Does what the other site says it has, as its receipt does, differ from what is known? */
static int
is_news(const struct sender *s)
{
	return (s->cargo.side != ROLE_PRIMARY || s->have.held != s->cargo.acked ||
	        s->have.seq != s->cargo.acked || s->have.epoch != s->cargo.epoch ||
	        strcmp(s->have.state, role_state_text(ROLE_REPLICATING)) != 0);
}

/* Take in the receipt that came, if one did: 0; 1 or -1, said. */
static int
use_receipt(struct sender *s)
{
	const struct receipt w = { site_home(s->S), s->uuid };
	const struct pump_work work = {
		.run = do_receipt, .context = &w, .what = "the import of the receipt", .has_input = 1
	};
	struct pump_result r = { .rc = -1 };
	struct pump *P;

	if (s->g.nreceipt == 0)
		return (0);
	if (pump_start(&P, &work) != 0)
		return (-1);
	if (ferry_give(s->g.C, P, s->g.receipt, s->g.nreceipt) >= 0) {
		pump_close_input(P);
		(void)ferry_wait(s->g.C, P, &r);
	}
	pump_free(P);
	outgoing_drop_receipt(&s->g);
	if (r.rc != 0)
		memcpy(s->result.why, r.why, sizeof r.why);
	return (r.rc);
}

/* --- may it be sent? ------------------------------------------------------------------------------------- */

static int
lost(const struct sender *s)
{
	return (say_refused(
	    "%s: site '%s' has nothing of it, and had acknowledged point %" PRIu64
	    "; what has become of that is to be known first: --seed sends an initial copy, and where its "
	    "disks are there still, 'vmferry adopt' there and --resync here compare them",
	    s->cargo.vm, s->to, s->cargo.acked));
}

static int
mailed(const struct sender *s)
{
	return (say_refused(
	    "%s: an initial copy for site '%s' is on its way (%s), and has not come there; import it "
	    "there, or say --seed to send another one over this line",
	    s->cargo.vm, s->to, s->cargo.mailed));
}

/* It has nothing: an initial copy is the first thing. */
static int
consider_seed(struct sender *s)
{
	if (s->o.resync || s->cargo.side == ROLE_REPLICA)
		return (0);
	if (s->o.no_seed) {
		s->result.needs_seed = 1;
		return (say_refused("%s: site '%s' needs an initial copy first", s->cargo.vm, s->to));
	}
	/* One that was cut short there goes on, if it is the one that was begun here; what else is there is no reason for another. */
	if (s->o.seed || (s->have.position[0] != '\0' && s->cargo.was_seed))
		return (0);
	if (strcmp(s->have.state, "adopted") == 0)
		return (
		    say_refused("%s: site '%s' has adopted disks for it; say --resync, which compares them",
		        s->cargo.vm, s->to));
	if (s->cargo.acked != 0)
		return (lost(s));
	return (s->cargo.mailed[0] != '\0' ? mailed(s) : 0);
}

static int
consider(struct sender *s)
{
	if (!s->has_have)
		return (0);
	if (!s->have.may)
		return (say_refused("%s: site '%s' says: %s", s->cargo.vm, s->to, s->have.text));
	if (s->have.seq != 0 || s->have.held != 0 || s->o.bundle != NULL)
		return (0);
	return (consider_seed(s));
}

/* --- the process that makes the stream -------------------------------------------------------------------- */

struct making {
	const char *home;
	struct export_options o;
	int is_forward;
	struct onward_options f;
	const char *bundle;
};

/* A bundle that is there, as it is. */
static int
copy_out(const char *path)
{
	uint8_t *buf = malloc(SESSION_BODY);
	int fd = io_open_read(path), rc = fd < 0 ? -1 : buf == NULL ? say_failed("out of memory") : 0;
	ssize_t n = 1;

	while (rc == 0 && n > 0) {
		if (stop_check() != 0 || (n = io_read(fd, path, buf, SESSION_BODY)) < 0 ||
		    (n > 0 && io_write(STDOUT_FILENO, "standard output", buf, (size_t)n) != 0))
			rc = -1;
	}
	io_close(fd);
	free(buf);
	return (rc);
}

static int
do_make(const void *context, uint64_t *value)
{
	const struct making *m = context;
	struct site *S;
	int rc;

	(void)value;
	if (m->bundle != NULL)
		return (copy_out(m->bundle));
	S = site_open(m->home);
	rc = S == NULL ? -1 : m->is_forward ? onward(S, &m->f) : send_bundle(S, &m->o);
	site_close(S);
	return (rc);
}

/* Is an initial copy wanted, by a person or since there is nothing? */
static int
is_seed(const struct sender *s)
{
	return (
	    s->o.seed || (s->has_have && s->have.seq == 0 && s->have.held == 0 && s->have.state[0] != '\0'));
}

static int
start(struct sender *s, int is_rest)
{
	struct making m = {
		.home = site_home(s->S), .is_forward = s->cargo.side == ROLE_REPLICA, .bundle = s->o.bundle
	};
	const struct pump_work work = { .run = do_make,
		.context = &m,
		.what = "the export",
		.has_input = is_rest || s->o.resync,
		.has_output = 1 };

	m.o = (struct export_options){ .vm = s->uuid, .to = s->to };
	m.f = (struct onward_options){ .vm = s->uuid, .to = s->to };
	if (is_rest) {
		m.o.resume = "-";
		m.o.seed = s->cargo.was_seed;
	} else if (s->o.resync)
		m.o.against = "-";
	else
		m.o.seed = is_seed(s) && !s->cargo.was_replica;
	if (m.is_forward && !s->was_anew &&
	    (!s->cargo.has_next || (s->has_have && s->cargo.next_from > s->have.held)))
		m.f.anew = s->was_anew = 1;
	return (outgoing_start(&s->g, &work));
}

/* The stream is at its end, or was answered before it was: how it went. */
static int
finish(struct sender *s)
{
	int rc = s->g.made.rc;

	if (s->g.is_open && outgoing_close(&s->g) != 0)
		return (-1);
	s->is_sure = 1;
	if (s->g.is_open && rc == 0)
		return (is_answered(s));
	memcpy(s->result.why, s->g.made.why, sizeof s->result.why);
	return (rc != 0 ? rc : say_failed("the export has written nothing"));
}

/* --- from one line to the next ----------------------------------------------------------------------------- */

/* All of it was sent, and its answer was cut off: has it come? */
static int
has_come(const struct sender *s)
{
	return (s->cargo.side == ROLE_PRIMARY ? s->cargo.last != 0 && s->cargo.acked == s->cargo.last
	                                      : s->cargo.volumes == 0);
}

/*
 * A stream was cut: look what has become of it.  While its export is alive, that has the record, and a receipt is for later.
 * 0: it goes on, or is to begin anew; 1 or -1, said.
 */
static int
take_up(struct sender *s)
{
	int rc = 0;

	if (s->g.is_made && s->g.made.rc == 0) {
		if ((rc = use_receipt(s)) == 0)
			rc = cargo_look(&s->cargo, s->S, s->uuid, s->to);
		if (rc != 0 || has_come(s)) {
			outgoing_drop(&s->g);
			s->is_done = rc == 0;
			return (rc);
		}
	}
	if (outgoing_goes_on(&s->g, s->have.position))
		return (0);
	outgoing_drop(&s->g);
	if (s->o.resync && (rc = ask(s, SESSION_DIFFER)) != 0)
		s->is_cut = 1;
	return (rc);
}

/* --- all of it ----------------------------------------------------------------------------------------------- */

/* Can what was cut short in an earlier run be gone on with? */
static int
has_rest(const struct sender *s)
{
	return (s->has_have && s->o.bundle == NULL && s->have.position[0] != '\0' && s->cargo.is_cut_short &&
	        !s->o.seed && !s->o.resync && s->cargo.side == ROLE_PRIMARY && !s->cargo.was_replica);
}

/* Start the process that makes the stream, and give it what it needs: 0; 1 or -1, said. */
static int
begin(struct sender *s, int is_rest)
{
	int rc = start(s, is_rest);

	if (rc == 0 && is_rest)
		outgoing_give(&s->g, s->have.position);
	if (rc != 0 || is_rest || !s->o.resync || (rc = outgoing_give_comparison(&s->g)) == 0)
		return (rc);
	if (rc < 0) {
		/* Half a comparison is none. */
		outgoing_drop(&s->g);
		return (-1);
	}
	s->is_sure = 1;
	return (
	    s->g.answer.rc == 0 ? say_failed("site '%s' has not compared anything", s->to) : is_answered(s));
}

/* One bundle, from its beginning or from where it was cut: 0; 1 or -1, said. */
static int
send_one(struct sender *s)
{
	int rc = 0, is_rest = 0;

	if (s->g.P == NULL) {
		is_rest = has_rest(s);
		rc = begin(s, is_rest);
	}
	if (rc == 0)
		rc = outgoing_send(&s->g);
	if (rc != 0)
		return (rc);
	if (is_rest && !s->g.is_open && s->g.is_made && s->g.made.rc == 1) {
		/* Said by the export: so all of it is made again. */
		outgoing_drop(&s->g);
		s->have.position[0] = '\0';
		return (send_one(s));
	}
	return (finish(s));
}

/* Is there anything to be sent?  A primary cuts a point whenever it is asked to. */
static int
has_more(const struct sender *s)
{
	if (s->cargo.side == ROLE_PRIMARY || s->o.bundle != NULL)
		return (1);
	return (s->cargo.has_next || (s->cargo.volumes > 0 && !s->was_anew));
}

static int
send_all(struct sender *s)
{
	int rc = 0, again = 1;

	while (rc == 0 && again && has_more(s)) {
		again = s->o.bundle == NULL && (s->cargo.side == ROLE_REPLICA || s->cargo.was_replica);
		s->is_sure = 0;
		rc = send_one(s);
		if (rc < 0 && !s->is_sure)
			return (-1);
		outgoing_drop(&s->g);
		if (rc == 0 && (rc = use_receipt(s)) == 0)
			rc = cargo_look(&s->cargo, s->S, s->uuid, s->to);
		else
			(void)use_receipt(s);
	}
	return (rc);
}

/* What the other site has is known, or asked for: 0; 1 or -1, said. */
static int
prepare(struct sender *s, int is_known)
{
	int rc = 0;

	/* Who fetches says it without being asked. */
	if (s->o.is_called && (rc = hear(s)) != 0)
		return (rc);
	if ((rc = cargo_look(&s->cargo, s->S, s->uuid, s->to)) != 0) {
		s->is_sure = 1; /* a record of ours that cannot be read is not the line's */
		return (rc);
	}
	if (!s->o.is_called)
		rc = ask(s, is_known && s->g.P == NULL      ? SESSION_NEXT
		            : s->o.resync && s->g.P == NULL ? SESSION_DIFFER
		                                            : SESSION_SEND);
	if (rc != 0)
		return (rc);
	s->is_sure = 1;
	return (consider(s));
}

int
sender_run(struct sender *s, struct channel *C, int is_known)
{
	int rc, has_receipt;

	s->g.C = C;
	if (s->o.rate != 0 && s->terms == NULL && obey(s, s->o.rate) != 0)
		return (-1);
	s->is_sure = s->is_cut = s->is_done = s->g.has_answer = 0;
	s->result.why[0] = '\0';
	if ((rc = prepare(s, is_known)) == 0) {
		if (s->g.P == NULL && !is_news(s))
			outgoing_drop_receipt(&s->g);
		/* Taken in, it changes what there is to be sent. */
		has_receipt = s->g.nreceipt > 0;
		if (s->g.P != NULL)
			rc = take_up(s);
		else if ((rc = use_receipt(s)) > 0 && s->o.resync)
			rc = 0; /* what it has is compared, whatever it says */
		if (rc == 0 && s->g.P == NULL && !s->is_done && has_receipt)
			rc = cargo_look(&s->cargo, s->S, s->uuid, s->to);
		s->is_sure = rc != 0;
	}
	if (rc == 0 && !s->is_done)
		rc = send_all(s);
	if (rc != 0 && s->result.why[0] == '\0')
		say_last(s->result.why);
	s->result.is_cut = rc < 0 && (!s->is_sure || s->is_cut);
	return (rc);
}
