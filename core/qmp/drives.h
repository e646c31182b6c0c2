#ifndef DRIVES_H_
#define DRIVES_H_

#include <jansson.h>
#include <limits.h>
#include <stdint.h>

#include "host/host.h"
#include "qmp/monitor.h"

/* The disks of a VM, as its QEMU has them. */
struct drive {
	char id[LIMIT_DISK_ID + 1]; /* of its -device; else its -drive's; else its node's */
	char node[64];              /* the node that the device writes to */
	char path[PATH_MAX];        /* of a local file or device, absolute; or empty */
	char where[PATH_MAX];       /* as source_open takes it; or empty */
	uint64_t size;              /* bytes */
	int keeps_bitmaps;          /* its format does, also when QEMU has ended */
	int is_removable;           /* a CD-ROM or floppy drive; has a why */
	char why[HOST_WHY];         /* not empty: it cannot be replicated, and why */
};

struct drives {
	unsigned n;
	struct drive drive[HOST_DISKS];
};

/* 0, *D being the caller's to free; 1, said, if they are too many; -1, said. */
int drives_read(struct monitor *M, struct drives **D);

/* The one of that id, else that is read there; NULL if there is none. */
const struct drive *drives_find(const struct drives *D, const char *id, const char *where);

#endif
