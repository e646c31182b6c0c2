#ifndef REPLICA_RECORD_H_
#define REPLICA_RECORD_H_

#include "replica/replica.h"

/* The record of a replica as a file. */

/* Fill R, of which only dir and lock are set, from the record at path: 0 or -1, said. */
int replica_record_read(const char *path, struct replica *R);

int replica_record_write(const char *path, const struct replica *R);

#endif
