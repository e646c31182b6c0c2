#include <stdio.h>

#include "args.h"
#include "base/say.h"
#include "site/trusting.h"

static const struct args_tool tool = { "vmferry-card",
	"usage: vmferry card [--minisign] [--home DIR]\n"
	"\n"
	"Print this site's card: its name and public keys.  Give it to the other sites, and compare the\n"
	"fingerprint with them over another channel.\n"
	"  --minisign  print the signing key as minisign -P takes it, to check manifests on media with\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "minisign", no_argument, NULL, 'm' }, { 0 } };
	const char *home = NULL;
	struct site *S;
	int c, minisign = 0, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1)
		minisign |= c == 'm';
	args_words(&tool, argc, 0, 0);
	if ((S = site_open(home)) != NULL) {
		(minisign ? trusting_print_minisign : trusting_print_card)(S);
		rc = 0;
	}
	site_close(S);
	return (say_exit(rc));
}
