#ifndef PIPELINE_H_
#define PIPELINE_H_

#include <stddef.h>

/*
 * Ordered work over all cores.  Slots are filled in order, one at a time; worked on in any order, many at a
 * time; drained in the order of filling, one at a time.  A thread that fills a slot also works on it, so that
 * its data stay in that core's cache; whoever is free drains.  Memory is what the slots take.
 */
struct pipeline {
	void *context;
	int (*fill)(void *context, void *slot);  /* 0: filled; 1: there is no more; else stop with it */
	int (*work)(void *context, void *slot);  /* 0; -1: failed */
	int (*drain)(void *context, void *slot); /* 0; 1: refused; -1: failed */
	int (*make)(void *context, void **slot); /* 0; -1: failed */
	void (*drop)(void *slot);                /* frees one; accepts NULL */
};

/* Threads that a pipeline runs on: one for each processor this process may use, at most 64. */
unsigned pipeline_threads(void);

/**
 * Run P until fill has no more and all is drained.  Return 0, or what a step gave first to stop it, having
 * said why.  An interrupt stops it with -1.
 */
int pipeline_run(const struct pipeline *P);

#endif
