#ifndef MEDIUM_H_
#define MEDIUM_H_

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "filename.h"
#include "identity.h"

/*
 * A medium: a folder DIR, mostly a mounted USB disk or a mailbox that something else carries, with our files in
 * DIR/vmferry/.  Nothing on it is believed: names and sizes are hints, only regular files are opened and no link
 * is followed.  It needs nothing from its file system but names, bytes, and renaming within a folder.
 */
struct medium;

enum medium_use {
	MEDIUM_READ,  /* what is there is looked at */
	MEDIUM_LEAVE, /* and something is left there, if it can be written; that it cannot is noted */
	MEDIUM_WRITE, /* it is filled: DIR/vmferry is made if need be, and it must be writable */
};

/**
 * Open the medium at dir, which must be there: what is not mounted is not filled.  Who may write is alone with it
 * until medium_close, where its file system has locks.  A new one gets label, or where that is NULL its folder's
 * name.  0; 1, said; -1.
 */
int medium_open(struct medium **M, const char *dir, enum medium_use use, const char *label);

/* Accepts NULL. */
void medium_close(struct medium *M);

/* DIR/vmferry, for words and for the sandbox. */
const char *medium_folder(const struct medium *M);

/* What it calls itself; its id is empty where nobody has named it yet. */
const struct identity *medium_identity(const struct medium *M);

/* Call it something else, durably; its id stays.  0; 1, said; -1. */
int medium_rename(struct medium *M, const char *label);

/* May something be left there? */
int medium_can_write(const struct medium *M);

/* The path of a file on it; -1, said, if that is too long. */
int medium_path(const struct medium *M, const char *name, char out[PATH_MAX]);

/* Open a file on it for reading: the fd; -2, unsaid, if there is no regular file of that name; -1. */
int medium_file(const struct medium *M, const char *name);

/* Read a text of at most max bytes, which the caller frees: 0; 2, unsaid, if there is none; -1. */
int medium_read(const struct medium *M, const char *name, size_t max, char **text, size_t *size);

/* Replace a text there, durably; remove a file that may be gone already: 0 or -1. */
int medium_put(const struct medium *M, const char *name, const char *text, size_t size);
int medium_remove(const struct medium *M, const char *name);

#define MEDIUM_FILES 100000u /* in one folder, at most */

/**
 * Call each with the name of every entry that ends in suffix (""; all), in the order of their bytes, until it
 * returns other than 0, which is then returned.  What each makes or removes meanwhile is not seen.  -1, said.
 */
int medium_each(
    const struct medium *M, const char *suffix, int (*each)(void *context, const char *name), void *context);

/* Bytes that are free on it. */
int medium_free_bytes(const struct medium *M, uint64_t *bytes);

#endif
