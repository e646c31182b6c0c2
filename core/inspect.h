#ifndef INSPECT_H_
#define INSPECT_H_

/**
 * Print what a bundle holds.  Its chain of signatures is checked with the key that it claims, which may be
 * anybody's, and its contents are not read: that is verify's work.  path NULL or "-": standard input.  0; 1,
 * said; -1.
 */
int inspect(const char *path, int json);

#endif
