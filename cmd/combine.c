#include "combine.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"
#include "site/trusting.h"

static const struct args_tool tool = { "vmferry-combine",
	"usage: vmferry combine [--key CARD] [--require-sandbox] [-o FILE] BUNDLE ... [--home DIR]\n"
	"\n"
	"Fold several deltas of a VM into one, newest data first: to standard output or a file.  They may "
	"be\n"
	"named in any order, with all their volumes.  Nothing is decrypted that is not sealed to this site.\n"
	"  --key CARD   the card of the site that must have signed them (default: one that this site knows)\n"
	"  --require-sandbox  refuse where the kernel cannot confine the process\n"
	"  -o FILE      write there; the file has its name only once it is whole\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "key", required_argument, NULL, 'k' },
		{ "output", required_argument, NULL, 'o' }, { "require-sandbox", no_argument, NULL, 'R' },
		{ 0 } };
	const char *home = NULL, *key = NULL;
	struct combine_options o = { .level = SEGMENT_DEFAULT };
	struct card by;
	struct site *S = NULL;
	int c, rc = 0;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "o:h", longs, &home)) != -1) {
		if (c == 'R')
			o.insist = 1;
		else if (c == 'k')
			key = optarg;
		else
			o.output = optarg;
	}
	args_words(&tool, argc, 1, INT_MAX);
	if (key != NULL)
		rc = trusting_card(key, &by);
	if (rc == 0 && (S = site_open(home)) == NULL)
		rc = -1;
	o.by = key == NULL ? NULL : &by;
	o.n = (unsigned)(argc - optind);
	o.paths = argv + optind;
	if (rc == 0)
		rc = combine(S, &o);
	site_close(S);
	return (say_exit(rc));
}
