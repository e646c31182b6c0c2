#ifndef SOURCE_H_
#define SOURCE_H_

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "disk/ranges.h"

/*
 * Where a disk's content is read from: a raw file or block device, an image of another format, or an NBD export.  To
 * add a kind, write its functions in a file source_KIND.c and name it in source.c.  Reading is safe from many threads.
 */
struct source;

/* By this a content is known again that nobody has written to. */
struct source_stamp {
	uint64_t device, inode, size;
	int64_t modified, changed; /* nanoseconds since 1970 */
};

struct source_kind {
	/* Read n bytes, all of them; 0 or -1, said.  A sector that cannot be read is an error, never zeroes. */
	int (*read)(void *state, void *buf, size_t n, uint64_t offset);
	/* As io_stretch. */
	int (*stretch)(void *state, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole);
	/* As source_dirty. */
	int (*dirty)(void *state, struct ranges *out, const char **why);
	/* Has nobody written since it was opened?  0; 1 said if somebody may have; -1. */
	int (*check)(void *state);
	/* As source_stamp; NULL: never. */
	int (*stamp)(void *state, struct source_stamp *out);
	void (*close)(void *state);
};

enum source_use {
	SOURCE_QUIET, /* refused while any program has it open for writing */
	SOURCE_LIVE,  /* as it is, at the user's word: no hint about holes is trusted */
	SOURCE_OWN,   /* a disk of ours, under our own lock */
};

/**
 * Open the disk at where: a path, of a raw disk; FORMAT:PATH, of an image that qemu-nbd reads for us, with all that it
 * is based on; or an NBD URI (nbd://, nbd+unix:// and the like).  bitmap names the dirty bitmap that source_dirty is
 * to be asked for, or is NULL.  Return 0; 1, said, if it is in use or not a disk for us; -1.
 */
int source_open(struct source **S, const char *where, enum source_use use, const char *bitmap);

/**
 * Open a disk of ours that has that size, under our own lock: of a device or export that is larger, only its beginning
 * counts.
 * Of size 0 it need not be there.  As source_open.
 */
int source_open_own(struct source **S, const char *where, uint64_t size);

/* A disk of no bytes, in place of one that is not there any more: 0 or -1. */
int source_open_none(struct source **S, const char *name);

void source_close(struct source *S);

uint64_t source_size(const struct source *S);
const char *source_name(const struct source *S);

int source_read(const struct source *S, void *buf, size_t n, uint64_t offset);
int source_stretch(const struct source *S, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole);
int source_check(const struct source *S);

/**
 * Add what the dirty bitmap named at opening marks: 0; 1 if there is none that can be trusted, *why then telling, in
 * words that live as long as S; -1, said.
 */
int source_dirty(const struct source *S, struct ranges *out, const char **why);

/**
 * The stamp of its content: 0; 1 where there is none that proves anything: for a device or an export, and for a file
 * that was written to in the last two seconds, since times are not finer than that everywhere.  -1, said.
 */
int source_stamp(const struct source *S, struct source_stamp *out);

/**
 * Where a disk is as a record keeps it: a URI as it is, a path made absolute, with its FORMAT: in front of it unless that
 * is raw.  0; 1, said, if it has no FORMAT: but name and content of an image that needs one; -1, said.
 */
int source_absolute(const char *where, char out[PATH_MAX]);

/* Is this where, in its form, a URI? */
int source_is_uri(const char *where);

/* Is it a path of a raw file or block device, whose bytes are the disk's? */
int source_is_plain(const char *where);

/* The kinds.  Each opens, sets *state and *size, and returns as source_open does. */
extern const struct source_kind source_file, source_image, source_nbd, source_relay, source_none;
int source_file_open(void **state, uint64_t *size, const char *path, enum source_use use);
int source_image_open(
    void **state, uint64_t *size, const char *where, enum source_use use, const char *bitmap);
int source_nbd_open(void **state, uint64_t *size, const char *uri, const char *bitmap);
int source_relay_open(void **state, uint64_t *size, const char *where, enum source_use use);

/* Has nobody opened it for writing, as far as a look tells that costs nothing?  0; -1, said. */
int source_file_still(const void *state);

/* Does any process have the file at path open for writing?  0: none, as far as we may see; 1, said; -1. */
int source_file_search(const char *path);

/* Say that somebody has the file at path open for writing: 1. */
int source_file_in_use(const char *path, const char *by);

/* The path of the file or device that a where is of, without its FORMAT:; a URI as it is. */
const char *source_path(const char *where);

/* The format, as QEMU calls it, that a where of FORMAT:PATH says, *path being set to its path; NULL if it says none. */
const char *source_image_format(const char *where, const char **path);

/* The FORMAT that name and content of the file at path agree on, for the words; NULL: they do not, or it is raw. */
const char *source_image_guess(const char *path);

#endif
