#ifndef SETTING_H_
#define SETTING_H_

#include <stddef.h>
#include <stdint.h>

/* Settings as people write them: words key=value or key="value with blanks", sizes and times with a unit behind them. */

/**
 * Take the next word off *p: 0; 1 at the end of the line, or at a '#'; -1 if it is none, or does not fit.
 */
int setting_next(const char **p, char *key, size_t key_size, char *value, size_t value_size);

/* A size in bytes, with K, M, G or T behind it (powers of 1024); seconds, with s, m, h or d; a number.  NULL, or why not. */
const char *setting_size(const char *s, uint64_t *out);
const char *setting_time(const char *s, uint64_t *out);
const char *setting_number(const char *s, uint64_t *out);

#endif
