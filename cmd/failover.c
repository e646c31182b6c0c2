#include "failover.h"

#include "args.h"
#include "bounds.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-failover",
	"usage: vmferry failover VM --planned [--to SITE] [--vm-is-shut-down] [-o FILE | --media DIR\n"
	"                        [--volume-size SIZE]] [--dry-run [--bandwidth SIZE] [--json]] [--home DIR]\n"
	"       vmferry failover VM --planned --complete [--yes] [--start] [--reverse]\n"
	"                        [--dry-run [--json]]\n"
	"       vmferry failover VM --test [--point SEQ] [--start] | --stop-test [--result TEXT]\n"
	"       vmferry failover VM --unplanned [--point SEQ] [--yes] [--start] [--dry-run [--json]]\n"
	"       vmferry failover VM --complete [--yes] [--start] [--reverse] | --cancel\n"
	"\n"
	"At the primary:\n"
	"  --planned          make the final delta and the handover, and lock the VM here\n"
	"  --to SITE          the site that is to take over, where there are several\n"
	"  --vm-is-shut-down  it was shut down, not turned off: your word, where the host cannot tell\n"
	"  -o FILE, --media DIR  where the bundle goes (default: standard output)\n"
	"  --cancel           take the handover back, and unlock\n"
	"At the replica:\n"
	"  --test             a duplicate from a point, isolated; replication goes on\n"
	"  --stop-test        remove it; --result TEXT: how it went (default: passed)\n"
	"  --planned --complete  take over at the final point: nothing is lost\n"
	"  --unplanned        start from a point, because the primary is gone\n"
	"  --complete         for good: newer points are dropped\n"
	"  --cancel           as if it had not been; then another point can be tried\n"
	"  --point SEQ        that point (default: the newest)\n"
	"  --start            start the VM at this site's host\n"
	"  --reverse          become its primary at once; see vmferry-reverse(1)\n"
	"  --yes              do not ask\n"
	"At both:\n"
	"  --dry-run          check everything, name what is in the way, change nothing; --json: for "
	"programs\n"
	"  --bandwidth SIZE   a second, of the way to the replica, to say how long the VM would be down\n" };

/* One act; --planned --complete is one too. */
static void
choose(struct failover_command *c, enum failover_act act)
{
	if ((c->act == FAILOVER_PLANNED && act == FAILOVER_COMPLETE) ||
	    (c->act == FAILOVER_COMPLETE && act == FAILOVER_PLANNED)) {
		act = FAILOVER_COMPLETE;
		c->replica.is_planned = 1;
	} else if ((c->act == FAILOVER_PLANNED && act == FAILOVER_CANCEL) ||
	           (c->act == FAILOVER_CANCEL && act == FAILOVER_PLANNED))
		act = FAILOVER_CANCEL;
	else if (c->act != 0)
		args_misuse(&tool,
		    "--planned, --test, --stop-test, --unplanned, --complete and --cancel go one at a "
		    "time, but for --planned --complete and --planned --cancel");
	c->act = act;
}

static void
check(const struct failover_command *c)
{
	const struct failover_options *r = &c->replica;
	const struct export_options *b = &c->handover.bundle;

	if (c->act == 0)
		args_misuse(&tool, "say --planned, --test, --stop-test, --unplanned, --complete or --cancel");
	if (r->point != 0 && c->act != FAILOVER_TEST && c->act != FAILOVER_UNPLANNED)
		args_misuse(&tool, "--point goes with --test and --unplanned");
	if (r->result != NULL && c->act != FAILOVER_STOP_TEST)
		args_misuse(&tool, "--result goes with --stop-test");
	if (r->start && (c->act == FAILOVER_STOP_TEST || c->act == FAILOVER_CANCEL))
		args_misuse(&tool, "--start goes with --test, --unplanned and --complete");
	if (c->reverse && c->act != FAILOVER_COMPLETE)
		args_misuse(&tool, "--reverse goes with --complete");
	if ((b->output != NULL || b->media != NULL || b->to != NULL || c->handover.is_shut_down) &&
	    c->act != FAILOVER_PLANNED)
		args_misuse(
		    &tool, "-o, --media, --to and --vm-is-shut-down go with --planned, at the primary");
	if (b->media != NULL && b->output != NULL)
		args_misuse(&tool, "it goes to --media or with -o, not both");
	if (b->media == NULL ? b->volume_size != 0
	                     : b->volume_size != 0 && b->volume_size < EXPORT_VOLUME_LEAST)
		args_misuse(&tool, "--volume-size goes with --media, and is 2M at least");
	if (r->is_dry && c->act != FAILOVER_PLANNED && c->act != FAILOVER_UNPLANNED &&
	    c->act != FAILOVER_COMPLETE)
		args_misuse(&tool, "--dry-run goes with --planned, --unplanned and --complete");
	if (!r->is_dry && (r->json || c->handover.bandwidth != 0))
		args_misuse(&tool, "--json and --bandwidth go with --dry-run");
}

