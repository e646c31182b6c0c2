#include "replica/points.h"

#include <stdio.h>

#include "args.h"
#include "bounds.h"
#include "replica/merge.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-points",
	"usage: vmferry points VM [--json] [--home DIR]\n"
	"       vmferry points VM --pin SEQ | --unpin SEQ | --prune [--home DIR]\n"
	"\n"
	"The recovery points of a replica, oldest first.\n"
	"  --json        for programs\n"
	"  --pin SEQ     keep this point, and those after it, whatever the limit\n"
	"  --unpin SEQ   no more\n"
	"  --prune       drop the points beyond the limit now\n" };

static int
change(struct replica *R, const struct site *S, int action, uint64_t seq)
{
	int rc = merge_recover(R, S);

	if (rc != 0)
		return (rc);
	if (action != 'x')
		return (points_pin(R, seq, action == 'p'));
	return (replica_prune(R) != 0 ? -1 : replica_tidy(R));
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "json", no_argument, NULL, 'j' },
		{ "pin", required_argument, NULL, 'p' }, { "unpin", required_argument, NULL, 'u' },
		{ "prune", no_argument, NULL, 'x' }, { 0 } };
	const char *home = NULL;
	struct replica *R = NULL;
	struct site *S;
	uint64_t seq = 0;
	int c, action = 0, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (action != 0)
			args_misuse(&tool, "--json, --pin, --unpin and --prune go one at a time");
		action = c;
		if (c == 'p' || c == 'u')
			seq = args_number(&tool, optarg, 1, LIMIT_SEQ);
	}
	args_words(&tool, argc, 1, 1);
	if ((S = site_open(home)) == NULL)
		goto done;
	if (action == 0 || action == 'j') {
		if ((rc = replica_look_for(&R, S, argv[optind])) == 0)
			rc = points_print(R, action == 'j');
	} else if ((rc = replica_open(&R, S, argv[optind])) == 0) {
		rc = change(R, S, action, seq);
	}
done:
	replica_close(R);
	site_close(S);
	return (say_exit(rc));
}
