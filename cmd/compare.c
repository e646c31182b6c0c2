#include <stdio.h>

#include "args.h"
#include "replica/compare.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-compare",
	"usage: vmferry compare VM [--full] [-o FILE] [--home DIR]\n"
	"\n"
	"Say in a small bundle what the disks of a replica, or adopted ones, hold, so that 'vmferry export\n"
	"--against' at its primary sends only what differs.\n"
	"  --full           read the disks (default: believe the leaves that were kept when they were "
	"written)\n"
	"  -o FILE          write there; the file has its name only once it is whole (default: standard "
	"output)\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "full", no_argument, NULL, 'f' },
		{ "output", required_argument, NULL, 'o' }, { 0 } };
	struct compare_options o = { .full = 0 };
	const char *home = NULL;
	struct site *S;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "o:h", longs, &home)) != -1) {
		if (c == 'f')
			o.full = 1;
		else
			o.output = optarg;
	}
	args_words(&tool, argc, 1, 1);
	o.vm = argv[optind];
	if ((S = site_open(home)) != NULL)
		rc = compare(S, &o);
	site_close(S);
	return (say_exit(rc));
}
