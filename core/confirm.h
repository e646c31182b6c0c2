#ifndef CONFIRM_H_
#define CONFIRM_H_

#include <stdint.h>

#include "site/site.h"

/* What a person has seen to, so that status reminds of it no more. */
enum confirm_what {
	CONFIRM_DNS = 1, /* addresses and names lead to this site, since its failover */
	CONFIRM_NETWORK, /* the networks that the VM wants are at the host here */
	CONFIRM_TEST,    /* the replica was tested, by hand */
};

struct confirm_options {
	const char *vm;
	enum confirm_what what;
	int has_every;  /* of a test: no test was made, but one is due this often from now on: */
	uint64_t every; /* seconds; 0: the default */
};

/* Into the record that the VM lives by at this site: 0; 1, said; -1. */
int confirm(const struct site *S, const struct confirm_options *o);

#endif