static void
parse(int argc, char *argv[], struct failover_command *c, const char **home)
{
	static const struct option longs[] = { ARGS_COMMON, { "planned", no_argument, NULL, 'p' },
		{ "test", no_argument, NULL, 't' }, { "stop-test", no_argument, NULL, 'x' },
		{ "unplanned", no_argument, NULL, 'u' }, { "complete", no_argument, NULL, 'c' },
		{ "cancel", no_argument, NULL, 'k' }, { "point", required_argument, NULL, 'P' },
		{ "to", required_argument, NULL, 'T' }, { "vm-is-shut-down", no_argument, NULL, 'S' },
		{ "output", required_argument, NULL, 'o' }, { "media", required_argument, NULL, 'm' },
		{ "volume-size", required_argument, NULL, 'v' }, { "start", no_argument, NULL, 's' },
		{ "reverse", no_argument, NULL, 'r' }, { "yes", no_argument, NULL, 'y' },
		{ "result", required_argument, NULL, 'R' }, { "dry-run", no_argument, NULL, 'n' },
		{ "bandwidth", required_argument, NULL, 'B' }, { "json", no_argument, NULL, 'j' }, { 0 } };
	struct export_options *b = &c->handover.bundle;
	int o;

	while ((o = args_next(&tool, argc, argv, "o:h", longs, home)) != -1) {
		switch (o) {
		case 'p':
			choose(c, FAILOVER_PLANNED);
			break;
		case 't':
			choose(c, FAILOVER_TEST);
			break;
		case 'x':
			choose(c, FAILOVER_STOP_TEST);
			break;
		case 'u':
			choose(c, FAILOVER_UNPLANNED);
			break;
		case 'c':
			choose(c, FAILOVER_COMPLETE);
			break;
		case 'k':
			choose(c, FAILOVER_CANCEL);
			break;
		case 'P':
			c->replica.point = args_number(&tool, optarg, 1, LIMIT_SEQ);
			break;
		case 'T':
			b->to = optarg;
			break;
		case 'S':
			c->handover.is_shut_down = 1;
			break;
		case 'm':
			b->media = optarg;
			break;
		case 'v':
			b->volume_size = args_size(&tool, optarg);
			break;
		case 's':
			c->replica.start = 1;
			break;
		case 'r':
			c->reverse = 1;
			break;
		case 'y':
			c->replica.yes = 1;
			break;
		case 'R':
			c->replica.result = optarg;
			break;
		case 'n':
			c->replica.is_dry = c->handover.is_dry = 1;
			break;
		case 'B':
			c->handover.bandwidth = args_size(&tool, optarg);
			break;
		case 'j':
			c->replica.json = c->handover.json = 1;
			break;
		default:
			b->output = optarg;
		}
	}
	args_words(&tool, argc, 1, 1);
	c->replica.vm = b->vm = argv[optind];
	check(c);
}

int
main(int argc, char *argv[])
{
	struct failover_command c = { 0 };
	const char *home = NULL;
	struct site *S;
	int rc = -1;

	say_init(tool.name);
	parse(argc, argv, &c, &home);
	if ((S = site_open(home)) != NULL)
		rc = failover(S, &c);
	site_close(S);
	return (say_exit(rc));
}
