#include "status/report_svg.h"

#include <inttypes.h>
#include <string.h>

#include "point.h"
#include "primary/plan.h"
#include "status/report_text.h"

/* The plot within the picture, in its own units, which are about a pixel of a phone. */
#define WIDTH 300
#define LEFT 50
#define COLUMNS 240
#define RIGHT (LEFT + COLUMNS)
#define TOP 12
#define HEIGHT 84
#define BOTTOM (TOP + HEIGHT)
#define FOOT 22
#define LANE 34
#define LABEL 40u /* characters of a lane's name */

static void
begin(FILE *out, const struct report_svg *c, int height)
{
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%st %sd\"><title id=\"%st\">",
	    WIDTH, height, c->id, c->id, c->id);
	report_text_put(out, c->title);
	fprintf(out, "</title><desc id=\"%sd\">", c->id);
	report_text_put(out, c->text);
	fputs("</desc>\n", out);
}

/* A time's place between the edges, in hundredths of a unit; those outside are on the edge. */
static int64_t
place(const struct report_svg *c, int64_t at)
{
	double share = (double)(at - c->from) / (double)(c->to - c->from);

	share = share < 0 ? 0 : share > 1 ? 1 : share;
	return ((int64_t)(share * COLUMNS * 100));
}

static double
x_of(const struct report_svg *c, int64_t at)
{
	return (LEFT + (double)place(c, at) / 100);
}

/* --- axes --------------------------------------------------------------------------------------------- */

static const uint64_t spans[] = { 60, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000,
	864000, 2592000, 7776000, 31536000 };
#define SPANS (sizeof spans / sizeof *spans)

/* "15:30", or "22 Nov" for midnight and beyond. */
static void
tick_text(char text[16], int64_t at)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char iso[POINT_TIME];

	point_time_text(iso, at);
	if (at % 86400 != 0)
		snprintf(text, 16, "%.5s", iso + 11);
	else
		snprintf(text, 16, "%d %.3s", (iso[8] - '0') * 10 + iso[9] - '0',
		    months + 3 * ((iso[5] - '0') * 10 + iso[6] - '0' - 1));
}

/* Times below the plot, at round ones, five at most. */
static void
time_axis(FILE *out, const struct report_svg *c, int bottom)
{
	int64_t length = c->to - c->from, step, at;
	size_t i = 0;
	char text[16];

	while (i + 1 < SPANS && length / (int64_t)spans[i] > 4)
		i++;
	step = (int64_t)spans[i];
	while (length / step > 4)
		step *= 2;
	at = (c->from / step + 1) * step;
	fprintf(out, "<path class=\"ax\" d=\"M%d %dH%d\"/>\n", LEFT, bottom, RIGHT);
	for (; at <= c->to; at += step) {
		double x = x_of(c, at);

		if (x > RIGHT - 12 || x < LEFT + 12)
			continue;
		tick_text(text, at);
		fprintf(out,
		    "<path class=\"ax\" d=\"M%.1f %dv4\"/><text x=\"%.1f\" y=\"%d\" "
		    "class=\"mid\">%s</text>\n",
		    x, bottom, x, bottom + 16, text);
	}
}

/* The top, the middle and the bottom of what is measured. */
static void
value_axis(FILE *out, const char *top, const char *middle)
{
	fprintf(out,
	    "<path class=\"gr\" d=\"M%d %dH%dM%d %dH%d\"/>"
	    "<text x=\"%d\" y=\"%d\" class=\"end\">%s</text><text x=\"%d\" y=\"%d\" class=\"end\">%s</text>"
	    "<text x=\"%d\" y=\"%d\" class=\"end\">0</text>\n",
	    LEFT, TOP, RIGHT, LEFT, TOP + HEIGHT / 2, RIGHT, LEFT - 5, TOP + 4, top, LEFT - 5,
	    TOP + HEIGHT / 2 + 4, middle, LEFT - 5, BOTTOM + 4);
}

static double
y_of(uint64_t value, uint64_t top)
{
	return (BOTTOM - (value >= top ? 1.0 : (double)value / (double)top) * HEIGHT);
}

/* --- ages --------------------------------------------------------------------------------------------- */

/* Round numbers of seconds whose halves are round too. */
static uint64_t
top_span(uint64_t most)
{
	static const uint64_t tops[] = { 10, 20, 60, 120, 240, 600, 1200, 1800, 3600, 7200, 14400, 21600,
		43200, 86400, 172800, 345600, 864000, 1728000 };

	for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
		if (tops[i] >= most)
			return (tops[i]);
	return ((most + 1727999) / 1728000 * 1728000);
}

static void
span_text(char text[PLAN_TEXT], uint64_t s)
{
	if (s < 60)
		snprintf(text, PLAN_TEXT, "%" PRIu64 " s", s);
	else if (s < 3600)
		snprintf(text, PLAN_TEXT, "%" PRIu64 " min", s / 60);
	else if (s < 86400)
		snprintf(text, PLAN_TEXT, "%" PRIu64 " h", s / 3600);
	else
		snprintf(text, PLAN_TEXT, "%" PRIu64 " d", s / 86400);
}

