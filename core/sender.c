#include "sender.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/stop.h"
#include "cargo.h"
#include "ferry.h"
#include "import.h"
#include "jsontext.h"
#include "replica/onward.h"
#include "resend.h"
#include "send.h"

#define PIECE_LIMITED 16384u /* bytes that are sent at once where there is a limit, so that it flows evenly */

struct sender {
	const struct site *S;
	struct sender_options o;
	char uuid[40], to[LIMIT_NAME + 1];
	struct cargo cargo;
	struct session_have have;
	int has_have;
	struct channel *C; /* the line that it is on now */
	/* The stream, and the process that makes it: */
	struct pump *P;
	struct pump_result made; /* how that has ended, */
	int is_made;             /* if it has */
	struct resend *W;
	uint64_t at;    /* the place in the stream that is sent next */
	uint64_t begun; /* where what goes over this line has begun */
	int is_open;    /* it has */
	int is_sure;    /* what it ends with is an answer, and not the line's */
	int is_cut;     /* it is the line's all the same */
	int is_done;    /* what was cut had come */
	int was_anew;   /* what waits to be forwarded, and went before, was taken up once more */
	uint8_t *piece;
	/* What came back: */
	uint8_t *receipt;
	size_t nreceipt;
	struct session_answer answer;
	int has_answer;
	struct rate *terms; /* what the other site prescribes */
	struct sender_result result;
};

/* --- its life ----------------------------------------------------------------------------------------------- */

int
sender_new(struct sender **out, const struct site *S, const struct sender_options *o)
{
	struct sender *s = *out = calloc(1, sizeof *s);

	if (s == NULL || (s->piece = malloc(SESSION_BODY)) == NULL) {
		sender_free(s);
		*out = NULL;
		return (say_failed("out of memory"));
	}
	s->S = S;
	s->o = *o;
	snprintf(s->uuid, sizeof s->uuid, "%s", o->uuid);
	snprintf(s->to, sizeof s->to, "%s", o->to);
	return (0);
}

/* What was sent of the stream, and who made it, is of no use any more. */
static void
drop_stream(struct sender *s)
{
	pump_free(s->P);
	resend_free(s->W);
	s->P = NULL;
	s->W = NULL;
	s->at = 0;
	s->is_made = 0;
}

static void
drop_receipt(struct sender *s)
{
	free(s->receipt);
	s->receipt = NULL;
	s->nreceipt = 0;
}

void
sender_free(struct sender *s)
{
	if (s == NULL)
		return;
	drop_stream(s);
	drop_receipt(s);
	rate_free(s->terms);
	free(s->piece);
	free(s);
}

void
sender_result(const struct sender *s, struct sender_result *r)
{
	*r = s->result;
	r->seq = s->cargo.acked;
	if (s->has_have)
		r->terms = s->have.terms;
	else
		r->terms.rate = s->o.rate;
}

/* --- what the other site has ---------------------------------------------------------------------------- */

static int
take_receipt(struct sender *s)
{
	drop_receipt(s);
	return (ferry_take(s->C, &s->receipt, &s->nreceipt) < 0 ? -1 : 0);
}

/* It wants no more than so many bytes a second. */
static int
obey(struct sender *s, uint64_t rate)
{
	if (rate == 0 && s->terms == NULL)
		return (0);
	if (s->terms == NULL && (s->terms = rate_new(rate)) == NULL)
		return (-1);
	rate_set(s->terms, rate);
	return (0);
}

/* What the other site has answered, as a result. */
static int
is_answered(struct sender *s)
{
	if (s->answer.rc == 0)
		return (0);
	say_refused("%s: site '%s' says: %s", s->cargo.vm, s->to,
	    s->answer.text[0] == '\0' ? "it could not be taken" : s->answer.text);
	say_last(s->result.why);
	return (s->answer.rc == 1 ? 1 : -1);
}

/* It answers before it was told anything: nobody is served who is not meant. */
static int
hear_refusal(struct sender *s, const uint8_t *body, size_t n)
{
	const char *why = session_decode_answer(&s->answer, body, n);

	if (why != NULL)
		return (say_failed("the answer of site '%s' is not understood: %s", s->to, why));
	if (s->answer.rc == 0)
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

	if (ferry_next(s->C, &kind, &body, &n) != 0)
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
	if (ferry_next(s->C, &kind, &body, &n) != 0)
		return (-1);
	if (kind != SESSION_OPEN || n != 1 || body[0] != SESSION_RECEIPT)
		return (ferry_astray(kind));
	return (take_receipt(s) != 0 ? -1 : obey(s, s->have.terms.rate));
}

