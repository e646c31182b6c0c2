#ifndef RELAY_H_
#define RELAY_H_

#include <stddef.h>
#include <stdint.h>

/*
 * Before a process confines itself (base/sandbox) it can leave a second one behind, which does for it what it cannot do
 * any more: it reads and writes NBD exports and images, and looks who else writes to a file or device.  This for disks that were
 * named before, and no others.  From then on source_open and image_open go that way by themselves.
 */
struct relay_list {
	size_t n;
	char **names; /* as source_open takes them */
};

/* Name one: 0 or -1, said.  One that was named is passed over. */
int relay_add(struct relay_list *l, const char *where);
void relay_free(struct relay_list *l);

/* Start it, if anything was named, for as long as this process lives, which has no threads yet.  0 or -1, said. */
int relay_start(const struct relay_list *l);

int relay_is_on(void);

/* As source_file_search. */
int relay_search(const char *path);

/* --- inside: what the two processes say to each other ---------------------------------------------------- */

enum relay_what {
	RELAY_OPEN_SOURCE, /* offset: the number of its name; length: its use.  The answer: its size, and its handle */
	RELAY_OPEN_IMAGE, /* the same, with its room */
	RELAY_CLOSE,
	RELAY_READ,    /* the answer is followed by the bytes */
	RELAY_STRETCH, /* length: the end.  The answer: the length, and whether it is a hole */
	RELAY_CHECK,
	RELAY_STAMP, /* the answer, but -1, is followed by the stamp */
	RELAY_WRITE, /* is followed by the bytes.  No answer */
	RELAY_ZERO,  /* no answer */
	RELAY_DRAIN,
	RELAY_SYNC,
	RELAY_RESIZE, /* length: the size */
	RELAY_SEARCH, /* offset: the number of its name */
};

struct relay_question {
	uint32_t what;
	uint32_t handle;
	uint64_t offset, length;
};

struct relay_answer {
	int32_t rc; /* what the other process has said the reason of */
	uint32_t flag;
	uint64_t value;
};

#define RELAY_PIECE (1u << 20) /* bytes read or written at a time */
#define RELAY_NAME "the process that reads and writes disks"

/* Be the other process, until the confined one closes its end. */
void relay_serve(int fd, const struct relay_list *names);

#endif
