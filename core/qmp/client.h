#ifndef CLIENT_H_
#define CLIENT_H_

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * JSON objects, one a line, over a unix socket: how QEMU's monitor and the guest agent are spoken with.  What comes in
 * is bounded, and nobody is waited for without an end.
 */
struct client;

#define CLIENT_GONE 1 /* the other end is closed */
#define CLIENT_LATE 2 /* nothing came in time */

/**
 * Connect to the socket at path: 0, *C being the caller's to close; CLIENT_GONE, unsaid, if nobody listens there; -1,
 * said.
 */
int client_open(struct client **C, const char *path);
void client_close(struct client *C);

/* Who listens there: a process, its user and group as they are now. */
struct client_peer {
	pid_t pid; /* 0: not known here */
	uid_t uid;
	gid_t gid;
};
int client_peer(const struct client *C, struct client_peer *out);

/* Send J and the bytes `before` (which may be "") in front of it; fd goes along unless it is -1.  Takes J.  0; -1, said. */
int client_send(struct client *C, const char *before, json_t *J, int fd);

/**
 * The next object, in at most so many milliseconds: 0, *J being the caller's to decref; CLIENT_GONE or CLIENT_LATE,
 * unsaid; -1, said, if it is no JSON or too long.
 */
int client_receive(struct client *C, int milliseconds, json_t **J);

/* Another process of ours, dead now, may have read the start of the next line: if it is no object it is passed over. */
void client_resume(struct client *C);

#endif
