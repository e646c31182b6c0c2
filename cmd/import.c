#include "import_media.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"
#include "replica/receive.h"

static const struct args_tool tool = { "vmferry-import",
	"usage: vmferry import [FILE] [--repair FIX] [--no-merge] [--receipt FILE|-] [--require-sandbox]\n"
	"                      [--home DIR]\n"
	"       vmferry import --media DIR [--no-merge] [--require-sandbox] [--home DIR]\n"
	"       vmferry import --position [VM] [--home DIR]\n"
	"\n"
	"Take in a bundle from a file or standard input: a seed or a delta into a replica, or a receipt at "
	"a\n"
	"primary.  Nothing is used before it was verified.\n"
	"  --repair FIX     take what is damaged in the bundle from there, the answer of 'vmferry export "
	"--repair'\n"
	"  --no-merge       only stage it; 'vmferry merge' goes on\n"
	"  --receipt FILE   write a receipt for the primary; '-': to standard output\n"
	"  --media DIR      take all that is for this site from a medium, and leave receipts there\n"
	"  --position       print where a bundle was cut short that is here in part, for 'vmferry export\n"
	"                   --resume-from' there; what that writes is imported as ever\n"
	"  --require-sandbox  refuse where the kernel cannot confine the process\n" };

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { "no-merge", no_argument, NULL, 'n' },
		{ "receipt", required_argument, NULL, 'r' }, { "require-sandbox", no_argument, NULL, 'R' },
		{ "repair", required_argument, NULL, 'f' }, { "position", no_argument, NULL, 'P' },
		{ "media", required_argument, NULL, 'm' }, { 0 } };
	struct import_options o = { 0 };
	const char *home = NULL, *media = NULL;
	struct site *S;
	int c, position = 0, rc = -1;

	say_init(tool.name);
	while ((c = args_next(&tool, argc, argv, "h", longs, &home)) != -1) {
		if (c == 'n')
			o.stage_only = 1;
		else if (c == 'R')
			o.insist = 1;
		else if (c == 'P')
			position = 1;
		else if (c == 'm')
			media = optarg;
		else if (c == 'f')
			o.repair = optarg;
		else
			o.receipt = optarg;
	}
	args_words(&tool, argc, 0, 1);
	if (media != NULL && (optind < argc || o.receipt != NULL || position))
		args_misuse(&tool, "--media takes no file, --receipt or --position");
	o.input = optind < argc ? argv[optind] : NULL;
	if ((S = site_open(home)) != NULL)
		rc = position        ? receive_position(S, o.input)
		     : media != NULL ? import_media(S, &o, media)
		                     : import(S, &o);
	site_close(S);
	return (say_exit(rc));
}
