#ifndef REPORT_SVG_H_
#define REPORT_SVG_H_

#include <stdint.h>
#include <stdio.h>

/*
 * Charts over time as inline SVG, in colours that the page's style gives their classes.  However much goes in, what comes
 * out has at most a few hundred marks: what falls into one column of the chart is shown as the worst of it.  Pure: all
 * goes to out, whose errors are its owner's to see.
 */
struct report_svg {
	const char *id;    /* letters and digits, no two charts of a page alike */
	const char *title; /* what it shows, and what it comes to, for those who do not see it */
	const char *text;
	int64_t from, to; /* seconds since 1970: the left and the right edge; from < to */
};

/* At that time, what was there for sure was as new as point_at. */
struct report_svg_arrival {
	int64_t at, point_at;
};

/* The largest age that came to an end in that time. */
struct report_svg_peak {
	int64_t from, to;
	uint64_t age; /* seconds */
};

struct report_svg_ages {
	const struct report_svg_arrival
	    *arrivals; /* ascending by at; those in front of the left edge count too */
	unsigned n;
	const struct report_svg_peak
	    *peaks; /* ascending: what is known of the time in front of the arrivals */
	unsigned npeaks;
	uint64_t goal;         /* seconds; 0: there is none */
	const int64_t *failed; /* when cycles failed; in any order */
	unsigned nfailed;
};

/**
 * How old what is there for sure has been, and the goal for that, as a line, with a cross for each failure.  The largest
 * age that is shown, which report_svg_largest gives without showing it: seconds.
 */
uint64_t report_svg_ages(FILE *out, const struct report_svg *c, const struct report_svg_ages *a);
uint64_t report_svg_largest(const struct report_svg *c, const struct report_svg_ages *a);

/* Sizes in bytes, in any order: a bar for each column, as high as the largest in it. */
#define REPORT_SVG_BARS 48u
struct report_svg_bar {
	int64_t at;
	uint64_t bytes;
};
void report_svg_bars(FILE *out, const struct report_svg *c, const struct report_svg_bar *b, unsigned n);

/* Points on lines, one below the other. */
enum report_svg_shape { REPORT_SVG_ROUND, REPORT_SVG_DIAMOND, REPORT_SVG_SQUARE };
struct report_svg_mark {
	int64_t at;
	uint64_t seq;
	enum report_svg_shape shape;
	int is_open;   /* on its way, or not for sure */
	int is_pinned; /* gets a ring */
	int is_bad;    /* gets a cross */
};
struct report_svg_lane {
	const char *label;
	const struct report_svg_mark *marks; /* ascending by at */
	unsigned n;
};
void report_svg_lanes(FILE *out, const struct report_svg *c, const struct report_svg_lane *lanes, unsigned n);

#endif
