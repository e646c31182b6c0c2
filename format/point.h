#ifndef POINT_H_
#define POINT_H_

#include <stdint.h>

/* A recovery point: a moment to which every replicated disk of a VM can be brought. */

enum point_kind {
	POINT_STANDARD = 1, /* crash-consistent */
	POINT_APP = 2,      /* application-consistent */
	POINT_FINAL = 3,    /* made with the VM shut down, before a planned failover */
};

struct point {
	uint64_t epoch; /* from 1; counts failovers */
	uint64_t seq;   /* from 1; 0: no point */
	int64_t time;   /* seconds since 1970, UTC */
	enum point_kind kind;
};

#define POINT_TIME 24u

/* "2026-03-01T12:00:00Z" */
void point_time_text(char out[POINT_TIME], int64_t time);

/* How long so many seconds are, in the largest unit that says something: "3 hours". */
#define POINT_AGE 32u
void point_age_text(char out[POINT_AGE], int64_t seconds);

/* The reverse; -1 if s is not of that form or before 1970 or after 9999. */
int64_t point_time_parse(const char *s);

const char *point_kind_text(enum point_kind kind);

/* 0 if s names no kind. */
enum point_kind point_kind_parse(const char *s);

#endif
