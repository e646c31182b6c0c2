#ifndef NOTIFY_H_
#define NOTIFY_H_

#include <stdint.h>

/*
 * What a service manager is told, as sd_notify(3) has it: a datagram to the socket that $NOTIFY_SOCKET names.  Where
 * there is none, nothing is told; that it cannot be told is no error of ours.
 */

/* "READY=1", "STATUS=...", "STOPPING=1": the lines, as they are. */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Milliseconds after which "WATCHDOG=1" is to be told again; 0: nobody waits for it. */
int64_t notify_watchdog(void);

#endif
