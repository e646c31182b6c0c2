#ifndef MONITOR_H_
#define MONITOR_H_

#include <jansson.h>

#include "qmp/client.h"

/*
 * QEMU's monitor, by QMP.  It speaks with one program at a time; whoever has the connection keeps others waiting.
 */
struct monitor;

#define MONITOR_OFF 2  /* nobody listens: QEMU does not run */
#define MONITOR_BUSY 3 /* QEMU runs, and speaks with another program */

/* Connect: 0, *M being the caller's to close; MONITOR_OFF or MONITOR_BUSY, unsaid; -1, said. */
int monitor_open(struct monitor **M, const char *path);
void monitor_close(struct monitor *M);

int monitor_peer(const struct monitor *M, struct client_peer *out);

/* 100 * major + minor of QEMU's version. */
unsigned monitor_version(const struct monitor *M);

/**
 * Have QEMU do something.  Takes arguments, which may be NULL.  0, with what it answers in *answer, the caller's to
 * decref, unless answer is NULL; 1, unsaid, if it says no: monitor_words has its words; -1, said.
 */
int monitor_ask(struct monitor *M, const char *command, json_t *arguments, json_t **answer);

/* The same where QEMU gets a descriptor. */
int monitor_give(struct monitor *M, const char *command, json_t *arguments, int fd);

/* The same where a no is an error: 0; -1, said. */
int monitor_must(struct monitor *M, const char *command, json_t *arguments, json_t **answer);

/* Why it said no the last time. */
const char *monitor_words(const struct monitor *M);

/* Take in what QEMU tells by itself, for so long: 0; MONITOR_OFF, unsaid, if it is gone; -1, said. */
int monitor_listen(struct monitor *M, int milliseconds);

/* What it told so far. */
struct monitor_seen {
	char shutdown[32]; /* the reason of a shutdown, or empty */
	int is_disk_full;  /* a disk of the guest met a file system without room */
};
const struct monitor_seen *monitor_seen(const struct monitor *M);

/* Go on in the place of another process of ours that had the same connection and is dead. */
void monitor_take_over(struct monitor *M);

#endif
