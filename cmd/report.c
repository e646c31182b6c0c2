#include "status/report.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"
#include "tally/figures.h"
#include "tally/tally.h"

static const struct args_tool tool = { "vmferry-report",
	"usage: vmferry report --html FILE [VM] [--interval TIME] [--home DIR]\n"
	"\n"
	"How replication goes, as one page of HTML that needs nothing else.\n"
	"  --html FILE      the page, which is replaced whole; '-': standard output\n"
	"  --interval TIME  of the charts and figures, up to now (24h; at most 31d)\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "html", required_argument, NULL, 'm' },
		{ "interval", required_argument, NULL, 'i' }, { 0 } };
	const char *home = NULL, *path = NULL;
	uint64_t interval = FIGURES_INTERVAL;
	struct site *S;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (c == 'm')
			path = optarg;
		if (c == 'i')
			interval = args_time(&tool, optarg);
	}
	args_words(&tool, argc, 0, 1);
	if (path == NULL || path[0] == '\0')
		args_misuse(&tool, "say where the page goes: --html FILE, or --html - for standard output");
	if (interval < 60 || interval > TALLY_HOURS * UINT64_C(3600))
		args_misuse(&tool, "--interval is from a minute to 31 days");
	if ((S = site_open(home)) != NULL)
		rc = report_html(S, path, optind < argc ? argv[optind] : NULL, interval);
	site_close(S);
	return (say_exit(rc));
}