static int
ask(struct sender *s, enum session_verb verb)
{
	struct session_ask a = { .verb = verb, .size = s->cargo.size, .time = (int64_t)time(NULL) };

	snprintf(a.vm, sizeof a.vm, "%s", s->cargo.vm);
	snprintf(a.uuid, sizeof a.uuid, "%s", s->uuid);
	drop_receipt(s);
	return (ferry_ask(s->C, &a) != 0 ? -1 : hear(s));
}

int
sender_test(struct sender *s, struct channel *C, struct session_have *h)
{
	uint64_t all, taken;
	int rc;

	s->C = C;
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

static int
do_receipt(const void *context, uint64_t *value)
{
	const struct import_options o = { .input = NULL };
	struct site *S = site_open(context);
	int rc = S == NULL ? -1 : import(S, &o);

	(void)value;
	site_close(S);
	return (rc);
}

/* Give it to the process that takes it in: 0; -1, said. */
static int
feed(struct sender *s, struct pump *P)
{
	const uint8_t *p = s->receipt;
	size_t left = s->nreceipt;
	ssize_t n;

	while (left > 0 && (n = pump_write(P, p, left, FERRY_TICK)) >= 0) {
		p += n;
		left -= (size_t)n;
		if (stop_check() != 0 || channel_keep(s->C) != 0)
			return (-1);
	}
	pump_close_input(P);
	return (0);
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
	const struct pump_work work = { .run = do_receipt,
		.context = site_home(s->S),
		.what = "the import of the receipt",
		.has_input = 1 };
	struct pump_result r = { .rc = -1 };
	struct pump *P;

	if (s->nreceipt == 0)
		return (0);
	if (pump_start(&P, &work) != 0)
		return (-1);
	if (feed(s, P) == 0)
		(void)ferry_wait(s->C, P, &r);
	pump_free(P);
	drop_receipt(s);
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
	if (s->o.seed || s->have.position[0] != '\0')
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
	if (s->have.seq != 0 || s->have.held != 0)
		return (0);
	return (consider_seed(s));
}

/* --- the process that makes the stream -------------------------------------------------------------------- */

struct making {
	const char *home;
	struct export_options o;
	int is_forward;
	struct onward_options f;
};

static int
do_make(const void *context, uint64_t *value)
{
	const struct making *m = context;
	struct site *S = site_open(m->home);
	int rc = S == NULL ? -1 : m->is_forward ? onward(S, &m->f) : send_bundle(S, &m->o);

	(void)value;
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
	struct making m = { .home = site_home(s->S), .is_forward = s->cargo.side == ROLE_REPLICA };
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
	if ((s->W = resend_new()) == NULL)
		return (-1);
	return (pump_start(&s->P, &work));
}

/* Its input is where the other site stands, which a pipe takes at once; one that does not read it says itself why. */
static void
give_position(struct sender *s)
{
	(void)pump_write(s->P, s->have.position, strlen(s->have.position), FERRY_TICK);
	pump_close_input(s->P);
}

/* Its input is what comes of the comparison there: 0; 1, unsaid: there is none, and an answer why; -1, said. */
static int
give_comparison(struct sender *s)
{
	enum session_kind kind;
	const uint8_t *body;
	const char *why;
	size_t n;

	if (ferry_next(s->C, &kind, &body, &n) != 0)
		return (-1);
	if (kind == SESSION_ANSWER) {
		if ((why = session_decode_answer(&s->answer, body, n)) != NULL)
			return (say_failed("the answer of site '%s' is not understood: %s", s->to, why));
		s->has_answer = 1;
		return (1);
	}
	if (kind != SESSION_OPEN || n != 1 || body[0] != SESSION_COMPARE)
		return (ferry_astray(kind));
	while (ferry_next(s->C, &kind, &body, &n) == 0) {
		if (kind == SESSION_CLOSE && n == 1)
			break;
		if (kind != SESSION_DATA)
			return (ferry_astray(kind));
		while (n > 0) {
			ssize_t some = pump_write(s->P, body, n, FERRY_TICK);

			/* One that reads no more says itself why. */
			if (some < 0)
				some = (ssize_t)n;
			body += some;
			n -= (size_t)some;
			if (stop_check() != 0 || channel_keep(s->C) != 0)
				return (-1);
		}
	}
	if (kind != SESSION_CLOSE)
		return (-1);
	pump_close_input(s->P);
	return (0);
}

/* --- on the line ------------------------------------------------------------------------------------------- */

/* A message that comes while we send: 0; -1, said. */
static int
take(struct sender *s, enum session_kind kind, const uint8_t *body, size_t n)
{
	const char *why;

	switch (kind) {
	case SESSION_PASSED:
		if (n == 8 && s->W != NULL)
			resend_passed(s->W, s->begun + ferry_passed_of(body));
		return (n == 8 ? 0 : ferry_astray(kind));
	case SESSION_OPEN:
		return (n == 1 && body[0] == SESSION_RECEIPT ? take_receipt(s) : ferry_astray(kind));
	case SESSION_ANSWER:
		if ((why = session_decode_answer(&s->answer, body, n)) != NULL)
			return (say_failed("the answer of site '%s' is not understood: %s", s->to, why));
		s->has_answer = 1;
		return (0);
	default:
		return (ferry_astray(kind));
	}
}

/* Take what comes for ms, but not behind an answer: 0; -1, said. */
static int
listen_for(struct sender *s, int64_t ms)
{
	int64_t until = clock_ms() + ms, left = ms;
	enum session_kind kind;
	const uint8_t *body;
	size_t n;
	int rc;

	while (!s->has_answer) {
		if ((rc = channel_next(s->C, &kind, &body, &n, left < FERRY_TICK ? left : FERRY_TICK)) < 0)
			return (-1);
		if (rc == 0 && take(s, kind, body, n) != 0)
			return (-1);
		if ((left = until - clock_ms()) < 0)
			left = 0;
		if (rc > 0 && left == 0)
			break;
		if (stop_check() != 0 || channel_keep(s->C) != 0)
			return (-1);
	}
	return (0);
}

/* Wait for our turn to send n bytes. */
static int
keep_to_limits(struct sender *s, size_t n)
{
	int64_t now = clock_ms(), wait = rate_reserve(s->terms, n, now), more;

	for (unsigned i = 0; i < s->o.nlimits; i++)
		if ((more = rate_reserve(s->o.limits[i], n, now)) > wait)
			wait = more;
	return (listen_for(s, wait));
}

static int
is_limited(const struct sender *s)
{
	for (unsigned i = 0; i < s->o.nlimits; i++)
		if (s->o.limits[i] != NULL)
			return (1);
	return (s->terms != NULL);
}

/* The next piece of the stream: how long it is; 0: there is none yet, or, where is_made, at all. */
static size_t
next_piece(struct sender *s, const uint8_t **p)
{
	size_t most = is_limited(s) ? PIECE_LIMITED : SESSION_BODY;
	ssize_t n;

	if (s->at < resend_end(s->W))
		return (resend_get(s->W, s->at, most, p));
	if (s->is_made)
		return (0);
	s->is_made = pump_ended(s->P, &s->made, pump_output(s->P) < 0 ? FERRY_TICK : 0);
	if ((n = pump_read(s->P, s->piece, most, s->is_made ? 0 : FERRY_TICK)) > 0) {
		s->is_made = 0; /* there may be more */
		resend_add(s->W, s->piece, (size_t)n);
		*p = s->piece;
		return ((size_t)n);
	}
	if (n == 0)
		pump_close_output(s->P);
	return (0);
}

/* Send what there is of the stream, until it is at its end or an answer comes before that. */
static int
send_stream(struct sender *s)
{
	const uint8_t *p = NULL;
	size_t n;

	s->begun = s->at;
	s->is_open = s->has_answer = 0;
	for (;;) {
		if ((n = next_piece(s, &p)) == 0 && s->is_made)
			return (0);
		if (n > 0 && !s->is_open && ferry_open(s->C, SESSION_BUNDLE) != 0)
			return (-1);
		s->is_open |= n > 0;
		if (keep_to_limits(s, n) != 0)
			return (-1);
		if (s->has_answer)
			return (0);
		if (n > 0 && channel_send(s->C, SESSION_DATA, p, n) != 0)
			return (-1);
		s->at += n;
		s->result.bytes += n;
	}
}

/* The stream is at its end, or was answered before it was: how it went. */
static int
finish_stream(struct sender *s)
{
	int was_given_up = s->has_answer || s->made.rc != 0, rc = s->made.rc;

	if (!s->is_open) {
		s->is_sure = 1;
		memcpy(s->result.why, s->made.why, sizeof s->result.why);
		return (rc != 0 ? rc : say_failed("the export has written nothing"));
	}
	if (ferry_close(s->C, was_given_up) != 0)
		return (-1);
	while (!s->has_answer)
		if (listen_for(s, FERRY_TICK) != 0)
			return (-1);
	s->is_sure = 1;
	if (s->is_made && s->made.rc != 0) {
		memcpy(s->result.why, s->made.why, sizeof s->result.why);
		return (rc);
	}
	return (is_answered(s));
}

/* --- from one line to the next ----------------------------------------------------------------------------- */

/* The place behind what the other site says it has of the stream: 0; 1: that is not here. */
static int
find_position(const struct sender *s, uint64_t *place)
{
	uint8_t record[RECORD_SIZE];
	json_t *o = json_loads(s->have.position, JSON_REJECT_DUPLICATES, NULL);
	int rc = o == NULL || jsontext_get_bytes(o, "record", record, RECORD_SIZE) != 0;

	json_decref(o);
	return (rc != 0 ? 1 : resend_behind(s->W, record, place));
}

/* Does the stream that was cut go on over this line?  Then s->at is where. */
static int
goes_on(struct sender *s)
{
	uint64_t place;

	if (find_position(s, &place) == 0)
		s->at = place;
	else if (resend_start(s->W) == 0)
		s->at = 0;
	else
		return (0);
	return (1);
}

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

	if (s->is_made && s->made.rc == 0) {
		if ((rc = use_receipt(s)) == 0)
			rc = cargo_look(&s->cargo, s->S, s->uuid, s->to);
		if (rc != 0 || has_come(s)) {
			drop_stream(s);
			s->is_done = rc == 0;
			return (rc);
		}
	}
	if (goes_on(s))
		return (0);
	drop_stream(s);
	if (s->o.resync && (rc = ask(s, SESSION_DIFFER)) != 0)
		s->is_cut = 1;
	return (rc);
}

