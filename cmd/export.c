#include <stdio.h>
#include <string.h>

#include "args.h"
#include "bounds.h"
#include "primary/export.h"
#include "primary/plan.h"
#include "primary/repair.h"
#include "base/say.h"
#include "send.h"

static const struct args_tool tool = { "vmferry-export",
	"usage: vmferry export VM [--seed | --delta] [--since acked|sent|SEQ] [--changes "
	"FILE|-|bitmap:NAME]\n"
	"                      [--against FILE|-] [--app]\n"
	"                      [--to SITE] [--plain | --encrypt] [--compress none|fast|default|best] "
	"[--live-unsafe]\n"
	"                      [-o FILE | --media DIR [--volume-size SIZE]] [--anew] [--home DIR]\n"
	"       vmferry export [VM] --repair REQUEST [-o FILE | --media DIR] [--home DIR]\n"
	"\n"
	"Cut a recovery point of a VM and write its bundle to standard output or a file.\n"
	"  --seed           a whole initial copy\n"
	"  --delta          what changed (the default once there was a seed)\n"
	"  --since FROM     where a delta starts: the point acknowledged by receipt (the default; the seed "
	"while\n"
	"                   none has come), the one sent last, or the one of that number\n"
	"  --changes FILE   a list of what changed since the last point, lines 'disk offset length'; '-': "
	"standard\n"
	"                   input; bitmap:NAME: that dirty bitmap of the NBD exports (default: compare all "
	"blocks)\n"
	"  --against FILE   what differs from the disks that the compare bundle in FILE speaks of, for the "
	"site "
	"that\n"
	"                   made it; see 'vmferry compare' and 'vmferry adopt'\n"
	"  --to SITE        for this site alone; at a replica: forward to it what was received\n"
	"  --plain          do not encrypt; --encrypt: do; --compress HOW: none, fast, default or best\n"
	"                   (default: as was said to 'vmferry enable')\n"
	"  --app            the guest is asked to be consistent at the point, through its agent\n"
	"  --live-unsafe    read disks although a program has them open for writing\n"
	"  --repair FILE    answer the request of 'vmferry verify --request': make those segments again, as "
	"they were\n"
	"  -o FILE          write there; the file has its name only once it is whole\n"
	"  --media DIR      write volumes to DIR/vmferry/ and read them back; when the medium is full, the "
	"same\n"
	"                   command with the next one goes on\n"
	"  --volume-size N  bytes of a volume, with K, M, G (default: just under 4G, which FAT32 holds)\n"
	"  --anew           give up an export that was begun and not finished\n"
	"  --dry-run        cut and write nothing, and say what it would be: how much (estimated from a "
	"sample that is\n"
	"                   encoded), in how many volumes, and with --media how long; --json: for programs;\n"
	"                   --transit TIME: how old the point is on arrival; --bandwidth SIZE a second: or "
	"on a line\n"
	"  --resume-from F  go on with what was cut short on its way through a pipe: 'vmferry import "
	"--position'\n"
	"                   at the receiver prints F; '-': standard input\n"
	"\n"
	"Stopped or cut short, to a file or to media, the same command goes on where it stood.\n" };

static void
since(struct export_options *o, const char *s)
{
	if (strcmp(s, "acked") == 0) {
		o->since = EXPORT_SINCE_ACKED;
	} else if (strcmp(s, "sent") == 0) {
		o->since = EXPORT_SINCE_SENT;
	} else {
		o->since = EXPORT_SINCE_SEQ;
		o->since_seq = args_number(&tool, s, 1, LIMIT_SEQ);
	}
}

struct dry_run {
	int is_dry;
	struct plan_options options;
};

