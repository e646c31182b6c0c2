#ifndef NAME_H_
#define NAME_H_

#include <stddef.h>
#include <stdint.h>

/* The names that people give.  They are shown, compared and matched, never used as a path or given to a shell. */

/**
 * A VM's or a site's name: 1 to LIMIT_NAME bytes of printable UTF-8, not starting with '-' or '.', without
 * '/', quotes, backslash, control characters, or blanks at its ends.  Return NULL, or why not.
 */
const char *name_check(const char *s);

/**
 * The bytes of the UTF-8 sequence at s, which a NUL ends: 0 if it is none, or not in its shortest form, or stands for a
 * control character or a mark that changes how what stands around it looks.
 */
size_t name_printable(const char *s);

/* A disk's id: 1 to LIMIT_DISK_ID letters, digits, '_', '-' and '.', starting with a letter or digit. */
const char *name_check_disk(const char *s);

/* A UUID in its usual lower-case form, 36 characters. */
const char *name_check_uuid(const char *s);

/* The UUID of version 4 (RFC 4122) that 16 random bytes make: 36 characters and a NUL. */
void name_make_uuid(char out[37], const uint8_t random[16]);

#endif