/* --- all of it ----------------------------------------------------------------------------------------------- */

/* Can what was cut short in an earlier run be gone on with? */
static int
has_rest(const struct sender *s)
{
	return (s->has_have && s->have.position[0] != '\0' && s->cargo.is_cut_short && !s->o.seed &&
	        !s->o.resync && s->cargo.side == ROLE_PRIMARY && !s->cargo.was_replica);
}

/* Start the process that makes the stream, and give it what it needs: 0; 1 or -1, said. */
static int
begin(struct sender *s, int is_rest)
{
	int rc = start(s, is_rest);

	if (rc == 0 && is_rest)
		give_position(s);
	if (rc != 0 || is_rest || !s->o.resync || (rc = give_comparison(s)) == 0)
		return (rc);
	if (rc < 0)
		return (-1);
	s->is_sure = 1;
	return (
	    s->answer.rc == 0 ? say_failed("site '%s' has not compared anything", s->to) : is_answered(s));
}

/* One bundle, from its beginning or from where it was cut: 0; 1 or -1, said. */
static int
send_one(struct sender *s)
{
	int rc = 0, is_rest = 0;

	if (s->P == NULL) {
		is_rest = has_rest(s);
		rc = begin(s, is_rest);
	}
	if (rc == 0)
		rc = send_stream(s);
	if (rc != 0)
		return (rc);
	if (is_rest && !s->is_open && s->is_made && s->made.rc == 1) {
		/* Said by the export: so all of it is made again. */
		drop_stream(s);
		s->have.position[0] = '\0';
		return (send_one(s));
	}
	return (finish_stream(s));
}

