#include "session/sync.h"

#include "args.h"
#include "base/say.h"

#define PATIENCE 60 /* seconds */

static const struct args_tool tool = { "vmferry-sync",
	"usage: vmferry sync VM [--via WORDS] [--to SITE] [--rate SIZE]\n"
	"                    [--seed | --resync | --bundle FILE] [--patience TIME] [--home DIR]\n"
	"       vmferry sync VM [--via WORDS] [--to SITE] --test [--json] [--home DIR]\n"
	"\n"
	"Bring another site up to date with a VM, over one pipe: it says what it has, the bundle goes there, "
	"and "
	"its\n"
	"receipt comes back.  At a replica, what is new is fetched from its primary, or forwarded.\n"
	"  --via WORDS      the way there: a command whose input and output are the pipe ('ssh dr vmferry "
	"serve'),\n"
	"                   unix:PATH, a socket, or fifo:OUT,IN, two named pipes (default: what HOME/routes "
	"has)\n"
	"  --to SITE        that site, where there are several\n"
	"  --rate SIZE      so many bytes a second at most; K, M, G\n"
	"  --seed           send an initial copy, though it may have one or had one\n"
	"  --resync         have it compare its disks first, and send what differs\n"
	"  --bundle FILE    send this one, and make none: that of a planned failover, say\n"
	"  --patience TIME  try that long again when the line is cut; s, m, h (default 60s)\n"
	"  --test           ask whether it would be taken, and change nothing; --json: for programs\n" };

static void
parse(int argc, char *argv[], struct sync_options *o, const char **home)
{
	static const struct option longs[] = { ARGS_COMMON, { "via", required_argument, NULL, 'v' },
		{ "to", required_argument, NULL, 't' }, { "rate", required_argument, NULL, 'r' },
		{ "seed", no_argument, NULL, 's' }, { "resync", no_argument, NULL, 'y' },
		{ "bundle", required_argument, NULL, 'b' }, { "test", no_argument, NULL, 'T' },
		{ "json", no_argument, NULL, 'j' }, { "patience", required_argument, NULL, 'p' }, { 0 } };
	int c;

	while ((c = args_next(&tool, argc, argv, "h", longs, home)) != -1) {
		switch (c) {
		case 'v':
			o->via = optarg;
			break;
		case 't':
			o->to = optarg;
			break;
		case 'r':
			o->rate = args_size(&tool, optarg);
			break;
		case 's':
			o->seed = 1;
			break;
		case 'y':
			o->resync = 1;
			break;
		case 'b':
			o->bundle = optarg;
			break;
		case 'T':
			o->test = 1;
			break;
		case 'j':
			o->json = 1;
			break;
		default:
			o->patience = args_time(&tool, optarg);
		}
	}
	args_words(&tool, argc, 1, 1);
	o->vm = argv[optind];
	if ((o->seed != 0) + (o->resync != 0) + (o->bundle != NULL) > 1)
		args_misuse(
		    &tool, "--seed sends all, --resync what differs, --bundle what is there: one of them");
	if (o->json && !o->test)
		args_misuse(&tool, "--json goes with --test");
	if (o->test && (o->seed || o->resync || o->bundle != NULL))
		args_misuse(&tool, "--test sends nothing: it goes without --seed, --resync and --bundle");
}

int
main(int argc, char *argv[])
{
	struct sync_options o = { .patience = PATIENCE };
	const char *home = NULL;
	struct site *S;
	int rc = -1;

	say_init(tool.name);
	parse(argc, argv, &o, &home);
	if ((S = site_open(home)) != NULL)
		rc = sync_vm(S, &o);
	site_close(S);
	return (say_exit(rc));
}
