#include "verify.h"

#include <stdio.h>
#include <string.h>

#include "args.h"
#include "base/say.h"
#include "site/trusting.h"

static const struct args_tool tool = { "vmferry-verify",
	"usage: vmferry verify [--key CARD] [--request FILE|-] [--repair FIX] [--json] [--require-sandbox]\n"
	"                      [FILE ...] [--home DIR]\n"
	"\n"
	"Check bundles (default: one from standard input) whole, touching no replica.  What is damaged in a "
	"file\n"
	"is named, with what it covers.\n"
	"  --key CARD   the card of the site that must have signed them; no home is needed then\n"
	"               (default: any site that this site knows)\n"
	"  --request FILE   if a bundle is damaged, write a request there that 'vmferry export --repair' "
	"answers\n"
	"  --repair FIX     that answer: take what is damaged from it\n"
	"  --json           what was found, on standard output\n"
	"  --require-sandbox  refuse where the kernel cannot confine the process\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "key", required_argument, NULL, 'k' },
		{ "request", required_argument, NULL, 'q' }, { "repair", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' }, { "require-sandbox", no_argument, NULL, 'R' }, { 0 } };
	const char *home = NULL, *key = NULL;
	struct verify_options o = { 0 };
	struct card by;
	struct site *S = NULL;
	int c, rc;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		switch (c) {
		case 'R':
			o.insist = 1;
			break;
		case 'q':
			o.request = optarg;
			break;
		case 'f':
			o.repair = optarg;
			break;
		case 'j':
			o.json = 1;
			break;
		default:
			key = optarg;
		}
	}
	if (o.json && o.request != NULL && strcmp(o.request, "-") == 0)
		args_misuse(&tool, "the report and the request cannot both go to standard output");
	rc = key != NULL ? trusting_card(key, &by) : 0;
	if (rc == 0 && (key == NULL || o.request != NULL))
		rc = (S = site_open(home)) == NULL ? -1 : 0;
	if (rc != 0)
		goto done;
	o.by = key == NULL ? NULL : &by;
	o.site = S;
	o.trust = S == NULL ? NULL : site_trust(S);
	o.n = (unsigned)(argc - optind);
	o.paths = argv + optind;
	rc = verify(&o);
done:
	site_close(S);
	return (say_exit(rc));
}
