#include "resync.h"

#include "args.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-resync",
	"usage: vmferry resync VM [--keep SITE] [--yes] [-o FILE] [--home DIR]\n"
	"\n"
	"Bring histories together that have parted, by a person's word.\n"
	"  --keep SITE  its history counts: this site gives way and becomes its replica; what is here stays as a\n"
	"               branch.  With the name of this very site: what is here counts, and it goes on\n"
	"               (default: that of the site that is followed, by comparing)\n"
	"  -o FILE      write what the disks here hold there, for 'vmferry export --against' at that site\n"
	"               (default: standard output)\n"
	"  --yes        do not ask\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "keep", required_argument, NULL, 'k' },
		{ "yes", no_argument, NULL, 'y' }, { "output", required_argument, NULL, 'o' }, { 0 } };
	struct resync_options o = { .yes = 0 };
	const char *home = NULL;
	struct site *S;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "o:h", longs, &home)) != -1) {
		if (c == 'k')
			o.keep = optarg;
		else if (c == 'y')
			o.yes = 1;
		else
			o.output = optarg;
	}
	args_words(&tool, argc, 1, 1);
	o.vm = argv[optind];
	if ((S = site_open(home)) != NULL)
		rc = resync(S, &o);
	site_close(S);
	return (say_exit(rc));
}
