#include "primary/export.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/say.h"
#include "primary/cut.h"
#include "primary/cycle.h"
#include "primary/live.h"
#include "primary/resume.h"
#include "primary/ship.h"
#include "primary/volumes.h"
#include "primary/waybill.h"

static int
start(struct ship *s)
{
	struct cut *c = s->cut;
	int rc;

	if ((rc = cut_choose_base(c)) != 0 || (rc = live_look(c)) != 0 || (rc = cut_open_disks(c)) != 0 ||
	    (rc = cut_find_changes(c)) != 0 || (rc = volumes_open_medium(s)) != 0 ||
	    (rc = waybill_make(s)) != 0)
		return (rc);
	if (volumes_make_writer(s) != 0)
		return (-1);
	if ((rc = volumes_begin(s)) != 0 || (rc = ship_segments(s)) != 0 || (rc = ship_commit_point(s)) != 0)
		return (rc);
	return (ship_finish(s));
}

/* What was begun, if it is what is asked for: 0; 1, said; 2: there is nothing to go on with; -1. */
static int
find_pending(struct ship *s)
{
	const struct export_options *o = s->cut->o;
	const struct primary *P = s->cut->P;
	char wish[PENDING_WISH], command[PENDING_WISH];
	int rc = pending_read(&s->pending, P);

	if (o->resume != NULL && (rc == 2 || (rc == 0 && s->pending->way != PENDING_PIPE)))
		return (say_refused("%s: no export to a pipe was cut short here", P->vm));
	if (rc != 0)
		return (rc);
	if (o->anew)
		return (resume_give_up(s->pending, P) != 0 ? -1 : 2);
	/* To a pipe it goes on only at the receiver's word. */
	if (s->pending->way == PENDING_PIPE && o->resume == NULL)
		return (pending_remove(P) != 0 ? -1 : 2);
	if (waybill_wish(o, wish) != 0)
		return (-1);
	if (strcmp(wish, s->pending->wish) != 0)
		return (waybill_command(P, s->pending, command) != 0
		            ? -1
		            : say_refused("%s: an export was begun and is not finished; go on with it by "
		                          "'%s', or say %s to give it up",
		                  P->vm, command,
		                  waybill_is_final(s->pending) ? "'vmferry failover --cancel'" : "--anew"));
	return (0);
}

static void
reset(struct ship *s)
{
	struct cut *c = s->cut;
	int64_t begun = s->begun;

	ship_free(s);
	memset(s, 0, sizeof *s);
	s->cut = c;
	s->begun = begun;
	cut_close(c);
	c->base = 0;
}

static int
run(struct ship *s)
{
	int rc;

	if ((rc = cut_choose_targets(s->cut)) != 0)
		return (rc);
	if ((rc = find_pending(s)) == 0 && (rc = resume(s)) == RESUME_ANEW &&
	    resume_give_up(s->pending, s->cut->P) != 0)
		return (-1);
	if (rc == RESUME_ANEW) {
		reset(s);
		rc = start(s);
	}
	return (rc == 0 ? ship_done(s) : rc);
}

int
export_opened(const struct site *S, struct primary *P, const struct export_options *o)
{
	struct cut *c = calloc(1, sizeof *c);
	struct ship *s = calloc(1, sizeof *s);
	int64_t begun = clock_ms();
	int rc = -1;

	if (c == NULL || s == NULL) {
		say_failed("out of memory");
		primary_close(P);
		goto done;
	}
	s->cut = c;
	s->begun = begun;
	if ((rc = cut_begin(c, S, o, P)) == 0)
		rc = run(s);
	if (rc != 0) {
		cycle_failed(s, rc);
		rc = ship_stop(s, rc);
	}
	ship_free(s);
	cut_free(c);
done:
	free(s);
	free(c);
	return (rc);
}

int export(const struct site *S, const struct export_options *o)
{
	return (export_opened(S, NULL, o));
}
