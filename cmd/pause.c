#include "args.h"
#include "base/say.h"
#include "suspend.h"

static const struct args_tool tool = { "vmferry-pause",
	"usage: vmferry pause VM [--home DIR]\n"
	"\n"
	"Stop the replication of a VM at this side until 'vmferry resume': a primary sends nothing, a "
	"replica\n"
	"takes nothing in.  Receipts are taken, points can be restored, and a replica can fail over.\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { 0 } };
	struct suspend_options o = { .act = SUSPEND_PAUSE };
	const char *home = NULL;
	struct site *S;
	int rc = -1;

	say_init(tool.name);
	while (args_next(&tool, argc, argv, "h", longs, &home) != -1)
		;
	args_words(&tool, argc, 1, 1);
	o.vm = argv[optind];
	if ((S = site_open(home)) != NULL)
		rc = suspend(S, &o);
	site_close(S);
	return (say_exit(rc));
}
