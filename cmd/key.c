#include <stdio.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "base/say.h"
#include "point.h"
#include "site/keys.h"
#include "site/keys_list.h"

static const struct args_tool tool = { "vmferry-key",
	"usage: vmferry key list [--json] [--home DIR]\n"
	"       vmferry key show [--home DIR]\n"
	"       vmferry key rotate [--overlap TIME] [--home DIR]\n"
	"       vmferry key revoke NAME [--cutoff TIME] [--home DIR]\n"
	"       vmferry key import FILE [--home DIR]\n"
	"\n"
	"The keys of this site and of those that it knows.\n"
	"  list            what they are, and what counts of them; --json for programs\n"
	"  show            print this site's key list, signed, for the other sites\n"
	"  rotate          make new keys; what the old ones sign counts for --overlap longer (30d; s, m, h, "
	"d)\n"
	"  revoke NAME     a key of this site, by its number or fingerprint, or a known site: nothing counts "
	"of\n"
	"                  it that was made after --cutoff: 2026-03-01T12:00:00Z, or how long ago (s, m, h, "
	"d)\n"
	"  import FILE     take the key list of a known site; - is standard input\n" };

enum { LIST, SHOW, ROTATE, REVOKE, IMPORT, VERBS };

struct options {
	const char *home;
	uint64_t overlap;
	int64_t cutoff; /* -1: now */
	int json;
};

static int64_t
past(const char *s)
{
	int64_t now = (int64_t)time(NULL), t = point_time_parse(s);
	uint64_t ago;

	if (t >= 0)
		return (t);
	if ((ago = args_time(&tool, s)) > (uint64_t)now)
		args_misuse(&tool, "'%s' ago was before 1970", s);
	return (now - (int64_t)ago);
}

/* The verb, with its options and words checked. */
static int
parse(int argc, char *argv[], struct options *o)
{
	static const struct option longs[] = { ARGS_COMMON, { "overlap", required_argument, NULL, 'o' },
		{ "cutoff", required_argument, NULL, 'c' }, { "json", no_argument, NULL, 'j' }, { 0 } };
	static const char *const verbs[VERBS] = { "list", "show", "rotate", "revoke", "import" };
	static const char own[VERBS] = { 'j', 0, 'o', 'c', 0 };
	int c, verb = 0, has_word;
	char seen = 0;

	while ((c = args_next(&tool, argc, argv, "h", longs, &o->home)) != -1) {
		if (seen != 0 && seen != c)
			args_misuse(&tool, "these options do not go together");
		seen = (char)c;
		if (c == 'o')
			o->overlap = args_time(&tool, optarg);
		else if (c == 'c')
			o->cutoff = past(optarg);
		else
			o->json = 1;
	}
	args_words(&tool, argc, 1, 2);
	while (verb < VERBS && strcmp(argv[optind], verbs[verb]) != 0)
		verb++;
	if (verb == VERBS)
		args_misuse(&tool, "'%s' is not list, show, rotate, revoke or import", argv[optind]);
	if (seen != 0 && seen != own[verb])
		args_misuse(&tool, "'%s' has no such option", argv[optind]);
	optind++;
	has_word = verb == REVOKE || verb == IMPORT;
	args_words(&tool, argc, has_word, has_word);
	return (verb);
}

static int
act(struct site *S, int verb, const char *word, const struct options *o)
{
	switch (verb) {
	case LIST:
		return (keys_list(S, o->json));
	case SHOW:
		return (keys_show(S));
	case ROTATE:
		return (keys_rotate(S, o->overlap));
	case REVOKE:
		return (keys_revoke(S, word, o->cutoff));
	default:
		return (keys_import(S, word));
	}
}

int
main(int argc, char *argv[])
{
	struct options o = { .overlap = UINT64_C(30) * 86400, .cutoff = -1 };
	struct site *S;
	int verb, rc = -1;

	say_init(tool.name);
	verb = parse(argc, argv, &o);
	if ((S = site_open(o.home)) != NULL)
		rc = act(S, verb, argv[optind], &o);
	site_close(S);
	return (say_exit(rc));
}
