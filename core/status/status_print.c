#include "status/status_print.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* --- text in lines ------------------------------------------------------------------------------------ */

static const char *const paints[] = { "\033[32m", "", "\033[33m", "\033[1;31m" };
#define PLAIN "\033[0m"

/* A text that is written, and how far it is. */
struct writing {
	FILE *out;
	unsigned columns, column, indent;
};

static void
new_line(struct writing *w)
{
	fprintf(w->out, "\n%*s", (int)w->indent, "");
	w->column = w->indent;
}

/* A word, which is broken where it is longer than a whole line. */
static void
put_word(struct writing *w, const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* The second row of control characters has two bytes in UTF-8. */
		int is_c1 = (unsigned char)word[i] == 0xc2 && ((unsigned char)word[i + 1] & 0xe0) == 0x80;

		if (w->column >= w->columns)
			new_line(w);
		putc((unsigned char)word[i] < 0x20 || word[i] == 0x7f || is_c1 ? '?' : word[i], w->out);
		i += (size_t)is_c1;
		w->column++;
	}
}

static void
put_words(struct writing *w, const char *text)
{
	int is_first = 1;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (!is_first && w->column + 1 + n > w->columns)
			new_line(w);
		else if (!is_first) {
			putc(' ', w->out);
			w->column++;
		}
		put_word(w, text, n);
		text += n;
		text += *text == ' ';
		is_first = 0;
	}
	putc('\n', w->out);
}

static void
put_text(FILE *out, const struct terminal *t, const char *text, unsigned first, unsigned indent)
{
	struct writing w = { out, t->columns, first, indent };

	fprintf(out, "%*s", (int)first, "");
	put_words(&w, text);
}

void
status_print_text(const char *text, unsigned first, unsigned indent)
{
	struct terminal t = terminal_of(STDOUT_FILENO);

	put_text(stdout, &t, text, first, indent);
}

/* The word for a grade, in its colour, in so many columns. */
static void
put_grade(FILE *out, const struct terminal *t, enum health_grade grade, int width)
{
	const char *text = health_grade_text(grade);

	if (t->has_colour && paints[grade][0] != '\0')
		fprintf(out, "%s%s" PLAIN "%*s", paints[grade], text,
		    width > (int)strlen(text) ? width - (int)strlen(text) : 0, "");
	else
		fprintf(out, "%-*s", width, text);
}

/* --- a line ------------------------------------------------------------------------------------------- */

/* The first columns: a long name gets a line of its own. */
#define NAME 16
#define SIDE 7
#define STATE 21
#define LEAD (NAME + 1 + SIDE + 1 + STATE)
#define WHOLE 99u /* columns of all of it */
#define SHORT 76u /* with an age, and no counts */

static const char *
age_of(const struct status_line *l, char age[POINT_AGE])
{
	if (l->last.seq == 0)
		return ("-");
	point_age_text(age, l->now - l->last.time);
	return (age);
}

void
status_print_head(FILE *out, const struct terminal *t)
{
	if (t->columns < SHORT)
		return;
	fprintf(
	    out, "%-*s %-*s %-*s %-8s %7s  ", NAME, "VM", SIDE, "ROLE", STATE, "STATE", "HEALTH", "POINT");
	if (t->columns < WHOLE)
		fprintf(out, "AGE\n");
	else
		fprintf(out, "%-20s %6s %6s\n", "TIME", "POINTS", "STAGED");
}

static void
print_row(FILE *out, const struct terminal *t, const struct status_line *l)
{
	const char *state = role_state_text(l->role->state), *name = l->vm;
	char time[POINT_TIME] = "-", age[POINT_AGE];
	size_t room = LEAD - SIDE - 2 - (strlen(state) > STATE ? strlen(state) : STATE);

	if (strlen(name) > room) {
		put_text(out, t, name, 0, 2);
		name = "";
	}
	fprintf(out, "%-*s %-*s %-*s ", (int)room, name, SIDE, l->side, (int)(LEAD - SIDE - 2 - room), state);
	put_grade(out, t, l->health->grade, 8);
	fprintf(out, " %7" PRIu64 "  ", l->last.seq);
	if (l->last.seq != 0)
		point_time_text(time, l->last.time);
	if (t->columns < WHOLE)
		fprintf(out, "%s\n", age_of(l, age));
	else
		fprintf(out, "%-20s %6u %6u\n", time, l->points, l->staged);
}

/* Where no row fits. */
static void
print_narrow(FILE *out, const struct terminal *t, const struct status_line *l)
{
	char age[POINT_AGE], text[256];
	struct writing w = { out, t->columns, 2, 4 };

	put_text(out, t, l->vm, 0, 2);
	fprintf(out, "  ");
	put_grade(out, t, l->health->grade, 0);
	w.column += (unsigned)strlen(health_grade_text(l->health->grade));
	if (l->last.seq == 0)
		snprintf(text, sizeof text, ", %s, %s", l->side, role_state_text(l->role->state));
	else
		snprintf(text, sizeof text, ", %s, %s, point %" PRIu64 " of %s ago", l->side,
		    role_state_text(l->role->state), l->last.seq, age_of(l, age));
	put_words(&w, text);
}

void
status_print(FILE *out, const struct terminal *t, const struct status_line *l)
{
	const struct health *h = l->health;
	char text[2 * HEALTH_TEXT + 32];

	if (t->columns < SHORT)
		print_narrow(out, t, l);
	else
		print_row(out, t, l);
	for (unsigned i = 0; i < h->n; i++) {
		const struct health_cause *c = &h->causes[i];
		struct writing w = { out, t->columns, 2, 6 };

		fprintf(out, "  ");
		put_grade(out, t, c->grade, 0);
		w.column += (unsigned)strlen(health_grade_text(c->grade));
		snprintf(text, sizeof text, ": %s%s%s", c->text, c->remedy[0] == '\0' ? "" : "; ", c->remedy);
		put_words(&w, text);
	}
}

