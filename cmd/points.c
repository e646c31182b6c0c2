#include "replica/points.h"

#include <stdio.h>

#include "args.h"
#include "bounds.h"
#include "replica/branch.h"
#include "replica/merge.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-points",
	"usage: vmferry points VM [--json] [--home DIR]\n"
	"       vmferry points VM --pin SEQ | --unpin SEQ | --prune [--home DIR]\n"
	"       vmferry points VM --branch [--drop [--yes]] [--home DIR]\n"
	"\n"
	"The recovery points of a replica, oldest first.\n"
	"  --json        for programs\n"
	"  --pin SEQ     keep this point, and those after it, whatever the limit\n"
	"  --unpin SEQ   no more\n"
	"  --prune       drop the points beyond the limit now\n"
	"  --branch      what this site had of its own when it gave way to another one; --drop: drop that, and the\n"
	"                points before it, for good; --yes: do not ask\n" };

/* What one command asks for. */
struct asked {
	const char *home;
	int action; /* 'p' pin, 'u' unpin, 'x' prune, 'b' branch, 'j' JSON, or 0 */
	uint64_t seq;
	int drop, yes;
};

/* It does not come back. */
static int
drop(struct replica *R, int yes)
{
	if (!yes && !say_has_person())
		return (say_refused("%s: a branch that is dropped does not come back; say --yes if that is meant", R->vm));
	if (!yes && !say_ask("%s: the branch here, and the points before it, are dropped for good", R->vm))
		return (say_refused("%s: nothing was dropped", R->vm));
	return (branch_drop(R));
}

static int
change(struct replica *R, const struct site *S, const struct asked *a)
{
	int rc = merge_recover(R, S);

	if (rc != 0)
		return (rc);
	if (a->action == 'b')
		return (drop(R, a->yes));
	if (a->action != 'x')
		return (points_pin(R, a->seq, a->action == 'p'));
	return (replica_prune(R) != 0 ? -1 : replica_tidy(R));
}

static void
parse(int argc, char *argv[], struct asked *a)
{
	static const struct option longs[] = { ARGS_COMMON, { "json", no_argument, NULL, 'j' },
		{ "pin", required_argument, NULL, 'p' }, { "unpin", required_argument, NULL, 'u' },
		{ "prune", no_argument, NULL, 'x' }, { "branch", no_argument, NULL, 'b' },
		{ "drop", no_argument, NULL, 'd' }, { "yes", no_argument, NULL, 'y' }, { 0 } };
	int c;

	while ((c = args_next(&tool, argc, argv, "h", longs, &a->home)) != -1) {
		if (c == 'd' || c == 'y') {
			*(c == 'd' ? &a->drop : &a->yes) = 1;
			continue;
		}
		if (a->action != 0)
			args_misuse(&tool, "--json, --pin, --unpin, --prune and --branch go one at a time");
		a->action = c;
		if (c == 'p' || c == 'u')
			a->seq = args_number(&tool, optarg, 1, LIMIT_SEQ);
	}
	if ((a->drop && a->action != 'b') || (a->yes && !a->drop))
		args_misuse(&tool, "--drop goes with --branch, and --yes with --drop");
	args_words(&tool, argc, 1, 1);
}

static int
look(const struct replica *R, const struct asked *a)
{
	return (a->action == 'b' ? branch_print(R) : points_print(R, a->action == 'j'));
}

int
main(int argc, char *argv[])
{
	struct asked a = { .action = 0 };
	struct replica *R = NULL;
	struct site *S;
	int rc = -1;

	say_init(tool.name);
	parse(argc, argv, &a);
	if ((S = site_open(a.home)) == NULL)
		goto done;
	if (a.action == 0 || a.action == 'j' || (a.action == 'b' && !a.drop)) {
		if ((rc = replica_look_for(&R, S, argv[optind])) == 0)
			rc = look(R, &a);
	} else if ((rc = replica_open(&R, S, argv[optind])) == 0) {
		rc = change(R, S, &a);
	}
done:
	replica_close(R);
	site_close(S);
	return (say_exit(rc));
}
