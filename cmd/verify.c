#include "verify.h"

#include <stdio.h>

#include "args.h"
#include "say.h"
#include "site/site.h"

static const struct args_tool tool = { "vmferry-verify",
	"usage: vmferry verify [--key CARD] [FILE ...] [--home DIR]\n"
	"\n"
	"Check bundles (default: one from standard input) whole, touching no replica.\n"
	"  --key CARD   the card of the site that must have signed them; no home is needed then\n"
	"               (default: any site that this site knows)\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "key", required_argument, NULL, 'k' }, { 0 } };
	const char *home = NULL, *key = NULL;
	struct card by;
	struct site *S = NULL;
	int rc, one;

	say_init(tool.name);
	while (args_next(&tool, argc, argv, "h", longs, &home) != -1)
		key = optarg;
	if (key != NULL)
		rc = verify_card(key, &by);
	else
		rc = (S = site_open(home)) == NULL ? -1 : 0;
	if (rc != 0)
		goto done;
	/* Every file is looked at; the worst answer counts. */
	do {
		one = verify(optind < argc ? argv[optind] : NULL, key == NULL ? NULL : &by,
		    S == NULL ? NULL : site_trust(S));
		if (one < 0 || rc == 0)
			rc = one;
	} while (++optind < argc);
done:
	site_close(S);
	return (say_exit(rc));
}
