#include <stdio.h>

#include "args.h"
#include "replica/scrub.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-scrub",
	"usage: vmferry scrub VM [--home DIR]\n"
	"\n"
	"Read all of a replica and prove it: its disks by their roots, its older points and staged bundles "
	"by\n"
	"their signatures.\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { 0 } };
	const char *home = NULL;
	struct replica *R = NULL;
	struct site *S;
	int rc = -1;

	say_init(tool.name);
	args_next(&tool, argc, argv, "h", longs, &home);
	args_words(&tool, argc, 1, 1);
	if ((S = site_open(home)) != NULL && (rc = replica_open(&R, S, argv[optind])) == 0)
		rc = scrub(R, S);
	replica_close(R);
	site_close(S);
	return (say_exit(rc));
}
