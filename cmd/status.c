#include "status/status.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"
#include "branches.h"

static const struct args_tool tool = { "vmferry-status",
	"usage: vmferry status [VM] [--branches] [--interval TIME] [--json] [--home DIR]\n"
	"       vmferry status [VM] --prometheus | --openmetrics [--interval TIME] [--home DIR]\n"
	"       vmferry status VM --reset [--home DIR]\n"
	"\n"
	"What this site replicates, on either side, and how it is doing; of one VM with its figures.\n"
	"  --branches      histories that have parted, side by side, and what keeping one would mean\n"
	"  --interval      the time that the figures are of; 24h if it is not said\n"
	"  --json          for programs\n"
	"  --prometheus    in Prometheus' text format, as node_exporter's textfile collector takes it\n"
	"  --openmetrics   as OpenMetrics\n"
	"  --reset         count the figures from now on\n" };

enum { OPEN = 256, RESET };

/* Seconds, of which figures are kept. */
static int64_t
interval(const char *text)
{
	uint64_t n = args_time(&tool, text);

	if (n == 0 || n > STATUS_MOST)
		args_misuse(&tool, "figures are kept of the last 31 days");
	return ((int64_t)n);
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "json", no_argument, NULL, 'j' },
		{ "branches", no_argument, NULL, 'b' }, { "interval", required_argument, NULL, 'i' },
		{ "prometheus", no_argument, NULL, 'p' }, { "openmetrics", no_argument, NULL, OPEN },
		{ "reset", no_argument, NULL, RESET }, { 0 } };
	struct status_options o = { .form = STATUS_TEXT };
	const char *home = NULL;
	struct site *S;
	int c, is_branches = 0, is_reset = 0, forms = 0, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		is_branches |= c == 'b';
		is_reset |= c == RESET;
		forms += c == 'j' || c == 'p' || c == OPEN;
		if (c == 'i')
			o.interval = interval(optarg);
		if (c == 'j' || c == 'p' || c == OPEN)
			o.form = c == 'j' ? STATUS_JSON : c == 'p' ? STATUS_PROMETHEUS : STATUS_OPENMETRICS;
	}
	args_words(&tool, argc, is_reset, 1);
	if (forms > 1 || (is_branches && o.form > STATUS_JSON) || (is_reset && (forms || is_branches)))
		args_misuse(&tool, "these options do not go together");
	o.vm = optind < argc ? argv[optind] : NULL;
	if ((S = site_open(home)) != NULL)
		rc = is_reset      ? status_reset(S, o.vm)
		     : is_branches ? branches(S, o.vm, o.form == STATUS_JSON)
		                   : status(S, &o);
	site_close(S);
	return (say_exit(rc));
}