#define UNKNOWN UINT64_MAX

/* The end of a column, which is the beginning of the next. */
static int64_t
end_of(const struct report_svg *c, unsigned column)
{
	if (column + 1 == COLUMNS)
		return (c->to);
	return (c->from + (int64_t)((double)(c->to - c->from) / COLUMNS * (column + 1)));
}

static void
raise(uint64_t *largest, int64_t age)
{
	if (age >= 0 && (*largest == UNKNOWN || (uint64_t)age > *largest))
		*largest = (uint64_t)age;
}

/* Of the time of which there are only peaks: in front of one, what was there grew older until then. */
static void
ages_of_peaks(uint64_t largest[COLUMNS], const struct report_svg *c, const struct report_svg_ages *a)
{
	unsigned i = 0;

	for (unsigned k = 0; k < COLUMNS; k++) {
		int64_t end = end_of(c, k);

		largest[k] = UNKNOWN;
		while (i < a->npeaks && a->peaks[i].to < end)
			i++;
		if (i == a->npeaks || (a->n > 0 && end > a->arrivals[0].at))
			continue;
		if (a->peaks[i].from <= end)
			largest[k] = a->peaks[i].age;
		else
			raise(&largest[k], (int64_t)a->peaks[i].age - (a->peaks[i].from - end));
	}
}

/* For every column the largest age within it, UNKNOWN where nothing is known of it.  The largest of all, or 0. */
static uint64_t
ages(uint64_t largest[COLUMNS], const struct report_svg *c, const struct report_svg_ages *a)
{
	uint64_t most = 0;
	int64_t newest = 0;
	unsigned i = 0;

	ages_of_peaks(largest, c, a);
	for (unsigned k = 0; k < COLUMNS; k++) {
		int64_t end = end_of(c, k);

		/* An age is largest just before something newer comes, or where the column ends. */
		for (; i < a->n && a->arrivals[i].at <= end; i++) {
			const struct report_svg_arrival *next = &a->arrivals[i];

			if (i > 0 && next->at > c->from)
				raise(&largest[k], next->at - newest);
			newest = i == 0 || next->point_at > newest ? next->point_at : newest;
		}
		if (i > 0)
			raise(&largest[k], end - newest);
		if (largest[k] != UNKNOWN && largest[k] > most)
			most = largest[k];
	}
	return (most);
}

uint64_t
report_svg_largest(const struct report_svg *c, const struct report_svg_ages *a)
{
	uint64_t largest[COLUMNS];

	return (ages(largest, c, a));
}

/* The line, and the area below it: each stretch of which something is known. */
static void
put_ages(FILE *out, const uint64_t largest[COLUMNS], uint64_t top)
{
	for (unsigned k = 0, end; k < COLUMNS; k = end + 1) {
		for (end = k; end < COLUMNS && largest[end] != UNKNOWN; end++)
			;
		if (end == k)
			continue;
		for (int is_line = 0; is_line < 2; is_line++) {
			fprintf(out, "<path class=\"%s\" d=\"M", is_line ? "ln" : "ar");
			if (!is_line)
				fprintf(out, "%u %dL", LEFT + k, BOTTOM);
			for (unsigned i = k; i < end; i++)
				fprintf(out, "%u %.1f ", LEFT + i, y_of(largest[i], top));
			/* A stretch of one column is a line too. */
			fprintf(out, is_line ? "h1\"/>\n" : "V%d\"/>\n", BOTTOM);
		}
	}
}

static void
put_failures(FILE *out, const struct report_svg *c, const struct report_svg_ages *a)
{
	int64_t last = -1;

	for (unsigned i = 0; i < a->nfailed; i++) {
		int64_t column = place(c, a->failed[i]) / 400;

		if (a->failed[i] < c->from || a->failed[i] > c->to || column == last)
			continue;
		fprintf(out, "<g><path class=\"cr\" d=\"M%.1f %dl6 6m0-6l-6 6\"/></g>\n",
		    x_of(c, a->failed[i]) - 3, BOTTOM - 7);
		last = column;
	}
}

uint64_t
report_svg_ages(FILE *out, const struct report_svg *c, const struct report_svg_ages *a)
{
	uint64_t largest[COLUMNS], most = ages(largest, c, a),
	                           top = top_span(most > a->goal ? most : a->goal);
	char high[PLAN_TEXT], middle[PLAN_TEXT];
	double y = y_of(a->goal, top);

	begin(out, c, BOTTOM + FOOT);
	span_text(high, top);
	span_text(middle, top / 2);
	value_axis(out, high, middle);
	put_ages(out, largest, top);
	if (a->goal != 0)
		fprintf(out,
		    "<path class=\"go\" d=\"M%d %.1fH%d\"/>"
		    "<text x=\"%d\" y=\"%.1f\" class=\"end gt\">goal</text>\n",
		    LEFT, y, RIGHT, RIGHT - 2, y < TOP + 12 ? y + 12 : y - 4);
	put_failures(out, c, a);
	time_axis(out, c, BOTTOM);
	fputs("</svg>\n", out);
	return (most);
}

