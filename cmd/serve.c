#include "session/serve.h"

#include <unistd.h>

#include "args.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-serve",
	"usage: vmferry serve [--only SITE] [--require-sandbox] [--home DIR]\n"
	"\n"
	"Serve one session with a site that this one knows, on standard input and output: what 'vmferry "
	"sync' "
	"and\n"
	"'vmferry run' call at their other end.  Bundles are imported as ever, and sent to who may fetch "
	"them.\n"
	"  --only SITE        no other site may call\n"
	"  --require-sandbox  refuse where the kernel cannot confine what parses bundles\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "only", required_argument, NULL, 'o' },
		{ "require-sandbox", no_argument, NULL, 'R' }, { 0 } };
	struct serve_options o = { .insist = 0 };
	const char *home = NULL;
	struct site *S;
	int c, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (c == 'o')
			o.only = optarg;
		else
			o.insist = 1;
	}
	args_words(&tool, argc, 0, 0);
	if ((S = site_open(home)) != NULL)
		rc = serve(S, &o, STDIN_FILENO, STDOUT_FILENO);
	site_close(S);
	return (say_exit(rc));
}
