#ifndef TRUSTING_H_
#define TRUSTING_H_

#include <stdint.h>

#include "site/site.h"

/* What a person does with the trust file. */
struct trusting_options {
	const char *vm;                   /* NULL: none */
	const char *store;                /* NULL: in the home */
	uint64_t max_size;                /* 0: no limit */
	const char *host;                 /* what runs its VMs here; NULL: none */
	uint64_t inbox;                   /* bytes that may wait for each VM; 0: the default */
	uint64_t frequency, rate, points; /* what is prescribed to it, as in trust.h; 0: nothing */
};

/* Read and check the card in a file, "-" for standard input: 0; 1, said; -1. */
int trusting_card(const char *path, struct card *C);

/* Add the site of the card in a file, "-" for standard input: 0; 1, said; -1. */
int trusting_add(struct site *S, const char *cardfile, const struct trusting_options *o);

/* Print this site's own card. */
void trusting_print_card(const struct site *S);

/* Print its signing key as minisign(1) takes it. */
void trusting_print_minisign(const struct site *S);

/* Print the entries. */
int trusting_list(const struct site *S, int json);

#endif
