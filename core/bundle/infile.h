#ifndef INFILE_H_
#define INFILE_H_

#include <stdint.h>

#include "bundle/reader.h"

/* Where a bundle is read from: a file, or standard input. */
struct infile;

/* path NULL or "-": standard input, which must not be a terminal.  0; 1, said; -1. */
int infile_open(struct infile **F, const char *path);

/* The regular file fd, opened for reading, which is taken (closed even on error); name is for the words.  0 or -1. */
int infile_take(struct infile **F, int fd, const char *name);

/* It stays F's. */
int infile_fd(const struct infile *F);

const char *infile_name(const struct infile *F);
/* It stays the infile's. */
int infile_fd(const struct infile *F);
struct reader *infile_reader(const struct infile *F);

/* Bytes of a file; 0 where they are not known. */
uint64_t infile_size(const struct infile *F);

/* Can it be read only once, from its beginning to its end? */
int infile_is_pipe(const struct infile *F);

/* Accepts NULL. */
void infile_close(struct infile *F);

#endif
