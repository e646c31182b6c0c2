#ifndef RECEIPT_H_
#define RECEIPT_H_

#include "medium/medium.h"
#include "replica/replica.h"
#include "site/site.h"

/* Write the signed word of what is here to a file, or to standard output for "-": 0; 1, said; -1. */
int receipt_write(const struct replica *R, const struct site *S, const char *path);

/* The same to a file of its own on a medium, read back: its name, with no others touched, goes to name. */
int receipt_leave(
    const struct replica *R, const struct site *S, const struct medium *M, char name[FILENAME_SIZE]);

#endif
