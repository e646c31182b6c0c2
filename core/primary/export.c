#include "primary/export.h"

#include <stdlib.h>

#include "base/say.h"
#include "primary/cut.h"
#include "primary/ship.h"

static int
run(struct cut *c, struct ship *s)
{
	int rc;

	if ((rc = cut_choose_targets(c)) != 0 || (rc = cut_choose_base(c)) != 0 ||
	    (rc = cut_open_disks(c)) != 0 || (rc = cut_find_changes(c)) != 0 || (rc = ship_prepare(s)) != 0 ||
	    (rc = ship_open(s)) != 0 || (rc = ship_segments(s)) != 0 || (rc = ship_commit_point(s)) != 0)
		return (rc);
	return (ship_finish(s));
}

int export(const struct site *S, const struct export_options *o)
{
	struct cut *c = calloc(1, sizeof *c);
	struct ship *s = calloc(1, sizeof *s);
	int rc = -1;

	if (c == NULL || s == NULL) {
		say_failed("out of memory");
		goto done;
	}
	s->cut = c;
	c->S = S;
	c->o = o;
	if ((rc = primary_open(&c->P, S, o->vm)) == 0)
		rc = run(c, s);
	ship_free(s);
	cut_free(c);
done:
	free(s);
	free(c);
	return (rc);
}
