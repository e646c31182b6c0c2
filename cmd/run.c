#include "run/run.h"

#include "args.h"
#include "base/say.h"
#include "link/rate.h"

static const struct args_tool tool = { "vmferry-run",
	"usage: vmferry run [--jobs N] [--rate SIZE] [--once] [--home DIR]\n"
	"\n"
	"Keep all replications of this site to their frequencies, until stopped.  How the other sites are "
	"reached\n"
	"is in HOME/routes; see vmferry-routes(5).\n"
	"  --jobs N      so many cycles at a time (4, if the routes do not say otherwise)\n"
	"  --rate SIZE   bytes a second that all lines together may take\n"
	"  --once        what is due now, once, and then end: for cron\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "jobs", required_argument, NULL, 'j' },
		{ "rate", required_argument, NULL, 'r' }, { "once", no_argument, NULL, 'o' }, { 0 } };
	struct run_options o = { 0 };
	const char *home = NULL;
	struct site *S;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (c == 'j')
			o.jobs = (unsigned)args_number(&tool, optarg, 1, 1000);
		else if (c == 'r')
			o.rate = args_size(&tool, optarg);
		else
			o.once = 1;
	}
	args_words(&tool, argc, 0, 0);
	if ((S = site_open(home)) != NULL)
		rc = run(S, &o);
	site_close(S);
	return (say_exit(rc));
}
