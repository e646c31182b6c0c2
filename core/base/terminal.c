#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MOST 10000

/* A number in the environment; 0: none that is of use. */
static unsigned
number(const char *name)
{
	const char *s = getenv(name);
	long n = s == NULL ? 0 : strtol(s, NULL, 10);

	return (n > 0 && n < MOST ? (unsigned)n : 0);
}

static int
has_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return ((no == NULL || no[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0);
}

struct terminal
terminal_of(int fd)
{
	struct terminal t = { .is_one = isatty(fd), .columns = TERMINAL_PIPE };
	struct winsize w = { .ws_col = 0 };

	if (!t.is_one)
		return (t);
	if (ioctl(fd, TIOCGWINSZ, &w) != 0)
		w = (struct winsize){ .ws_col = 0 };
	t.columns = w.ws_col != 0 ? w.ws_col : number("COLUMNS");
	t.rows = w.ws_row != 0 ? w.ws_row : number("LINES");
	if (t.columns == 0)
		t.columns = 80;
	if (t.columns < TERMINAL_LEAST)
		t.columns = TERMINAL_LEAST;
	t.has_colour = has_colour();
	return (t);
}
