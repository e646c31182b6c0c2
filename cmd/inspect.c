#include "inspect.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-inspect",
	"usage: vmferry inspect [--json] [FILE]\n"
	"\n"
	"Show what a bundle holds (default: one from standard input).  Its signatures are checked with the "
	"key\n"
	"that it claims; whose that is, and its contents, 'vmferry verify' checks.\n"
	"  --json   for programs\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "json", no_argument, NULL, 'j' }, { 0 } };
	const char *home = NULL;
	int json = 0;

	say_init(tool.name);
	while (args_next(&tool, argc, argv, "h", longs, &home) != -1)
		json = 1;
	args_words(&tool, argc, 0, 1);
	return (say_exit(inspect(optind < argc ? argv[optind] : NULL, json)));
}
