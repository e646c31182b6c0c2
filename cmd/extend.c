#include "extend.h"

#include "args.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-extend",
	"usage: vmferry extend VM --to SITE [--via SITE] [--end] [--home DIR]\n"
	"\n"
	"Replicate a VM to one site more.\n"
	"  --to SITE   at its primary: bundles are for this site too; at a replica: what comes in is kept "
	"and\n"
	"              forwarded to it, as it is, by 'vmferry export VM --to SITE'\n"
	"  --via SITE  at its primary: it gets by way of that site what that one gets\n"
	"  --end       no more\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "to", required_argument, NULL, 't' },
		{ "via", required_argument, NULL, 'v' }, { "end", no_argument, NULL, 'e' }, { 0 } };
	struct extend_options o = { 0 };
	const char *home = NULL;
	struct site *S;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (c == 't')
			o.to = optarg;
		else if (c == 'v')
			o.via = optarg;
		else
			o.end = 1;
	}
	args_words(&tool, argc, 1, 1);
	o.vm = argv[optind];
	if (o.to == NULL)
		args_misuse(&tool, "say --to SITE");
	if (o.end && o.via != NULL)
		args_misuse(&tool, "--end goes without --via");
	if ((S = site_open(home)) != NULL)
		rc = extend(S, &o);
	site_close(S);
	return (say_exit(rc));
}
