#include "replica/move.h"

#include <stdio.h>
#include <string.h>

#include "args.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-move",
	"usage: vmferry move VM --store DIR [--home DIR]\n"
	"       vmferry move VM --disk ID=PATH|NBD-URI [--yes] [--home DIR]\n"
	"       vmferry move VM --disk ID [--home DIR]\n"
	"\n"
	"Move what a replica stores to another place, proven before the old one goes.\n"
	"  --store DIR      the whole folder, to DIR/UUID; the file system may be another one\n"
	"  --disk ID=PATH   one disk, to a file that is not there yet, a block device or an NBD URI\n"
	"  --disk ID        one disk, back to the replica's own folder\n"
	"  --yes            the device or export may be written over\n" };

/* Put "ID=PATH" apart. */
static void
set_disk(struct move_disk *o, char *spec)
{
	char *eq = strchr(spec, '=');

	o->id = spec;
	o->to = eq == NULL ? NULL : eq + 1;
	if (eq != NULL && eq[1] == '\0')
		args_misuse(&tool, "there is no path in '%s'", spec);
	if (eq != NULL)
		*eq = '\0';
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "store", required_argument, NULL, 's' },
		{ "disk", required_argument, NULL, 'd' }, { "yes", no_argument, NULL, 'y' }, { 0 } };
	const char *home = NULL, *store = NULL;
	struct move_disk disk = { .id = NULL };
	struct replica *R = NULL;
	struct site *S;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (c == 's')
			store = optarg;
		else if (c == 'd')
			set_disk(&disk, optarg);
		else
			disk.is_sure = 1;
	}
	args_words(&tool, argc, 1, 1);
	if ((store == NULL) == (disk.id == NULL))
		args_misuse(&tool, "say either --store or one --disk");
	if ((S = site_open(home)) != NULL && (rc = replica_open(&R, S, argv[optind])) == 0)
		rc = store != NULL ? move_store(R, S, store) : move_disk(R, S, &disk);
	replica_close(R);
	site_close(S);
	return (say_exit(rc));
}
