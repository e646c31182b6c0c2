#ifndef LINEUP_H_
#define LINEUP_H_

#include "bundle/fold.h"
#include "bundle/infile.h"
#include "card.h"
#include "site/site.h"

/* The deltas that are to be combined: their volumes, verified as far as the headers, in the order of their points. */
struct lineup_file {
	struct infile *F;
	struct reader *reader;
	const struct header *header;
	struct member m; /* of the header */
	uint8_t key[RECORD_KEY];
	uint32_t volume;
};

struct lineup_bundle {
	unsigned first, n; /* its files */
	const struct header *header;
};

struct lineup {
	unsigned nfiles, n;
	struct lineup_file files[FOLD_FILES];
	struct lineup_bundle bundles[FOLD_FILES];
};

/* Open n files, at least one: 0; 1, said; -1.  Close in any case. */
int lineup_open(struct lineup *L, char *const *paths, unsigned n);

/**
 * Read their headers, which must be signed by by (NULL: by a site that S knows) or by S itself, and put them in
 * order.  They must be deltas of one history, each leading on from where the one before can be.  0; 1, said; -1.
 */
int lineup_read(struct lineup *L, const struct site *S, const struct card *by);

/* Are these keys of one site, as far as S knows? */
int lineup_is_one_site(const struct site *S, const uint8_t a[RECORD_KEY], const uint8_t b[RECORD_KEY]);

void lineup_close(struct lineup *L);

#endif
