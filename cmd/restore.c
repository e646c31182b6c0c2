#include "replica/restore.h"

#include <stdio.h>

#include "args.h"
#include "bounds.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-restore",
	"usage: vmferry restore VM [--point SEQ] -o DIR [--home DIR]\n"
	"\n"
	"Write the disks of a recovery point as raw images DIR/ID.raw, each proven by its root.\n"
	"  --point SEQ   which point (see 'vmferry points'; default: the newest)\n"
	"  -o DIR        where to; the folder is made if need be\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "point", required_argument, NULL, 'p' },
		{ "output", required_argument, NULL, 'o' }, { 0 } };
	const char *home = NULL, *dir = NULL;
	struct replica *R = NULL;
	struct site *S;
	uint64_t seq = 0;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "o:h", longs, &home)) != -1) {
		if (c == 'p')
			seq = args_number(&tool, optarg, 1, LIMIT_SEQ);
		else
			dir = optarg;
	}
	args_words(&tool, argc, 1, 1);
	if (dir == NULL)
		args_misuse(&tool, "-o DIR is missing");
	if ((S = site_open(home)) != NULL && (rc = replica_open(&R, S, argv[optind])) == 0)
		rc = restore(R, S, seq, dir);
	replica_close(R);
	site_close(S);
	return (say_exit(rc));
}
