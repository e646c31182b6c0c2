#ifndef LIVE_H_
#define LIVE_H_

#include <limits.h>
#include <libvirt/libvirt.h>
#include <sys/types.h>

#include "host/host.h"

/* A domain as it is now, as far as a view of its disks wants to know. */
struct live_disk {
	char id[LIMIT_DISK_ID + 1]; /* its target: "vda" */
	char path[PATH_MAX];        /* of the file or device; empty where it is neither (network) */
	char format[16];            /* "qcow2", "raw" */
	int is_file;
};

struct live {
	unsigned ndisks;
	struct live_disk disks[HOST_DISKS];
	uid_t uid; /* that its QEMU runs as */
	gid_t gid;
	int has_iothreads; /* some of its devices are served by threads of their own */
	enum { LIVE_NO_AGENT, LIVE_SILENT_AGENT, LIVE_AGENT } agent;
};

/* What D is like now, or would be, if it is off: 0, *L being the caller's to free; -1, said. */
int live_read(struct live **L, virDomainPtr D);
void live_free(struct live *L);

/* Its disk of that id, or NULL. */
const struct live_disk *live_disk(const struct live *L, const char *id);

#endif
