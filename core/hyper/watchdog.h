#ifndef WATCHDOG_H_
#define WATCHDOG_H_

#include <sys/types.h>

/*
 * A process beside us that cleans up if we are killed.  It has what we had in memory and open when it was made, our
 * connections and locks among that, but none of our standard descriptors, and no terminal of ours.
 */
struct watchdog {
	pid_t pid;
	int fd;
};

#define WATCHDOG_NONE ((struct watchdog){ .pid = -1, .fd = -1 })

/**
 * From now on rescue(arg) is called there if we end without watchdog_end.  This process must have a single thread.  0;
 * -1, said.
 */
int watchdog_start(struct watchdog *W, void (*rescue)(void *arg), void *arg);

/* There is nothing left to be rescued.  WATCHDOG_NONE is fine. */
void watchdog_end(struct watchdog *W);

#endif
