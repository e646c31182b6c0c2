#include "args.h"
#include "base/say.h"
#include "suspend.h"

static const struct args_tool tool = { "vmferry-disable",
	"usage: vmferry disable VM [--remove [--yes]] [--home DIR]\n"
	"\n"
	"End the replication of a VM at this side; 'vmferry resume' takes it up again.\n"
	"  --remove   for good: a primary's record goes, never the VM's disks; a replica goes with its disks "
	"and\n"
	"             points, but for disks that lie elsewhere\n"
	"  --yes      do not ask\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "remove", no_argument, NULL, 'r' },
		{ "yes", no_argument, NULL, 'y' }, { 0 } };
	struct suspend_options o = { .act = SUSPEND_DISABLE };
	const char *home = NULL;
	struct site *S;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (c == 'r')
			o.act = SUSPEND_REMOVE;
		else
			o.yes = 1;
	}
	if (o.yes && o.act != SUSPEND_REMOVE)
		args_misuse(&tool, "--yes goes with --remove");
	args_words(&tool, argc, 1, 1);
	o.vm = argv[optind];
	if ((S = site_open(home)) != NULL)
		rc = suspend(S, &o);
	site_close(S);
	return (say_exit(rc));
}