/* What goes with what. */
static void
check(const struct export_options *o, const struct repair_options *r, const struct dry_run *w)
{
	if (r->request != NULL &&
	    (o->seed || o->delta || o->since != EXPORT_SINCE_ACKED || o->changes != NULL || o->to != NULL ||
	        o->against != NULL || o->volume_size != 0 || o->anew))
		args_misuse(&tool, "--repair cuts no point: it goes with -o or --media alone");
	if (o->seed && (o->delta || o->changes != NULL || o->since != EXPORT_SINCE_ACKED))
		args_misuse(&tool, "--seed goes without --delta, --since and --changes");
	if (o->against != NULL &&
	    (o->seed || o->delta || o->changes != NULL || o->live_unsafe || o->since != EXPORT_SINCE_ACKED))
		args_misuse(
		    &tool, "--against goes without --seed, --delta, --since, --changes and --live-unsafe");
	if (!w->is_dry && (w->options.json || w->options.transit != 0 || w->options.bandwidth != 0))
		args_misuse(&tool, "--json, --transit and --bandwidth go with --dry-run");
	if (w->is_dry && (r->request != NULL || o->resume != NULL || o->anew))
		args_misuse(&tool, "--dry-run goes without --repair, --resume-from and --anew");
	if (o->resume != NULL && (o->media != NULL || o->output != NULL || o->anew))
		args_misuse(
		    &tool, "--resume-from goes on to standard output, without -o, --media and --anew");
	if (o->media != NULL && o->output != NULL)
		args_misuse(&tool, "it goes to --media or with -o, not both");
	if (o->media == NULL ? o->volume_size != 0
	                     : o->volume_size != 0 && o->volume_size < EXPORT_VOLUME_LEAST)
		args_misuse(&tool, "--volume-size goes with --media, and is 2M at least");
}

static void
parse(int argc, char *argv[], struct export_options *o, struct repair_options *r, struct dry_run *w,
    const char **home)
{
	static const struct option longs[] = { ARGS_COMMON, { "seed", no_argument, NULL, 's' },
		{ "delta", no_argument, NULL, 'd' }, { "since", required_argument, NULL, 'S' },
		{ "changes", required_argument, NULL, 'c' }, { "to", required_argument, NULL, 't' },
		{ "against", required_argument, NULL, 'a' }, { "plain", no_argument, NULL, 'p' },
		{ "encrypt", no_argument, NULL, 'e' }, { "compress", required_argument, NULL, 'z' },
		{ "app", no_argument, NULL, 'K' }, { "live-unsafe", no_argument, NULL, 'l' },
		{ "repair", required_argument, NULL, 'r' }, { "output", required_argument, NULL, 'o' },
		{ "media", required_argument, NULL, 'm' }, { "volume-size", required_argument, NULL, 'v' },
		{ "anew", no_argument, NULL, 'A' }, { "resume-from", required_argument, NULL, 'R' },
		{ "dry-run", no_argument, NULL, 'n' }, { "json", no_argument, NULL, 'j' },
		{ "transit", required_argument, NULL, 'T' }, { "bandwidth", required_argument, NULL, 'B' },
		{ 0 } };
	int c;

	while ((c = args_next(&tool, argc, argv, "o:h", longs, home)) != -1) {
		switch (c) {
		case 's':
			o->seed = 1;
			break;
		case 'd':
			o->delta = 1;
			break;
		case 'S':
			since(o, optarg);
			break;
		case 'c':
			o->changes = optarg;
			break;
		case 'a':
			o->against = optarg;
			break;
		case 't':
			o->to = optarg;
			break;
		case 'p':
			o->plain = 1;
			break;
		case 'e':
			o->plain = -1;
			break;
		case 'z':
			o->level = args_level(&tool, optarg);
			break;
		case 'K':
			o->app = 1;
			break;
		case 'l':
			o->live_unsafe = 1;
			break;
		case 'r':
			r->request = optarg;
			break;
		case 'm':
			o->media = r->media = optarg;
			break;
		case 'v':
			o->volume_size = args_size(&tool, optarg);
			break;
		case 'A':
			o->anew = 1;
			break;
		case 'R':
			o->resume = optarg;
			break;
		case 'n':
			w->is_dry = 1;
			break;
		case 'j':
			w->options.json = 1;
			break;
		case 'T':
			w->options.transit = args_time(&tool, optarg);
			break;
		case 'B':
			w->options.bandwidth = args_size(&tool, optarg);
			break;
		default:
			o->output = r->output = optarg;
		}
	}
	args_words(&tool, argc, r->request == NULL ? 1 : 0, 1);
	r->vm = optind < argc ? argv[optind] : NULL;
	o->vm = argv[optind];
	check(o, r, w);
}

int
main(int argc, char *argv[])
{
	struct export_options o = { 0 };
	struct repair_options r = { 0 };
	struct dry_run w = { 0 };
	const char *home = NULL;
	struct site *S;
	int rc = -1;

	say_init(tool.name);
	parse(argc, argv, &o, &r, &w, &home);
	if ((S = site_open(home)) != NULL)
		rc = r.request != NULL ? repair(S, &r)
		     : w.is_dry        ? plan(S, &o, &w.options)
		                       : send_bundle(S, &o);
	site_close(S);
	return (say_exit(rc));
}
