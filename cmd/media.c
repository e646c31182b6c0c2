#include "media.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-media",
	"usage: vmferry media DIR [--json] [--clean] [--require-sandbox] [--home DIR]\n"
	"\n"
	"What the medium at DIR holds, for whom, how complete, and what of it can be deleted because it has "
	"done\n"
	"its duty.  Receipts and key lists on it are taken in passing.\n"
	"  --json   for programs\n"
	"  --clean  delete what can be deleted\n"
	"  --require-sandbox  refuse where the kernel cannot confine the process\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "json", no_argument, NULL, 'j' },
		{ "clean", no_argument, NULL, 'c' }, { "require-sandbox", no_argument, NULL, 'R' }, { 0 } };
	struct media_options o = { 0 };
	const char *home = NULL;
	struct site *S;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		o.json |= c == 'j';
		o.clean |= c == 'c';
		o.insist |= c == 'R';
	}
	args_words(&tool, argc, 1, 1);
	o.dir = argv[optind];
	if ((S = site_open(home)) != NULL)
		rc = media(S, &o);
	site_close(S);
	return (say_exit(rc));
}
