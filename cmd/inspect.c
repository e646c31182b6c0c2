#include "inspect.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-inspect",
	"usage: vmferry inspect [--json] [FILE]\n"
	"\n"
	"Show what a bundle holds (default: one from standard input).  Its signatures are checked with the "
	"key\n"
	"that it claims; whose that is, and its contents, 'vmferry verify' checks.  On a medium, its custody "
	"log\n"
	"is shown too.\n"
	"  --json   for programs\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "json", no_argument, NULL, 'j' }, { 0 } };
	const char *home = NULL;
	struct site *S = NULL;
	int json = 0, rc;

	say_init(tool.name);
	while (args_next(&tool, argc, argv, "h", longs, &home) != -1)
		json = 1;
	args_words(&tool, argc, 0, 1);
	/* Without a site, or where it is another user's, nobody's name is known. */
	if (site_exists(home) && (S = site_open(home)) == NULL)
		return (say_exit(-1));
	rc = inspect(optind < argc ? argv[optind] : NULL, S, json);
	site_close(S);
	return (say_exit(rc));
}
