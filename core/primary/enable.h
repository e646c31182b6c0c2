#ifndef ENABLE_H_
#define ENABLE_H_

#include <stdint.h>

#include "bounds.h"
#include "header.h"
#include "site/site.h"

/* Start protecting a VM. */
struct enable_options {
	const char *vm;
	unsigned ndisks, nexcluded, nsites;
	const char *disks[LIMIT_DISKS];    /* "ID=PATH" or "ID=NBD-URI" */
	const char *excluded[LIMIT_DISKS]; /* the same */
	const char *sites[LIMIT_TARGETS];  /* names; none: every site known when the first bundle is made */
	uint64_t frequency;                /* seconds; 0: by hand */
	enum header_level level;           /* 0: the default */
	int is_plain;                      /* bundles are not encrypted */
	const char *host;                  /* "none", or "exec:PROGRAM", which runs the VM; NULL: none */
	unsigned keep;                     /* recovery points that a replica keeps */
};

/* 0; 1, said; -1. */
int enable(const struct site *S, const struct enable_options *o);

#endif
