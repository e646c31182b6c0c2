#include "libvirt/quiet.h"

#include <stdio.h>
#include <unistd.h>

#include "base/program.h"
#include "base/say.h"
#include "libvirt/connect.h"
#include "libvirt/watch.h"

#define AGENT_SECONDS 20 /* that an agent has to write and freeze all; less than WATCH_FREEZE */
#define THAW_TRIES 3

static void
not_quiet(struct quiet *q, const char *why)
{
	q->is_quiet = 0;
	snprintf(q->why, sizeof q->why, "%s", why);
}

void
quiet_freeze(struct quiet *q, virDomainPtr D, const struct question *Q, const struct live *L)
{
	int n;

	*q = (struct quiet){ 0 };
	if (L->agent != LIVE_AGENT) {
		not_quiet(q, L->agent == LIVE_NO_AGENT ? "the VM has no channel for a guest agent"
		                                       : "no agent runs in the guest");
		return;
	}
	if (watch_begin(&q->watch, Q, WATCH_THAW) != 0) {
		not_quiet(q, "nobody would thaw the guest if this program died");
		return;
	}
	virDomainAgentSetResponseTimeout(D, AGENT_SECONDS, 0);
	/* One that fails may be on its way all the same: what follows does not differ. */
	if ((n = virDomainFSFreeze(D, NULL, 0, 0)) < 0)
		not_quiet(q, connect_words());
	else if (n == 0)
		not_quiet(q, "the guest has no file system that can be frozen");
	else
		q->is_quiet = 1;
}

void
quiet_thaw(struct quiet *q, virDomainPtr D)
{
	int rc = -1, is_early;

	if (q->watch == NULL)
		return;
	for (int i = 0; i < THAW_TRIES && (rc = virDomainFSThaw(D, NULL, 0, 0)) < 0; i++)
		usleep(100000);
	virDomainAgentSetResponseTimeout(D, VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK, 0);
	/* None was frozen any more: the guest, or somebody else, did not wait for the instant. */
	is_early = rc == 0;
	/* Without its word the watch goes on trying. */
	rc = rc < 0 ? program_talk_end(q->watch, NULL) : watch_end(q->watch);
	q->watch = NULL;
	if (rc != 0 && q->is_quiet)
		not_quiet(q, "the guest was frozen for too long");
	else if (is_early && q->is_quiet)
		not_quiet(q, "the guest had thawed its file systems before its time");
}

int
quiet_suspend(struct quiet *q, virDomainPtr D, const struct question *Q)
{
	int state, reason;

	*q = (struct quiet){ 0 };
	if (virDomainGetState(D, &state, &reason, 0) != 0 || state != VIR_DOMAIN_RUNNING)
		return (say_refused("%s: does not run, or libvirt cannot say", Q->name));
	if (watch_begin(&q->watch, Q, WATCH_RESUME) != 0)
		return (-1);
	if (virDomainSuspend(D) == 0) {
		q->is_quiet = 1;
		return (0);
	}
	say_refused("%s: libvirt cannot let it stand still: %s", Q->name, connect_words());
	/* It may yet have done so. */
	program_talk_end(q->watch, NULL);
	q->watch = NULL;
	return (1);
}

int
quiet_resume(struct quiet *q, virDomainPtr D)
{
	int rc = virDomainResume(D);

	if (rc != 0)
		say_failure("%s: cannot be resumed at once: %s", virDomainGetName(D), connect_words());
	rc = rc != 0 ? (program_talk_end(q->watch, NULL), -1) : watch_end(q->watch);
	q->watch = NULL;
	return (rc == 0 ? 0 : -1);
}
