#ifndef OVERLAY_SERVER_H_
#define OVERLAY_SERVER_H_

#include <libnbd.h>
#include <limits.h>
#include <stdint.h>

#include "base/program.h"

/* Inside the overlay: qemu-nbd with an overlay open for reading and writing, and the requests to it. */
#define OVERLAY_PACKAGE "qemu-utils"

struct overlay_server {
	struct program_server *program;
	struct nbd_handle *h;
	uint64_t size; /* of the disk */
	unsigned under_way;
	int error; /* of a request that ended, or 0 */
	char path[PATH_MAX];
};

/* What can be asked of an open one: which blocks are its own, and which are zero. */
#define OVERLAY_DEPTH "qemu:allocation-depth"
#define OVERLAY_ZERO LIBNBD_CONTEXT_BASE_ALLOCATION

enum overlay_request {
	OVERLAY_READ,
	OVERLAY_WRITE,
	OVERLAY_CLEAR, /* no data: it reads as zeroes afterwards */
};

/**
 * Open it, refused if somebody else has it open: 0, 1 or -1, said; it is to be closed in all cases.  Alone: without its
 * base, which somebody writes to, so that what is not its own has nothing to show.
 */
int overlay_server_open(struct overlay_server *V, const char *path, int is_alone);

/* qemu-nbd has ended after this. */
void overlay_server_close(struct overlay_server *V);

/**
 * Begin a request, of any length; data stays until it is drained.  Some are under way at a time.  0 or -1, said.
 */
int overlay_server_begin(
    struct overlay_server *V, enum overlay_request what, uint8_t *data, uint64_t length, uint64_t offset);

/* Go on until at most so many requests are under way: 0; -1, said, if one of them failed. */
int overlay_server_drain(struct overlay_server *V, unsigned most);

/* Say that this could not be done, and why by libnbd: -1. */
int overlay_server_failed(const struct overlay_server *V, const char *what);

/* Say that somebody has the image at path open: 1. */
int overlay_server_in_use(const char *path);

/* Are these words of QEMU about a lock that it did not get? */
int overlay_server_is_locked_out(const char *words);

#endif
