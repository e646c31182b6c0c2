#include "confirm.h"

#include <string.h>

#include "args.h"
#include "base/say.h"
#include "bounds.h"

static const struct args_tool tool = { "vmferry-confirm",
	"usage: vmferry confirm VM dns | network | test [--every T] [--home DIR]\n"
	"\n"
	"Say what you have seen to, so that status does not remind of it any more.\n"
	"  dns        addresses and DNS lead to this site since its failover\n"
	"  network    the networks that the VM wants are at this site's host\n"
	"  test       the replica was tested, by hand\n"
	"  --every T  not so, but from now on a test is due this often: 30d (0: the default, 90d)\n" };

static enum confirm_what
what_of(const char *s)
{
	static const char *const names[] = { NULL, "dns", "network", "test" };

	for (int i = CONFIRM_DNS; i <= CONFIRM_TEST; i++)
		if (strcmp(s, names[i]) == 0)
			return ((enum confirm_what)i);
	args_misuse(&tool, "'%s' is nothing to confirm: say dns, network or test", s);
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "every", required_argument, NULL, 'e' },
		{ 0 } };
	struct confirm_options o = { 0 };
	const char *home = NULL;
	struct site *S;
	int rc = -1;

	say_init(tool.name);
	while (args_next(&tool, argc, argv, "h", longs, &home) != -1) {
		o.has_every = 1;
		o.every = strcmp(optarg, "0") == 0 ? 0 : args_time(&tool, optarg);
	}
	args_words(&tool, argc, 2, 2);
	o.vm = argv[optind];
	o.what = what_of(argv[optind + 1]);
	if (o.has_every && o.what != CONFIRM_TEST)
		args_misuse(&tool, "--every goes with test");
	if ((S = site_open(home)) != NULL)
		rc = confirm(S, &o);
	site_close(S);
	return (say_exit(rc));
}
