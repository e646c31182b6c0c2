#include "qmp/power.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"
#include "qmp/drives.h"
#include "qmp/stopped.h"

#define PATIENCE (14 * 60 * 1000) /* milliseconds for a guest to shut down */
#define AGAIN (20 * 1000)  /* the button is pressed again: a guest that is starting takes no notice of it */
#define LINGER (10 * 1000) /* for a QEMU whose guest has ended to end too */

static int
answer(const char *state, const char *stopped)
{
	printf("{\"state\": \"%s\"", state);
	if (stopped != NULL)
		printf(", \"stopped\": \"%s\"", stopped);
	puts("}");
	return (0);
}

/* --- state -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *qemu, *state;
} states[] = {
	{ "running", "running" }, { "postmigrate", "absent" }, /* it went to another host */
	{ "inmigrate", "absent" },                             /* it is not here yet */
	{ "shutdown", "off" },                                 /* QEMU was told to stay */
};

int
power_state(struct monitor *M, const char **state)
{
	char status[32];
	int rc = endpoint_status(M, status);

	*state = "paused";
	for (size_t i = 0; rc == 0 && i < sizeof states / sizeof states[0]; i++)
		if (strcmp(states[i].qemu, status) == 0)
			*state = states[i].state;
	return (rc);
}

int
power_tell(const struct endpoint *E, const struct question *Q)
{
	struct monitor *M = NULL;
	const char *state;
	int rc = endpoint_open(E, Q, &M);

	if (rc == MONITOR_OFF)
		return (answer("off", stopped_by_guest(Q->name) ? "shutdown" : "unknown"));
	/* Whoever it is that QEMU speaks with, it runs. */
	if (rc == MONITOR_BUSY)
		return (answer("running", NULL));
	if (rc == 1)
		return (answer("absent", NULL));
	if (rc == 0 && (rc = power_state(M, &state)) == 0)
		answer(state, strcmp(state, "off") == 0 ? "unknown" : NULL);
	monitor_close(M);
	return (rc);
}

/* --- shutdown ------------------------------------------------------------------------------------------------- */

/* Press the button until the guest has shut down, or QEMU is gone: 0; 1 or -1, said. */
static int
press(struct monitor *M, const struct question *Q)
{
	int64_t now = clock_ms(), until = now + PATIENCE, again = now;
	int rc = 0;

	while (rc == 0 && monitor_seen(M)->shutdown[0] == '\0') {
		if (stop_check() != 0)
			return (-1);
		if ((now = clock_ms()) >= until)
			return (say_refused(
			    "%s: its guest did not shut down in %d minutes: shut it down from inside",
			    Q->name, PATIENCE / 60000));
		if (now >= again) {
			again = now + AGAIN;
			/* QEMU may end between two presses. */
			if (monitor_ask(M, "system_powerdown", NULL, NULL) < 0)
				return (monitor_seen(M)->shutdown[0] != '\0' ? 0 : -1);
		}
		rc = monitor_listen(M, 100);
	}
	return (rc < 0 ? -1 : 0);
}

static int
was_by_guest(const struct monitor *M)
{
	return (strcmp(monitor_seen(M)->shutdown, "guest-shutdown") == 0);
}

/* The guest is down; QEMU closes its disks and goes, or was told (-no-shutdown) to stay: then it is told to go. */
static int
see_it_go(struct monitor *M, int pidfd, const struct question *Q)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t until = clock_ms() + LINGER;
	char status[32];
	int rc;

	while ((rc = monitor_listen(M, 200)) == 0 && clock_ms() < until)
		if (endpoint_status(M, status) == 0 && strcmp(status, "shutdown") == 0)
			monitor_ask(M, "quit", NULL, NULL);
	if (rc < 0)
		rc = 0; /* gone while it was asked */
	if (rc == 0 && clock_ms() >= until)
		return (say_refused("%s: its guest shut down, and its QEMU does not end", Q->name));
	if (pidfd >= 0 && poll(&p, 1, LINGER) != 1)
		return (say_refused("%s: its QEMU does not end", Q->name));
	return (0);
}

static int
shut_down(struct monitor *M, const struct question *Q)
{
	struct client_peer peer;
	struct drives *D = NULL;
	int pidfd = -1, rc;

	if (monitor_peer(M, &peer) != 0 || stopped_forget(Q->name) != 0)
		return (-1);
	if (peer.pid > 0)
		pidfd = pidfd_open(peer.pid, 0);
	if ((rc = drives_read(M, &D)) == 0 && (rc = press(M, Q)) == 0)
		rc = see_it_go(M, pidfd, Q);
	if (rc == 0 && was_by_guest(M))
		rc = stopped_note(Q->name, D);
	else if (rc == 0)
		rc = say_refused("%s: is off, and not by its guest: QEMU's reason is '%s'", Q->name,
		    monitor_seen(M)->shutdown[0] == '\0' ? "unknown" : monitor_seen(M)->shutdown);
	io_close(pidfd);
	free(D);
	return (rc);
}

int
power_shutdown(const struct endpoint *E, const struct question *Q)
{
	struct monitor *M = NULL;
	char status[32];
	int rc = endpoint_open(E, Q, &M);

	if (rc == MONITOR_OFF)
		return (0);
	if (rc == MONITOR_BUSY)
		return (endpoint_must(E, Q, &M));
	if (rc == 0 && (rc = endpoint_status(M, status)) == 0) {
		if (strcmp(status, "running") != 0 && strcmp(status, "suspended") != 0)
			rc = say_refused(
			    "%s: its QEMU says that it is '%s': a guest that does not run cannot shut "
			    "itself down; let it go on first",
			    Q->name, status);
		else
			rc = shut_down(M, Q);
	}
	monitor_close(M);
	return (rc);
}
