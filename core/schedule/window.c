#include "schedule/window.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DAY 1440u

static const char none[] = "is none; say 22:00-06:00, or Mon-Fri 20:00-06:00, Sat-Sun";

/* A number that is larger the later the time, and of nothing but its digits: neither zones nor leaps matter. */
static int64_t
number(int year, int month, int day, int hour, int minute)
{
	return ((((int64_t)year * 100 + month) * 100 + day) * 10000 + hour * 100 + minute);
}

/* Step over blanks. */
static void
skip(const char **s)
{
	*s += strspn(*s, " \t");
}

/* A number of exactly that many digits, at most most: 0 or -1. */
static int
digits(const char **s, unsigned n, int most, int *out)
{
	*out = 0;
	for (unsigned i = 0; i < n; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return (-1);
		*out = *out * 10 + (**s - '0');
	}
	return (*out <= most ? 0 : -1);
}

static int
character(const char **s, char c)
{
	if (**s != c)
		return (-1);
	(*s)++;
	return (0);
}

/* HH:MM, where 24:00 is the end of a day. */
static int
minutes(const char **s, unsigned *out)
{
	int h, m;

	if (digits(s, 2, 24, &h) != 0 || character(s, ':') != 0 || digits(s, 2, 59, &m) != 0 ||
	    (h == 24 && m != 0))
		return (-1);
	*out = (unsigned)h * 60 + (unsigned)m;
	return (0);
}

/* Mon to Sun: 0 to 6 from Sunday on; -1 if it is none. */
static int
day(const char **s)
{
	static const char names[] = "SunMonTueWedThuFriSat";

	for (int i = 0; i < 7; i++) {
		if (strncasecmp(*s, names + 3 * i, 3) == 0 && !isalpha((unsigned char)(*s)[3])) {
			*s += 3;
			return (i);
		}
	}
	return (-1);
}

/* Mon, or Mon-Fri, where Sat-Mon is three days: the bits, or 0. */
static unsigned
days(const char **s)
{
	int from = day(s), to = from;
	unsigned bits = 0;

	if (from < 0)
		return (0);
	if (**s == '-') {
		(*s)++;
		if ((to = day(s)) < 0)
			return (0);
	}
	for (int i = from;; i = (i + 1) % 7) {
		bits |= 1u << i;
		if (i == to)
			return (bits);
	}
}

/* Days, hours, or both. */
static const char *
span(struct window *W, const char **s)
{
	struct window_span *p = &W->spans[W->n];

	if (W->n == WINDOW_SPANS)
		return ("has more than 16 parts");
	if (!isalnum((unsigned char)**s))
		return (none);
	*p = (struct window_span){ 0x7f, 0, DAY };
	if (isalpha((unsigned char)**s)) {
		if ((p->days = days(s)) == 0)
			return ("names a day that is none; say Mon, Tue, Wed, Thu, Fri, Sat or Sun");
		skip(s);
	}
	if (isdigit((unsigned char)**s)) {
		if (minutes(s, &p->from) != 0 || character(s, '-') != 0 || minutes(s, &p->to) != 0)
			return ("has hours that are none; say 22:00-06:00");
		if (p->from == p->to || p->from == DAY)
			return ("has hours that are no time at all");
	}
	W->n++;
	return (NULL);
}

/* 2026-11-24T22:00 */
static const char *
start(struct window *W, const char **s)
{
	int year, month, dom, hour, minute;

	if (W->start != 0)
		return ("has two times to start at");
	if (digits(s, 4, 9999, &year) != 0 || character(s, '-') != 0 || digits(s, 2, 12, &month) != 0 ||
	    character(s, '-') != 0 || digits(s, 2, 31, &dom) != 0 || character(s, 'T') != 0 ||
	    digits(s, 2, 23, &hour) != 0 || character(s, ':') != 0 || digits(s, 2, 59, &minute) != 0 ||
	    year == 0 || month == 0 || dom == 0)
		return ("has a time to start at that is none; say 2026-11-24T22:00");
	W->start = number(year, month, dom, hour, minute);
	return (NULL);
}

const char *
window_parse(struct window *W, const char *words)
{
	const char *s = words, *why;

	*W = (struct window){ 0 };
	skip(&s);
	if (*s == '\0')
		return (NULL);
	for (;; s++) {
		skip(&s);
		/* Four digits begin a year, and hours have two. */
		why = strspn(s, "0123456789") == 4 ? start(W, &s) : span(W, &s);
		if (why != NULL)
			return (why);
		skip(&s);
		if (*s == '\0')
			return (NULL);
		if (*s != ',')
			return (none);
	}
}

static int
covers(const struct window_span *p, const struct tm *t)
{
	unsigned now = (unsigned)t->tm_hour * 60 + (unsigned)t->tm_min;
	int is_today = (p->days >> t->tm_wday & 1) != 0;
	int was_yesterday = (p->days >> (t->tm_wday + 6) % 7 & 1) != 0;

	if (p->to > p->from)
		return (is_today && now >= p->from && now < p->to);
	return ((is_today && now >= p->from) || (was_yesterday && now < p->to));
}

int
window_is_open(const struct window *W, const struct tm *t)
{
	if (W->start > number(t->tm_year + 1900, t->tm_mon + 1, t->tm_mday, t->tm_hour, t->tm_min))
		return (0);
	for (unsigned i = 0; i < W->n; i++)
		if (covers(&W->spans[i], t))
			return (1);
	return (W->n == 0);
}