void
status_print_rest(FILE *out, const struct terminal *t, unsigned normal, unsigned all)
{
	char text[64];

	snprintf(text, sizeof text, "Normal, and not shown: %u of %u.", normal, all);
	put_text(out, t, text, 0, 2);
	put_text(out, t, "'vmferry status | less' shows all of them.", 0, 2);
}

/* --- figures ------------------------------------------------------------------------------------------ */

#define TEXT 160u

static void
put_figure(FILE *out, const struct terminal *t, const char *name, const char *text)
{
	struct writing w = { out, t->columns, 12, 12 };

	fprintf(out, "  %-9s ", name);
	put_words(&w, text);
}

/* Bytes, to three digits or so. */
static const char *
size_text(char out[32], uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double n = (double)bytes;
	unsigned i = 0;

	for (; n >= 1000 && i < 5; i++)
		n /= 1024;
	snprintf(out, 32, i == 0 || n >= 100 ? "%.0f %s" : "%.1f %s", n, units[i]);
	return (out);
}

static const char *
ms_text(char out[POINT_AGE], uint64_t ms)
{
	if (ms < 120000)
		snprintf(out, POINT_AGE, "%.1f seconds", (double)ms / 1000);
	else
		point_age_text(out, (int64_t)(ms / 1000));
	return (out);
}

static void
rpo_text(char out[TEXT], const struct figures *f)
{
	char age[POINT_AGE], goal[POINT_AGE], most[POINT_AGE];

	point_age_text(age, (int64_t)f->rpo);
	point_age_text(goal, (int64_t)f->goal);
	point_age_text(most, (int64_t)f->largest_rpo);
	snprintf(out, TEXT, "%s%s%s%s%s%s", f->has_rpo ? age : "nothing is there for sure",
	    f->has_rpo ? " now" : "", f->goal == 0 ? "" : "; one cycle is ", f->goal == 0 ? "" : goal,
	    f->largest_rpo == 0 ? "" : "; at most ", f->largest_rpo == 0 ? "" : most);
}

static void
bundles_text(char out[TEXT], const struct figures *f, int is_primary)
{
	char average[32], largest[32], all[32];
	int n = snprintf(out, TEXT, "%" PRIu64 " %s", f->bundles, is_primary ? "sent" : "taken");

	if (f->bundles == 0)
		return;
	if (f->seeds > 0)
		n += snprintf(out + n, TEXT - (size_t)n, ", %" PRIu64 " of them seeds", f->seeds);
	n += snprintf(out + n, TEXT - (size_t)n, "; %s in all", size_text(all, f->bytes));
	if (f->compression > 0)
		n += snprintf(out + n, TEXT - (size_t)n, " of %.1f times that", f->compression);
	if (f->largest_size > 0)
		snprintf(out + n, TEXT - (size_t)n, "; a delta %s on average, %s at most",
		    size_text(average, f->average_size), size_text(largest, f->largest_size));
}

static void
print_work(FILE *out, const struct terminal *t, const struct figures *f, int is_primary)
{
	char text[TEXT], one[POINT_AGE], two[POINT_AGE];

	if (f->average_latency != 0 || f->largest_latency != 0) {
		point_age_text(one, (int64_t)f->average_latency);
		point_age_text(two, (int64_t)f->largest_latency);
		snprintf(text, sizeof text, "%s on average from the cut to %s, %s at most", one,
		    is_primary ? "the receipt" : "here", two);
		put_figure(out, t, "latency", text);
	}
	if (f->longest_ms != 0) {
		snprintf(text, sizeof text, "%s on average, %s at most", ms_text(one, f->average_ms),
		    ms_text(two, f->longest_ms));
		put_figure(out, t, is_primary ? "sending" : "merging", text);
	}
}

void
status_print_figures(FILE *out, const struct terminal *t, const struct status_line *l)
{
	const struct figures *f = &l->gauge->figures;
	int is_primary = l->role->side == ROLE_PRIMARY;
	char text[TEXT], since[POINT_TIME], size[32];

	if (!l->gauge->has_figures)
		return;
	point_time_text(since, f->since);
	snprintf(text, sizeof text, "Since %s:", since);
	put_text(out, t, text, 2, 4);
	rpo_text(text, f);
	put_figure(out, t, "RPO", text);
	snprintf(text, sizeof text, "%" PRIu64 " done, %" PRIu64 " missed, %" PRIu64 " failed", f->ok,
	    f->missed, f->failed);
	put_figure(out, t, "cycles", text);
	bundles_text(text, f, is_primary);
	put_figure(out, t, "bundles", text);
	print_work(out, t, f, is_primary);
	snprintf(text, sizeof text, "%" PRIu64 " bundle%s %s, %s", f->pending, f->pending == 1 ? "" : "s",
	    is_primary ? "on the way" : "not merged", size_text(size, f->pending_bytes));
	put_figure(out, t, "pending", text);
	point_time_text(since, f->tested);
	snprintf(text, sizeof text, "%" PRIu64 "; tests: %" PRIu64 "%s%s", f->resyncs, f->tests,
	    f->tested == 0 ? "" : ", the last at ", f->tested == 0 ? "" : since);
	put_figure(out, t, "resyncs", text);
}
