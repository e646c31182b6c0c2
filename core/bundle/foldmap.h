#ifndef FOLDMAP_H_
#define FOLDMAP_H_

#include <stdint.h>

#include "extent.h"
#include "record.h"

/*
 * A list of segments that lie in files, and where it is known the extents in them; kept in nameless files, so
 * that it takes no memory, however long it is.  It is filled first and then asked; asking is for one thread.
 */
#define FOLDMAP_PAGE 64u
#define FOLDMAP_NO_FILE UINT32_MAX

struct note {
	uint64_t number;       /* of its record */
	uint64_t position;     /* of its head in the file */
	uint64_t offset, span; /* of the disk */
	uint32_t file;         /* FOLDMAP_NO_FILE: nowhere yet, and it is all zeroes */
	uint32_t disk, extents;
	uint32_t data, stored;       /* bytes */
	uint8_t hash[RECORD_DIGEST]; /* of its record */
	uint64_t table;              /* where its extents are kept, plus one; 0: they are not */
};

/* Some notes in memory; n 0 is none yet. */
struct foldmap_page {
	uint64_t first, n;
	struct note notes[FOLDMAP_PAGE];
};

struct foldmap;

/* Its files are in tmpdir.  NULL, said, on error. */
struct foldmap *foldmap_new(const char *tmpdir);
void foldmap_free(struct foldmap *C);

int foldmap_add(struct foldmap *C, const struct note *n);
uint64_t foldmap_size(const struct foldmap *C);

/* Note i, in a page of the caller's; NULL, said, on error.  It lives until the page is used again. */
const struct note *foldmap_get(const struct foldmap *C, struct foldmap_page *p, uint64_t i);

/* Keep the extents of note i, which has so many; pages that hold it already do not see that.  0 or -1. */
int foldmap_keep_extents(struct foldmap *C, uint64_t i, const struct extent *e, uint32_t n);

/* Up to max extents of a note that has them kept, from number first on.  How many; -1 on error. */
int foldmap_extents(
    const struct foldmap *C, const struct note *n, uint32_t first, uint32_t max, struct extent *out);

#endif
