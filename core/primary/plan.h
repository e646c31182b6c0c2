#ifndef PLAN_H_
#define PLAN_H_

#include <stdint.h>

#include "primary/cut.h"

/* What an export would be: how much, in how many volumes, for how long, and how old on arrival. */
struct plan_options {
	uint64_t transit;   /* seconds that a medium is under way; 0: not said */
	uint64_t bandwidth; /* bytes a second of a line to hold it against; 0: none */
	int json;
};

/**
 * Find out and print what export with o would do now.  No point is cut; on a medium a file without a name is written for a
 * moment, to see how fast it is.  0; 1, said; -1.
 */
int plan(const struct site *S, const struct export_options *o, const struct plan_options *w);

/* The same for other verbs that look ahead, in numbers.  c was begun, or described.  0; 1, said; -1. */
struct plan_estimate {
	uint64_t from, to;  /* points */
	uint64_t changed;   /* bytes of the disks */
	uint64_t bytes;     /* of the bundle, from a sample */
	uint64_t sampled;   /* that had so many bytes of the disks */
	uint64_t read_for;  /* seconds that it took just now to read what is to be read */
	uint64_t write_for; /* seconds to write it to the medium; 0: not known, or there is none */
	uint64_t line_for;  /* seconds on the line; 0: none was named */
};
int plan_estimate(struct cut *c, const struct plan_options *w, struct plan_estimate *out);

/* Bytes and seconds with a unit, as a person says them. */
#define PLAN_TEXT 32u
void plan_size_text(char out[PLAN_TEXT], uint64_t n);
void plan_time_text(char out[PLAN_TEXT], uint64_t s);

#endif
