#ifndef PENDING_H_
#define PENDING_H_

#include "bundle/reader.h"
#include "chain.h"
#include "disk/ranges.h"
#include "disk/source.h"
#include "primary/primary.h"

/*
 * An export that has begun and not ended, in HOME/primaries/UUID/pending/: what it takes to go on with it.
 *
 *    state         this record: durable before the first byte of the bundle is written, and again after each volume
 *    maybe.DISK    what a list or bitmap said that may have changed, which cannot be asked again
 *    records       to a pipe: the records of its segments, one after the other
 *
 * Beside it changes/SEQ.DISK grows; how much of it belongs to the volumes that are whole is in the record.
 */
enum pending_way {
	PENDING_PIPE,  /* or a device: what was written cannot be read again */
	PENDING_FILE,  /* FILE.part */
	PENDING_MEDIA, /* volumes, on as many media as it takes */
};

struct pending_disk {
	int has_stamp;
	struct source_stamp stamp;
	struct leaf_sum sum;        /* with the changes in the volumes that are whole */
	uint64_t log_size, log_sum; /* of the change log, for changelog_resume */
};

/* Volumes on one medium, from first to last. */
#define PENDING_PLACES 1000u
struct pending_place {
	char label[PRIMARY_WHERE];
	unsigned first, last;
};

#define PENDING_WISH (2u * PATH_MAX)
struct pending {
	enum pending_way way;
	char wish[PENDING_WISH]; /* its options, as words of a command line */
	char output[PATH_MAX];   /* of a file: where it will be; absolute */
	int64_t started;
	uint64_t base; /* 0: a seed */
	int is_lost;   /* the leaves at the point before are lost or damaged */
	int is_live;   /* read from a view of a VM that runs, which is gone with the process that read it */
	unsigned level;
	uint8_t key[HEADER_CONTENT_KEY];
	uint8_t raw[RECORD_SIZE]; /* the header's record */
	char *text;               /* and the header itself */
	size_t text_size;
	int is_cut;        /* all was read, the change logs are whole: what is left is to write the rest */
	uint64_t segments; /* then: how many there are */
	uint64_t stored, data, zero; /* in the volumes that are whole */
	uint64_t bytes;              /* and their size; when the point is cut, of all segments */
	struct chain_volume volume;  /* the last one that is whole; number 0: there is none */
	unsigned nplaces;
	struct pending_place places[PENDING_PLACES];
	unsigned ndisks;
	struct pending_disk disks[LIMIT_DISKS];
};

/* The one of P: 0; 2, unsaid, if there is none; -1.  To be freed. */
int pending_read(struct pending **p, const struct primary *P);

/* Replace the record, durably. */
int pending_write(const struct pending *p, const struct primary *P);

/* It is over: nothing of it stays.  0 or -1. */
int pending_remove(const struct primary *P);

/* Accepts NULL. */
void pending_free(struct pending *p);

/* Keep the sets of what may have changed, and get them again: 0; -1. */
int pending_keep_sets(const struct primary *P, const struct ranges sets[]);
int pending_get_sets(const struct primary *P, struct ranges sets[]);

/* Volume number has gone to the medium of that label. */
void pending_note_place(struct pending *p, const char *label, unsigned number);

/* Which volumes are where: "volumes 1 to 3 on medium 'usb1', volume 4 on medium 'usb2'"; "" if there are none. */
void pending_places(const struct pending *p, char *out, size_t size);

#endif
