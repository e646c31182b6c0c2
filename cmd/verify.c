#include "verify.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"
#include "site/trusting.h"

static const struct args_tool tool = { "vmferry-verify",
	"usage: vmferry verify [--key CARD] [--require-sandbox] [FILE ...] [--home DIR]\n"
	"\n"
	"Check bundles (default: one from standard input) whole, touching no replica.\n"
	"  --key CARD   the card of the site that must have signed them; no home is needed then\n"
	"               (default: any site that this site knows)\n"
	"  --require-sandbox  refuse where the kernel cannot confine the process\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "key", required_argument, NULL, 'k' },
		{ "require-sandbox", no_argument, NULL, 'R' }, { 0 } };
	const char *home = NULL, *key = NULL;
	struct verify_options o = { 0 };
	struct card by;
	struct site *S = NULL;
	int c, rc;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (c == 'R')
			o.insist = 1;
		else
			key = optarg;
	}
	if (key != NULL)
		rc = trusting_card(key, &by);
	else
		rc = (S = site_open(home)) == NULL ? -1 : 0;
	if (rc != 0)
		goto done;
	o.by = key == NULL ? NULL : &by;
	o.trust = S == NULL ? NULL : site_trust(S);
	o.n = (unsigned)(argc - optind);
	o.paths = argv + optind;
	rc = verify(&o);
done:
	site_close(S);
	return (say_exit(rc));
}
