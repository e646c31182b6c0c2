#ifndef JOT_H_
#define JOT_H_

#include <stddef.h>
#include <stdint.h>

/*
 * Files that are of use and not needed: what cannot be read or written of them is not said, for no work fails by it.
 * Never for a record.
 */

/**
 * Open the file at path for reading; it may change meanwhile.  The fd, for io_close; -1, unsaid, if there is none or it
 * is no regular file.
 */
int jot_open(const char *path);

/**
 * Open it for reading and writing, made if need be, for this process alone: another one that has it is waited for, a
 * short while.  The fd; -1, unsaid.
 */
int jot_open_alone(const char *path);

/* How many of n bytes at offset could be read, or written; the rest is unsaid. */
size_t jot_read(int fd, void *buf, size_t n, uint64_t offset);
size_t jot_write(int fd, const void *buf, size_t n, uint64_t offset);

#endif
