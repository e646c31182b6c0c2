#include "media.h"

#include <stdio.h>

#include "args.h"
#include "base/say.h"
#include "media_plan.h"
#include "primary/export.h"

static const struct args_tool tool = { "vmferry-media",
	"usage: vmferry media DIR [--label NAME] [--json] [--clean] [--require-sandbox] [--home DIR]\n"
	"       vmferry media DIR --plan [--bytes SIZE] [--volume-size SIZE] [--line SIZE] [--json]\n"
	"\n"
	"What the medium at DIR holds, for whom, how complete, and what of it can be deleted because it has "
	"done\n"
	"its duty.  Receipts and key lists on it are taken in passing.\n"
	"  --label  call the medium that from now on\n"
	"  --json   for programs\n"
	"  --clean  delete what can be deleted\n"
	"  --require-sandbox  refuse where the kernel cannot confine the process\n"
	"  --plan   try how fast it can be written to; say how long --bytes take, in volumes of "
	"--volume-size,\n"
	"           and how long on a line of --line bytes a second (sizes with K, M, G or T)\n" };

enum { PLAN = 1000, BYTES, VOLUME_SIZE, LINE };

static void
parse(int argc, char *argv[], struct media_options *o, struct media_plan_options *p, const char **home)
{
	static const struct option longs[] = { ARGS_COMMON, { "json", no_argument, NULL, 'j' },
		{ "clean", no_argument, NULL, 'c' }, { "require-sandbox", no_argument, NULL, 'R' },
		{ "label", required_argument, NULL, 'l' }, { "plan", no_argument, NULL, PLAN },
		{ "bytes", required_argument, NULL, BYTES },
		{ "volume-size", required_argument, NULL, VOLUME_SIZE },
		{ "line", required_argument, NULL, LINE }, { 0 } };
	int c, plan = 0;

	while ((c = args_next(&tool, argc, argv, "h", longs, home)) != -1) {
		if (c == PLAN)
			plan |= 1;
		else if (c == BYTES)
			p->bytes = args_size(&tool, optarg);
		else if (c == VOLUME_SIZE)
			p->volume_size = args_size(&tool, optarg);
		else if (c == LINE)
			p->line = args_size(&tool, optarg);
		plan |= c > PLAN ? 2 : 0;
		o->json |= c == 'j';
		if (c == 'l')
			o->label = optarg;
		o->clean |= c == 'c';
		o->insist |= c == 'R';
	}
	if (plan == 2 || (plan != 0 && (o->clean || o->insist || o->label != NULL)))
		args_misuse(&tool, "these options do not go together");
	if (p->volume_size == 0)
		args_misuse(&tool, "a volume of no bytes holds nothing");
	args_words(&tool, argc, 1, 1);
	o->dir = argv[optind];
	p->dir = plan != 0 ? o->dir : NULL;
	p->json = o->json;
}

int
main(int argc, char *argv[])
{
	struct media_plan_options p = { .volume_size = EXPORT_VOLUME };
	struct media_options o = { 0 };
	const char *home = NULL;
	struct site *S;
	int rc = -1;

	say_init(tool.name);
	parse(argc, argv, &o, &p, &home);
	if (p.dir != NULL)
		return (say_exit(media_plan(&p)));
	if ((S = site_open(home)) != NULL)
		rc = media(S, &o);
	site_close(S);
	return (say_exit(rc));
}
