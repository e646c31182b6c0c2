#include <stdio.h>
#include <unistd.h>

#include "args.h"
#include "base/say.h"
#include "site/trusting.h"

static const struct args_tool tool = { "vmferry-init",
	"usage: vmferry init [--name NAME] [--home DIR]\n"
	"\n"
	"Make this site's home and its keys, and print its card, which other sites need.\n"
	"  --name NAME   what the site is called (default: the host's name)\n"
	"  --home DIR    where it lives (default: $VMFERRY_HOME, /var/lib/vmferry for root)\n" };

static int
print_card(const char *home)
{
	struct site *S = site_open(home);

	if (S == NULL)
		return (-1);
	trusting_print_card(S);
	site_close(S);
	return (0);
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "name", required_argument, NULL, 'n' }, { 0 } };
	const char *home = NULL, *name = NULL;
	char host[256] = "";
	int rc;

	say_init(tool.name);
	while (args_next(&tool, argc, argv, "n:h", longs, &home) != -1)
		name = optarg;
	args_words(&tool, argc, 0, 0);
	if (name == NULL && gethostname(host, sizeof host - 1) == 0)
		name = host;
	rc = site_init(home, name == NULL ? "" : name);
	if (rc == 0)
		rc = print_card(home);
	return (say_exit(rc));
}
