#ifndef ENABLE_H_
#define ENABLE_H_

#include <stdint.h>

#include "bounds.h"
#include "header.h"
#include "site/site.h"

/* Start protecting a VM, whose disks its host names if it can, or change what is replicated of one that is protected. */
struct enable_options {
	const char *vm;
	unsigned ndisks, nexcluded, nincluded, nremoved, nsites;
	const char
	    *disks[LIMIT_DISKS]; /* "ID=WHERE", as source_open takes it, or "ID" of one that the host names */
	const char *excluded[LIMIT_DISKS]; /* the same, or "ID" of one that is replicated now */
	const char *included[LIMIT_DISKS]; /* the same, of one that is excluded now */
	const char *removed[LIMIT_DISKS];  /* "ID" */
	const char *sites[LIMIT_TARGETS];  /* names; none: every site known when the first bundle is made */
	int has_frequency;
	uint64_t frequency;      /* seconds; 0: by hand */
	enum header_level level; /* 0: the default */
	int plain;               /* 1: bundles are not encrypted; -1: they are; 0: not said, so they are */
	const char *host;        /* what runs the VM, as host_check_spec has it; NULL: not said, so none */
	int has_app;             /* application-consistent points: */
	unsigned app_every;      /* every so many points; 0: not so */
	uint64_t app_seconds;    /* every so many seconds; 0: not so */
	unsigned keep;           /* recovery points that a replica keeps; 0: not said */
};

/* 0; 1, said; -1. */
int enable(const struct site *S, const struct enable_options *o);

#endif
