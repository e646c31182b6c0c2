#include <stdio.h>
#include <string.h>

#include "args.h"
#include "bounds.h"
#include "base/say.h"
#include "host/host.h"
#include "site/trusting.h"

static const struct args_tool tool = { "vmferry-trust",
	"usage: vmferry trust add CARDFILE [--vm PATTERN] [--store DIR] [--max-size SIZE]\n"
	"                         [--inbox SIZE] [--host HOST] [--frequency TIME] [--rate SIZE]\n"
	"                         [--points N] [--home DIR]\n"
	"       vmferry trust list [--json] [--home DIR]\n"
	"       vmferry trust remove NAME [--home DIR]\n"
	"\n"
	"The sites that this site knows.  Bundles can be sealed to them and their receipts count.\n"
	"  --vm PATTERN     it may also replicate the VMs of that pattern (* ? [..]) to here\n"
	"  --store DIR      where their disks are stored (default: in the home)\n"
	"  --max-size SIZE  bytes of disk that one VM may have; K, M, G, T\n"
	"  --inbox SIZE     bytes of bundles that may wait for others, for each VM (default 256G)\n"
	"  --host HOST      what runs its VMs here: none (default), libvirt:URI (libvirt:qemu:///system) or\n"
	"                   exec:PROGRAM\n"
	"What is prescribed to it, which 'vmferry sync' and 'vmferry run' there obey:\n"
	"  --frequency TIME that much between two points at least; s, m, h, d\n"
	"  --rate SIZE      so many bytes a second at most\n"
	"  --points N       keep so many recovery points of a VM at most, whatever it wishes\n"
	"  --json           for programs\n" };

/* 0; 1: it is not one of these. */
static int
take_number(struct trusting_options *o, int c)
{
	if (c == 'm')
		o->max_size = args_size(&tool, optarg);
	else if (c == 'i')
		o->inbox = args_size(&tool, optarg);
	else if (c == 'f')
		o->frequency = args_time(&tool, optarg);
	else if (c == 'r')
		o->rate = args_size(&tool, optarg);
	else if (c == 'p')
		o->points = args_number(&tool, optarg, 1, LIMIT_POINTS);
	else
		return (1);
	return (0);
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "vm", required_argument, NULL, 'v' },
		{ "store", required_argument, NULL, 's' }, { "max-size", required_argument, NULL, 'm' },
		{ "inbox", required_argument, NULL, 'i' }, { "host", required_argument, NULL, 't' },
		{ "frequency", required_argument, NULL, 'f' }, { "rate", required_argument, NULL, 'r' },
		{ "points", required_argument, NULL, 'p' }, { "json", no_argument, NULL, 'j' }, { 0 } };
	struct trusting_options o = { 0 };
	const char *home = NULL, *verb;
	struct site *S;
	int c, rc = -1, json = 0;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (c == 'v')
			o.vm = optarg;
		else if (c == 's')
			o.store = optarg;
		else if (c == 't')
			o.host = optarg;
		else if (take_number(&o, c) != 0)
			json = 1;
	}
	args_words(&tool, argc, 1, 2);
	verb = argv[optind++];
	if (strcmp(verb, "add") != 0 && strcmp(verb, "list") != 0 && strcmp(verb, "remove") != 0)
		args_misuse(&tool, "'%s' is not add, list or remove", verb);
	args_words(&tool, argc, strcmp(verb, "list") != 0, strcmp(verb, "list") != 0);
	if (o.host != NULL && host_check_spec(o.host) != NULL)
		args_misuse(&tool, "'%s': %s", o.host, host_check_spec(o.host));
	if ((S = site_open(home)) != NULL) {
		if (verb[0] == 'a')
			rc = trusting_add(S, argv[optind], &o);
		else if (verb[0] == 'l')
			rc = trusting_list(S, json);
		else
			rc = site_trust_remove(S, argv[optind]);
	}
	site_close(S);
	return (say_exit(rc));
}
