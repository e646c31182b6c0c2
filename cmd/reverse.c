#include "reverse.h"

#include <string.h>

#include "args.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-reverse",
	"usage: vmferry reverse VM [--to SITE ...] [--points N] [--frequency T]\n"
	"                       [--compress none|fast|default|best] [--plain | --encrypt] [-o FILE] [--home DIR]\n"
	"\n"
	"Turn the direction: a replica that has failed over becomes the VM's primary.  What is not said is as in the\n"
	"original direction.\n"
	"  --to SITE       replicate to there (default: the old primary, and its other sites that are known here)\n"
	"  --points N      recovery points that a replica keeps\n"
	"  --frequency T   how often a point is to be sent; with s, m, h or d\n"
	"  --compress HOW, --plain, --encrypt  how bundles are made if nothing else is said\n"
	"  -o FILE         write the word of it there, for the other sites to import; '-': standard output\n" };

static enum header_level
level(const char *s)
{
	static const char *const names[] = { "none", "fast", "default", "best" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(s, names[i]) == 0)
			return ((enum header_level)(HEADER_LEVEL_NONE + i));
	args_misuse(&tool, "--compress is none, fast, default or best");
}

static void
parse(int argc, char *argv[], struct reverse_options *o, const char **home)
{
	static const struct option longs[] = { ARGS_COMMON, { "to", required_argument, NULL, 't' },
		{ "points", required_argument, NULL, 'n' }, { "frequency", required_argument, NULL, 'f' },
		{ "compress", required_argument, NULL, 'c' }, { "plain", no_argument, NULL, 'p' },
		{ "encrypt", no_argument, NULL, 'e' }, { "output", required_argument, NULL, 'o' }, { 0 } };
	int c;

	while ((c = args_next(&tool, argc, argv, "o:h", longs, home)) != -1) {
		switch (c) {
		case 't':
			if (o->nsites == LIMIT_TARGETS)
				args_misuse(&tool, "too many sites");
			o->sites[o->nsites++] = optarg;
			break;
		case 'n':
			o->keep = (unsigned)args_number(&tool, optarg, 1, LIMIT_POINTS);
			break;
		case 'f':
			o->has_frequency = 1;
			o->frequency = args_time(&tool, optarg);
			break;
		case 'c':
			o->level = level(optarg);
			break;
		case 'p':
		case 'e':
			if (o->plain >= 0 && o->plain != (c == 'p'))
				args_misuse(&tool, "it is --plain or --encrypt, not both");
			o->plain = c == 'p';
			break;
		default:
			o->output = optarg;
		}
	}
	args_words(&tool, argc, 1, 1);
	o->vm = argv[optind];
}

int
main(int argc, char *argv[])
{
	struct reverse_options o = { .plain = -1 };
	const char *home = NULL;
	struct site *S;
	int rc = -1;

	say_init(tool.name);
	parse(argc, argv, &o, &home);
	if ((S = site_open(home)) != NULL)
		rc = reverse(S, &o);
	site_close(S);
	return (say_exit(rc));
}
