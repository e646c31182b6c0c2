#include "args.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "hyper/question.h"
#include "hyper/stay.h"
#include "setting.h"
#include "version.h"

void
args_misuse(const struct args_tool *t, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	say_note("%s; see '%s --help'", text, t->name);
	exit(2);
}

int
args_next(const struct args_tool *t, int argc, char *argv[], const char *shorts, const struct option *longs,
    const char **home)
{
	int c;

	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 'H') {
			*home = optarg;
			continue;
		}
		if (c == 'h') {
			fputs(t->usage, stdout);
			exit(fflush(stdout) == 0 ? 0 : 3);
		}
		if (c == 'V') {
			printf("%s %s\n", t->name, VERSION);
			exit(fflush(stdout) == 0 ? 0 : 3);
		}
		if (c == '?' || c == ':')
			exit(2);
		return (c);
	}
	return (-1);
}

void
args_words(const struct args_tool *t, int argc, int least, int most)
{
	int n = argc - optind;

	if (n < least)
		args_misuse(t, "something is missing");
	if (n > most)
		args_misuse(t, "there is a word too many");
}

/* What parse makes of s; if it is none, that ends the program. */
static uint64_t
parsed(const struct args_tool *t, const char *s, const char *(*parse)(const char *s, uint64_t *out))
{
	uint64_t v = 0;
	const char *why = parse(s, &v);

	if (why != NULL)
		args_misuse(t, "'%s' %s", s, why);
	return (v);
}

uint64_t
args_size(const struct args_tool *t, const char *s)
{
	return (parsed(t, s, setting_size));
}

uint64_t
args_time(const struct args_tool *t, const char *s)
{
	return (parsed(t, s, setting_time));
}

uint64_t
args_number(const struct args_tool *t, const char *s, uint64_t least, uint64_t most)
{
	uint64_t v = parsed(t, s, setting_number);

	if (v < least || v > most)
		args_misuse(t, "'%s' is not between %" PRIu64 " and %" PRIu64, s, least, most);
	return (v);
}

enum header_level
args_level(const struct args_tool *t, const char *s)
{
	static const char *const names[] = { NULL, "none", "fast", "default", "best" };

	for (int i = HEADER_LEVEL_NONE; i <= HEADER_LEVEL_BEST; i++)
		if (strcmp(s, names[i]) == 0)
			return ((enum header_level)i);
	args_misuse(t, "'%s' is not none, fast, default or best", s);
}

int
args_answer(const struct args_tool *t, int argc, char *argv[], int (*answer)(const struct question *Q))
{
	const char *asked[4] = { t->name, NULL, NULL, NULL };
	char text[PROGRAM_KEPT_TEXT];
	struct question *Q = NULL;
	int rc;

	say_init(t->name);
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(t->usage, stdout);
		return (say_exit(0));
	}
	if (argc == 2 && strcmp(argv[1], "--stay") == 0) {
		if ((rc = stay(asked, text)) != 1)
			return (say_exit(rc));
		argc = 3;
	} else if (argc != 3 || argv[1][0] == '-') {
		args_misuse(t, "a verb and a name are wanted");
	} else {
		asked[1] = argv[1];
		asked[2] = argv[2];
	}
	if ((rc = question_read(&Q, argc, asked)) == 0)
		rc = answer(Q);
	question_free(Q);
	return (say_exit(rc));
}
