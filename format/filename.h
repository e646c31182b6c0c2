#ifndef FILENAME_H_
#define FILENAME_H_

#include "header.h"

/*
 * The names of the files on a medium: lower-case letters, digits, '-' and '.', at most 100 bytes, so that every
 * file system takes them.
 *
 *    web1-delta-41-43.1a2b3c4d.001.vmf      the first volume of a bundle
 *    web1-delta-41-43.1a2b3c4d.b2           and what lies beside it: manifest, .b2.minisig, custody .log
 *    hq.1a2b3c4d.keys                       the key list of a site
 *
 * They are hints for people.  What a file is, its signed header says.
 */
#define FILENAME_STEM 88u  /* more than the longest "web1-delta-41-43.1a2b3c4d" */
#define FILENAME_SIZE 101u /* more than the longest name of a file */

/* The name that the files of H's bundle have in common. */
void filename_stem(char out[FILENAME_STEM], const struct header *H);

/* The name of a volume, from 1 to 99999. */
void filename_volume(char out[FILENAME_SIZE], const char *stem, unsigned volume);

/* The name of a site's key list: "hq.1a2b3c4d.keys", with the start of the first key that it ever had. */
void filename_keys(char out[FILENAME_SIZE], const char *site, const uint8_t first[RECORD_KEY]);

/* The stem if name is that of a file beside volumes: its suffix, ".b2", ".b2.minisig" or ".log"; else NULL. */
const char *filename_beside(char stem[FILENAME_STEM], const char *name);

/* The volume's number if name is one of a volume, and its stem; 0 if it is none. */
unsigned filename_split(char stem[FILENAME_STEM], const char *name);

#endif
