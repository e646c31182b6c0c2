#ifndef SHIPLOG_H_
#define SHIPLOG_H_

#include <stdint.h>

#include "bundle/segment.h"
#include "extent.h"
#include "header.h"
#include "primary/primary.h"
#include "record.h"

/*
 * What it takes to make any segment of a bundle again, bit for bit, while the bundle is on its way; in
 * HOME/primaries/UUID/shipped/ID, for our eyes alone (0600).  In the file, little endian:
 *
 *    magic "VMFSHIP1", compression level (8), content key (32); then for each record as it was written
 *    the packed record; of the first header and of the end, the text; of a segment, its extents as extent_pack has them
 *
 * Without a log, or with a short one, there is no repair and nothing else is lost.
 */
struct shiplog;

/**
 * Begin the log of the bundle H, or go on with the one that is there.  Logs of bundles that were given up, for which
 * this one takes the same point, go.  NULL, said, on error.
 */
struct shiplog *shiplog_open(
    const struct primary *P, const struct header *H, const struct segment_crypt *K, enum segment_level level);

/* For struct pack: the extents of the segment that comes next.  They stay the caller's until then. */
int shiplog_extents(void *log, const struct extent *extents, uint32_t n);

/**
 * For struct writer_watch: this record is written.  If it does not follow the one before (a volume was begun once
 * more), what was logged behind the one that it does follow is forgotten.
 */
int shiplog_record(void *log, const struct record *R, const uint8_t rec[RECORD_SIZE], const uint8_t *payload);

/* Make durable what was logged: 0 or -1. */
int shiplog_sync(struct shiplog *L);

/* Close it; accepts NULL. */
void shiplog_free(struct shiplog *L);

/* Remove the logs of bundles that all their targets have acknowledged, and the oldest of too many: 0 or -1. */
int shiplog_prune(const struct primary *P);

/* A log that is read. */
struct shipped;

struct shipped_entry {
	struct record record; /* its signature is not checked here */
	uint8_t raw[RECORD_SIZE];
	const uint8_t *rest; /* the text or the packed extents, or NULL; until the next entry is read */
};

/* Open the log of that bundle: 0; 1, unsaid, if there is none; -1. */
int shipped_open(struct shipped **S, const struct primary *P, const uint8_t id[RECORD_ID]);
void shipped_close(struct shipped *S);

const struct header *shipped_header(const struct shipped *S);
const struct segment_crypt *shipped_crypt(const struct shipped *S);
enum segment_level shipped_level(const struct shipped *S);

/* The key that signed the bundle. */
const uint8_t *shipped_key(const struct shipped *S);

/* The next record, from the header on: 0; 1 when there is no more, or the log is cut short; -1. */
int shipped_next(struct shipped *S, struct shipped_entry *e);

#endif
