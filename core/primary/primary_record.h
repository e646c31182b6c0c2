#ifndef PRIMARY_RECORD_H_
#define PRIMARY_RECORD_H_

#include "primary/primary.h"

/* The record of a primary as a file. */

/* Fill P, of which only dir and lock are set, from the record at path: 0 or -1, said. */
int primary_record_read(const char *path, struct primary *P);

int primary_record_write(const char *path, const struct primary *P);

#endif
