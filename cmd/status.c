#include "status.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"
#include "branches.h"

static const struct args_tool tool = { "vmferry-status",
	"usage: vmferry status [VM] [--branches] [--json] [--home DIR]\n"
	"\n"
	"What this site replicates, on either side, and how it is doing.\n"
	"  --branches  histories that have parted, side by side, and what keeping one would mean\n"
	"  --json      for programs\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "json", no_argument, NULL, 'j' },
		{ "branches", no_argument, NULL, 'b' }, { 0 } };
	const char *home = NULL, *vm;
	struct site *S;
	int c, json = 0, is_branches = 0, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		json |= c == 'j';
		is_branches |= c == 'b';
	}
	args_words(&tool, argc, 0, 1);
	vm = optind < argc ? argv[optind] : NULL;
	if ((S = site_open(home)) != NULL)
		rc = is_branches ? branches(S, vm, json) : status(S, vm, json);
	site_close(S);
	return (say_exit(rc));
}
