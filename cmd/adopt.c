#include <stdio.h>

#include "args.h"
#include "replica/adopt.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-adopt",
	"usage: vmferry adopt VM --from SITE --disk ID=PLACE ... [-o FILE] [--home DIR]\n"
	"       vmferry adopt --drop VM [--home DIR]\n"
	"\n"
	"Make disks of a VM that are here already, from a backup or an older copy, its initial copy: copy "
	"them, and\n"
	"write the compare bundle from which 'vmferry export --against' at its primary makes a small seed.\n"
	"  --from SITE      the primary, which must be allowed to replicate the VM to here\n"
	"  --disk ID=PLACE  a disk, by the id that it has at the primary; a place as 'vmferry enable' takes "
	"it\n"
	"  -o FILE          write there; the file has its name only once it is whole (default: standard "
	"output)\n"
	"  --drop           forget what was adopted, with the copies\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "from", required_argument, NULL, 'f' },
		{ "disk", required_argument, NULL, 'd' }, { "output", required_argument, NULL, 'o' },
		{ "drop", no_argument, NULL, 'x' }, { 0 } };
	struct adopt_options o = { .from = NULL };
	const char *home = NULL;
	struct site *S;
	int c, drop = 0, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "o:h", longs, &home)) != -1) {
		if (c == 'f')
			o.from = optarg;
		else if (c == 'x')
			drop = 1;
		else if (c == 'o')
			o.output = optarg;
		else if (o.ndisks == LIMIT_DISKS)
			args_misuse(&tool, "there are more than %u disks", LIMIT_DISKS);
		else
			o.disks[o.ndisks++] = optarg;
	}
	args_words(&tool, argc, 1, 1);
	o.vm = argv[optind];
	if (drop && (o.ndisks > 0 || o.from != NULL || o.output != NULL))
		args_misuse(&tool, "--drop goes by itself");
	if (!drop && (o.ndisks == 0 || o.from == NULL))
		args_misuse(&tool, "--from and --disk are needed");
	if ((S = site_open(home)) != NULL)
		rc = drop ? adopt_drop(S, o.vm) : adopt(S, &o);
	site_close(S);
	return (say_exit(rc));
}
