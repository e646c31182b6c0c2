#include "status/report_text.h"

#include <inttypes.h>
#include <string.h>

#include "name.h"
#include "point.h"
#include "primary/plan.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define JUST_NOW 5 /* seconds */
#define ELLIPSIS "\xe2\x80\xa6"

/* The next character, of n bytes: 0 where it is not printable, which is one byte of the text. */
static void
put_character(FILE *out, const char *s, size_t n)
{
	switch (n == 0 ? '\0' : *s) {
	case '\0':
		fputs(*s == '\n' || *s == '\t' ? " " : REPLACEMENT, out);
		break;
	case '&':
		fputs("&amp;", out);
		break;
	case '<':
		fputs("&lt;", out);
		break;
	case '>':
		fputs("&gt;", out);
		break;
	case '"':
		fputs("&quot;", out);
		break;
	case '\'':
		fputs("&#39;", out);
		break;
	default:
		fwrite(s, 1, n, out);
	}
}

/* The first n bytes, which may end within a character. */
static void
put_bytes(FILE *out, const char *text, size_t n)
{
	for (size_t i = 0, step; i < n; i += step == 0 ? 1 : step) {
		step = name_printable(text + i);
		put_character(out, text + i, step);
	}
}

void
report_text_put(FILE *out, const char *text)
{
	put_bytes(out, text, strlen(text));
}

void
report_text_short(FILE *out, const char *text, unsigned most)
{
	size_t i = 0, cut = 0;

	for (unsigned k = 0; k < most && text[i] != '\0'; k++) {
		size_t step = name_printable(text + i);

		cut = k + 1 < most ? i + (step == 0 ? 1 : step) : cut;
		i += step == 0 ? 1 : step;
	}
	put_bytes(out, text, text[i] == '\0' ? i : cut);
	if (text[i] != '\0')
		fputs(ELLIPSIS, out);
}

void
report_text_advice(FILE *out, const char *text)
{
	static const char start[] = "'vmferry ";
	const char *from, *end;

	while ((from = strstr(text, start)) != NULL && (end = strchr(from + 1, '\'')) != NULL) {
		put_bytes(out, text, (size_t)(from - text));
		fputs("<code>", out);
		put_bytes(out, from + 1, (size_t)(end - from - 1));
		fputs("</code>", out);
		text = end + 1;
	}
	report_text_put(out, text);
}

void
report_text_clock(char text[REPORT_TIME], int64_t at)
{
	char iso[POINT_TIME];

	point_time_text(iso, at);
	snprintf(text, REPORT_TIME, "%.10s %.5s UTC", iso, iso + 11);
}

void
report_text_time(FILE *out, int64_t at)
{
	char iso[POINT_TIME], clock[REPORT_TIME];

	point_time_text(iso, at);
	report_text_clock(clock, at);
	fprintf(out, "<time datetime=\"%s\">%s</time>", iso, clock);
}

void
report_text_age(FILE *out, int64_t at, int64_t now)
{
	char iso[POINT_TIME], clock[REPORT_TIME], age[PLAN_TEXT];

	point_time_text(iso, at);
	report_text_clock(clock, at);
	plan_time_text(age, (uint64_t)(at > now ? at - now : now - at));
	fprintf(out, "<time datetime=\"%s\" title=\"%s\">", iso, clock);
	if (at > now)
		fprintf(out, "in %s</time>", age);
	else if (now - at < JUST_NOW)
		fputs("just now</time>", out);
	else
		fprintf(out, "%s ago</time>", age);
}

void
report_text_size(FILE *out, uint64_t bytes)
{
	char text[PLAN_TEXT];

	plan_size_text(text, bytes);
	fputs(text, out);
}

void
report_text_span(FILE *out, uint64_t seconds)
{
	char text[PLAN_TEXT];

	plan_time_text(text, seconds);
	fputs(text, out);
}