/* --- sizes -------------------------------------------------------------------------------------------- */

/* As plan_size_text says it, without ".0". */
static void
size_text(char text[PLAN_TEXT], uint64_t n)
{
	char *dot;

	plan_size_text(text, n);
	if (n < 1024)
		snprintf(text, PLAN_TEXT, "%" PRIu64 " B", n);
	else if ((dot = strstr(text, ".0 ")) != NULL)
		memmove(dot, dot + 2, strlen(dot + 2) + 1);
}

void
report_svg_bars(FILE *out, const struct report_svg *c, const struct report_svg_bar *b, unsigned n)
{
	uint64_t largest[REPORT_SVG_BARS] = { 0 }, top = 2;
	char high[PLAN_TEXT], middle[PLAN_TEXT];
	const int width = COLUMNS / (int)REPORT_SVG_BARS;

	for (unsigned i = 0; i < n; i++) {
		int64_t k = place(c, b[i].at) / (100 * width);

		if (b[i].at < c->from || b[i].at > c->to)
			continue;
		k = k < REPORT_SVG_BARS ? k : REPORT_SVG_BARS - 1;
		if (b[i].bytes > largest[k])
			largest[k] = b[i].bytes;
		while (top < b[i].bytes && top < UINT64_C(1) << 62)
			top *= 2;
	}
	begin(out, c, BOTTOM + FOOT);
	size_text(high, top);
	size_text(middle, top / 2);
	value_axis(out, high, middle);
	fputs("<path class=\"ba\" d=\"", out);
	for (unsigned k = 0; k < REPORT_SVG_BARS; k++) {
		double y = y_of(largest[k], top);

		/* What is there at all is to be seen. */
		if (largest[k] != 0)
			fprintf(out, "M%u %dV%.1fh%dV%dz", LEFT + k * (unsigned)width, BOTTOM,
			    y > BOTTOM - 1 ? BOTTOM - 1.0 : y, width - 1, BOTTOM);
	}
	fputs("\"/>\n", out);
	time_axis(out, c, BOTTOM);
	fputs("</svg>\n", out);
}

/* --- points ------------------------------------------------------------------------------------------- */

static void
put_mark(FILE *out, const struct report_svg *c, const struct report_svg_mark *m, int y)
{
	double x = x_of(c, m->at);
	char clock[REPORT_TIME];

	report_text_clock(clock, m->at);
	fprintf(out, "<g class=\"%s\"><title>point %" PRIu64 ", %s</title>", m->is_open ? "op" : "fi", m->seq,
	    clock);
	if (m->is_pinned)
		fprintf(out, "<circle class=\"ri\" cx=\"%.1f\" cy=\"%d\" r=\"6.5\"/>", x, y);
	if (m->shape == REPORT_SVG_DIAMOND)
		fprintf(out, "<path d=\"M%.1f %dl4.5 4.5l-4.5 4.5l-4.5-4.5z\"/>", x, y - 4);
	else if (m->shape == REPORT_SVG_SQUARE)
		fprintf(out, "<path d=\"M%.1f %dh7v7h-7z\"/>", x - 3.5, y - 3);
	else
		fprintf(out, "<circle cx=\"%.1f\" cy=\"%d\" r=\"3.5\"/>", x, y);
	if (m->is_bad)
		fprintf(out, "<path class=\"cr\" d=\"M%.1f %dl10 10m0-10l-10 10\"/>", x - 5, y - 5);
	fputs("</g>", out);
}

static int
looks_alike(const struct report_svg *c, const struct report_svg_mark *a, const struct report_svg_mark *b)
{
	return (place(c, a->at) / 200 == place(c, b->at) / 200 && a->shape == b->shape &&
	        a->is_open == b->is_open && a->is_pinned == b->is_pinned && a->is_bad == b->is_bad);
}

void
report_svg_lanes(FILE *out, const struct report_svg *c, const struct report_svg_lane *lanes, unsigned n)
{
	int bottom = (int)n * LANE + 4;

	begin(out, c, bottom + FOOT);
	for (unsigned i = 0; i < n; i++) {
		const struct report_svg_lane *l = &lanes[i];
		int y = (int)i * LANE + 26;

		fprintf(out, "<text x=\"4\" y=\"%d\">", y - 12);
		report_text_short(out, l->label, LABEL);
		fprintf(out, "</text><path class=\"gr\" d=\"M%d %dH%d\"/>\n", LEFT, y, RIGHT);
		for (unsigned k = 0; k < l->n; k++)
			if (k + 1 == l->n || !looks_alike(c, &l->marks[k], &l->marks[k + 1]))
				put_mark(out, c, &l->marks[k], y);
		fputc('\n', out);
	}
	time_axis(out, c, bottom);
	fputs("</svg>\n", out);
}
