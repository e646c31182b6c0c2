#ifndef STATE_H_
#define STATE_H_

#include <jansson.h>

/*
 * Our own records on disk: JSON with a checksum in its last line, replaced whole.  A record is as it was
 * before a change or as it is after it, also when the power fails in between.
 */

/* Read the record at path; NULL, said, if it cannot be read or is damaged.  The caller's to decref. */
json_t *state_read(const char *path);

/**
 * May a string in the record at path be that word, of no quotes and no backslashes?  1; 0: it is whole and has none, which is
 * known without taking it apart; -1, said: it cannot be read.  One that is damaged may have it.
 */
int state_may_have(const char *path, const char *word);

/* Replace the record at path by J, durably (mode 0600): 0 or -1, said.  Takes J, which may be NULL: no memory. */
int state_write(const char *path, json_t *J);

#endif