/* Is there anything to be sent?  A primary cuts a point whenever it is asked to. */
static int
has_more(const struct sender *s)
{
	if (s->cargo.side == ROLE_PRIMARY)
		return (1);
	return (s->cargo.has_next || (s->cargo.volumes > 0 && !s->was_anew));
}

static int
send_all(struct sender *s)
{
	int rc = 0, again = 1;

	while (rc == 0 && again && has_more(s)) {
		again = s->cargo.side == ROLE_REPLICA || s->cargo.was_replica;
		s->is_sure = 0;
		rc = send_one(s);
		if (rc < 0 && !s->is_sure)
			return (-1);
		drop_stream(s);
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
	if (!s->o.is_called && (!is_known || s->P != NULL))
		rc = ask(s, s->o.resync && s->P == NULL ? SESSION_DIFFER : SESSION_SEND);
	if (rc != 0)
		return (rc);
	s->is_sure = 1;
	return (consider(s));
}

int
sender_run(struct sender *s, struct channel *C, int is_known)
{
	int rc;

	s->C = C;
	if (s->o.rate != 0 && s->terms == NULL && obey(s, s->o.rate) != 0)
		return (-1);
	s->is_sure = s->is_cut = s->is_done = s->has_answer = 0;
	s->result.why[0] = '\0';
	if ((rc = prepare(s, is_known)) == 0) {
		if (s->P == NULL && !is_news(s))
			drop_receipt(s);
		if (s->P != NULL)
			rc = take_up(s);
		else if ((rc = use_receipt(s)) > 0 && s->o.resync)
			rc = 0; /* what it has is compared, whatever it says */
		if (rc == 0 && s->P == NULL && !s->is_done)
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
