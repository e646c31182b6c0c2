#include "status.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-status",
	"usage: vmferry status [VM] [--json] [--home DIR]\n"
	"\n"
	"What this site replicates, on either side, and how it is doing.\n"
	"  --json   for programs\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "json", no_argument, NULL, 'j' }, { 0 } };
	const char *home = NULL;
	struct site *S;
	int json = 0, rc = -1;

	say_init(tool.name);
	while (args_next(&tool, argc, argv, "h", longs, &home) != -1)
		json = 1;
	args_words(&tool, argc, 0, 1);
	if ((S = site_open(home)) != NULL)
		rc = status(S, optind < argc ? argv[optind] : NULL, json);
	site_close(S);
	return (say_exit(rc));
}
