#ifndef ENDPOINT_H_
#define ENDPOINT_H_

#include <limits.h>

#include "hyper/question.h"
#include "qmp/monitor.h"

/* What is behind the colon of --host qmp: "SOCKET[,agent=SOCKET][,scratch=FOLDER]".  A comma in a path is doubled. */
struct endpoint {
	char monitor[PATH_MAX], agent[PATH_MAX], scratch[PATH_MAX]; /* the latter two may be empty */
};

/* 0; 1, said, if it is none. */
int endpoint_parse(struct endpoint *E, const char *host);

/**
 * Connect to the monitor of the VM that Q is about: 0, *M being the caller's to close; MONITOR_OFF or MONITOR_BUSY, unsaid; 1,
 * said, if a VM of another name is there; -1, said.
 */
int endpoint_open(const struct endpoint *E, const struct question *Q, struct monitor **M);

/* The same where QEMU must be there to speak with: else 1, said. */
int endpoint_must(const struct endpoint *E, const struct question *Q, struct monitor **M);

/* The state of the VM in QEMU's words: 0; -1, said. */
int endpoint_status(struct monitor *M, char out[32]);

#endif
