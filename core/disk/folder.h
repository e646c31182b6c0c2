#ifndef FOLDER_H_
#define FOLDER_H_

#include <stdint.h>

/* A folder of ours with all that is in it: files, sparse ones among them, and folders. */

/* How many bytes it takes on its file system, without holes.  0; 1, said, if something else is in it; -1. */
int folder_bytes(const char *dir, uint64_t *bytes);

/**
 * Copy what is in the folder from, but for what is called except, into the folder to, which is there: sharing the data
 * where the file system can, holes as holes.  0, and all of it is durable; 1 as above; -1.
 */
int folder_copy(const char *from, const char *to, const char *except);

#endif
