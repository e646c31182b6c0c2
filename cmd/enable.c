#include <stdio.h>
#include <string.h>

#include "args.h"
#include "host/host.h"
#include "primary/enable.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-enable",
	"usage: vmferry enable VM --disk ID=PLACE ... [--exclude ID=PLACE ...] [--to SITE ...]\n"
	"       vmferry enable VM --host libvirt:URI|qmp:SOCKET [--disk ID ...] [--exclude ID ...] [--to "
	"SITE ...]\n"
	"                      [--points N] [--frequency T] [--compress none|fast|default|best] [--plain]\n"
	"                      [--app N|T] [--host HOST] [--home DIR]\n"
	"       vmferry enable VM [--disk ID=PLACE] [--exclude ID[=PLACE]] [--include ID[=PLACE]] [--remove "
	"ID]\n"
	"                      [--to SITE] [--points N] [--frequency T] [--compress HOW] [--plain | "
	"--encrypt]\n"
	"                      [--app N|T] [--host HOST]\n"
	"\n"
	"Start protecting a VM; or change, from the next point on, what is replicated of one that is.\n"
	"  --disk ID=PLACE  a disk to replicate: the path of a raw file or block device, FORMAT:PATH of an\n"
	"                   image (qcow2, vhdx, vhd, vmdk, vdi, qed, parallels, raw), or an NBD URI\n"
	"  --exclude ID=..  a disk that is not, and is empty at the replica (swap, for instance)\n"
	"  --exclude ID     leave out a disk that is replicated now\n"
	"  --include ID     replicate a disk that is excluded now\n"
	"  --remove ID      the VM has that disk no more\n"
	"  --to SITE        a site that it is replicated to (see 'vmferry trust list')\n"
	"  --points N       recovery points that a replica keeps (default 1: the latest)\n"
	"  --frequency T    how often a point is meant to be cut: 30s, 5m, 1h (default: by hand)\n"
	"  --app N          every N-th point the guest is asked to be consistent, through its agent; with a\n"
	"                   unit (4h): when that long has passed; 0: never (the default)\n"
	"  --compress HOW   how bundles are compressed, if export is not told otherwise\n"
	"  --plain          they are not encrypted; --encrypt: they are (the default)\n"
	"  --host HOST      what runs the VM: libvirt:URI (libvirt:qemu:///system) or qmp:SOCKET, which "
	"name\n"
	"                   the disks, and can be exported while the VM runs; exec:PROGRAM, see\n"
	"                   vmferry-host(7); none: disks only, no hypervisor is asked (the default)\n" };

/* A number of points, or a time with its unit. */
static void
take_app(struct enable_options *o, const char *s)
{
	size_t digits = strspn(s, "0123456789");

	o->has_app = 1;
	o->app_every = 0;
	o->app_seconds = 0;
	if (s[digits] == '\0')
		o->app_every = (unsigned)args_number(&tool, s, 0, UINT16_MAX);
	else
		o->app_seconds = args_time(&tool, s);
}

static void
add(const char **list, unsigned *n, unsigned most, const char *what)
{
	if (*n == most)
		args_misuse(&tool, "there are more than %u %s", most, what);
	list[(*n)++] = optarg;
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "disk", required_argument, NULL, 'd' },
		{ "exclude", required_argument, NULL, 'x' }, { "to", required_argument, NULL, 't' },
		{ "points", required_argument, NULL, 'p' }, { "frequency", required_argument, NULL, 'f' },
		{ "host", required_argument, NULL, 'o' }, { "include", required_argument, NULL, 'i' },
		{ "remove", required_argument, NULL, 'r' }, { "compress", required_argument, NULL, 'z' },
		{ "app", required_argument, NULL, 'a' }, { "plain", no_argument, NULL, 'P' },
		{ "encrypt", no_argument, NULL, 'E' }, { 0 } };
	struct enable_options o = { .keep = 0 };
	const char *home = NULL, *why;
	struct site *S;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (c == 'd')
			add(o.disks, &o.ndisks, LIMIT_DISKS, "disks");
		else if (c == 'x')
			add(o.excluded, &o.nexcluded, LIMIT_DISKS, "excluded disks");
		else if (c == 't')
			add(o.sites, &o.nsites, LIMIT_TARGETS, "sites");
		else if (c == 'p')
			o.keep = (unsigned)args_number(&tool, optarg, 1, LIMIT_POINTS);
		else if (c == 'f') {
			o.has_frequency = 1;
			o.frequency = args_time(&tool, optarg);
		} else if (c == 'i')
			add(o.included, &o.nincluded, LIMIT_DISKS, "included disks");
		else if (c == 'r')
			add(o.removed, &o.nremoved, LIMIT_DISKS, "removed disks");
		else if (c == 'z')
			o.level = args_level(&tool, optarg);
		else if (c == 'a')
			take_app(&o, optarg);
		else if (c == 'P')
			o.plain = 1;
		else if (c == 'E')
			o.plain = -1;
		else if ((why = host_check_spec(optarg)) != NULL)
			args_misuse(&tool, "'%s': %s", optarg, why);
		else
			o.host = optarg;
	}
	args_words(&tool, argc, 1, 1);
	if (o.ndisks + o.nexcluded + o.nincluded + o.nremoved + o.nsites + o.keep + o.level == 0 &&
	    !o.has_frequency && !o.has_app && o.plain == 0 && o.host == NULL)
		args_misuse(&tool, "no --disk is named");
	o.vm = argv[optind];
	if ((S = site_open(home)) != NULL)
		rc = enable(S, &o);
	site_close(S);
	return (say_exit(rc));
}
