#include <limits.h>

#include "args.h"
#include "base/say.h"
#include "complete.h"

static const struct args_tool tool = { "vmferry-complete",
	"usage: vmferry complete [--home DIR] -- WORD ...\n"
	"\n"
	"Say what the last WORD can become, of those that stand behind 'vmferry' on a command line.  It is "
	"asked by\n"
	"the completion of bash, zsh and fish: first a line 'files', 'directories' or 'none', which the "
	"shell adds,\n"
	"then a line for each candidate.\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { 0 } };
	const char *home = NULL;

	say_init(tool.name);
	args_next(&tool, argc, argv, "h", longs, &home);
	args_words(&tool, argc, 1, INT_MAX);
	return (say_exit(complete(home, (unsigned)(argc - optind), argv + optind)));
}
