#include "libvirt/lifecycle.h"

#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/say.h"
#include "base/stop.h"
#include "libvirt/connect.h"
#include "libvirt/domstate.h"
#include "libvirt/evidence.h"
#include "libvirt/ours.h"

#define PATIENCE 840 /* seconds for a guest to shut down: a minute less than vmferry has for us */
#define AGAIN 30 /* seconds after which the power button is pressed once more: a guest that boots misses it */

/* --- start ------------------------------------------------------------------------------------------- */

static int
start(virDomainPtr D, const char *name)
{
	enum host_run run;
	int rc = domstate_get(D, &run);

	if (rc != 0 || run == HOST_RUNNING)
		return (rc);
	if (run == HOST_PAUSED)
		return (say_refused(
		    "%s: is paused, which somebody, or an error, has done: see 'virsh domstate --reason', "
		    "then 'virsh resume'",
		    name));
	/* Memory of another time on these disks would damage them. */
	if (virDomainHasManagedSaveImage(D, 0) == 1)
		return (say_refused("%s: has saved memory, and would go on from there: start it with virsh, "
		                    "or drop that with 'virsh managedsave-remove'",
		    name));
	if (virDomainCreate(D) != 0)
		return (say_failed("%s: cannot be started: %s", name, connect_words()));
	return (0);
}

int
lifecycle_start(virConnectPtr C, const struct question *Q)
{
	virDomainPtr D;
	int rc = connect_need(C, Q->name, &D);

	if (rc != 0)
		return (rc);
	rc = start(D, Q->name);
	connect_free(D);
	return (rc);
}

/* --- shutdown ---------------------------------------------------------------------------------------- */

/* What the events of a domain said, filled in by libvirt's thread. */
struct watch {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int by_guest; /* its guest shut itself down, */
	int crashed;  /* or paniced, */
	int stopped;  /* and it is off */
};

static void
take_event(virConnectPtr C, virDomainPtr D, int event, int detail, void *opaque)
{
	struct watch *w = opaque;

	(void)C;
	(void)D;
	pthread_mutex_lock(&w->lock);
	if (event == VIR_DOMAIN_EVENT_SHUTDOWN)
		w->by_guest = detail == VIR_DOMAIN_EVENT_SHUTDOWN_GUEST;
	else if (event == VIR_DOMAIN_EVENT_CRASHED)
		w->crashed = 1;
	else if (event == VIR_DOMAIN_EVENT_STOPPED) {
		w->stopped = 1;
		w->by_guest &= detail == VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN;
	}
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* Wait a second, or less if it stops. */
static void
wait_a_second(struct watch *w)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&w->lock);
	if (!w->stopped)
		(void)pthread_cond_timedwait(&w->changed, &w->lock, &until);
	pthread_mutex_unlock(&w->lock);
}

/* By its agent, where it has one that answers, else by its power button.  0; -1, said. */
static int
press(virDomainPtr D, const char *name, int with_agent)
{
	if (with_agent && virDomainShutdownFlags(D, VIR_DOMAIN_SHUTDOWN_GUEST_AGENT) == 0)
		return (0);
	if (virDomainShutdownFlags(D, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) == 0 || virDomainIsActive(D) == 0)
		return (0);
	return (say_failed("%s: cannot be asked to shut down: %s", name, connect_words()));
}

/* 0: it is off; 1, said: it does not; -1, said. */
static int
wait_off(virDomainPtr D, const char *name, struct watch *w)
{
	enum host_run run = HOST_RUNNING;
	int rc = press(D, name, 1);

	for (int s = 1; rc == 0 && s <= PATIENCE; s++) {
		wait_a_second(w);
		if (stop_check() != 0 || domstate_get(D, &run) != 0)
			return (-1);
		if (run == HOST_OFF)
			return (0);
		if (s % AGAIN == 0)
			rc = press(D, name, 0);
	}
	return (rc != 0 ? rc
	                : say_refused("%s: its guest was asked to shut down %d minutes ago, and still runs: "
	                              "shut it down from inside, or see what holds it up at its console",
	                      name, PATIENCE / 60));
}

/* The event that it stopped comes after libvirt calls it off: a moment for it. */
static int
was_by_guest(struct watch *w)
{
	int stopped = 0, by_guest = 0;

	for (int i = 0; i < 5 && !stopped; i++) {
		wait_a_second(w);
		pthread_mutex_lock(&w->lock);
		stopped = w->stopped;
		by_guest = stopped && w->by_guest && !w->crashed;
		pthread_mutex_unlock(&w->lock);
	}
	return (by_guest);
}

/* libvirt frees the watch, when its thread does not use it any more. */
static int
shut_down(virConnectPtr C, virDomainPtr D, const char *name)
{
	struct watch *w = calloc(1, sizeof *w);
	int id, rc;

	if (w == NULL || pthread_mutex_init(&w->lock, NULL) != 0 ||
	    pthread_cond_init(&w->changed, NULL) != 0) {
		free(w);
		return (say_failed("%s: there is no memory", name));
	}
	id = virConnectDomainEventRegisterAny(
	    C, D, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(take_event), w, free);
	if (id < 0) {
		free(w);
		return (
		    say_failed("%s: libvirt does not tell what happens to it: %s", name, connect_words()));
	}
	if ((rc = wait_off(D, name, w)) == 0 && was_by_guest(w))
		rc = evidence_keep(C, D);
	virConnectDomainEventDeregisterAny(C, id);
	return (rc);
}

int
lifecycle_shutdown(virConnectPtr C, const struct question *Q)
{
	enum host_run run;
	virDomainPtr D;
	int rc = connect_need(C, Q->name, &D);

	if (rc != 0)
		return (rc);
	if ((rc = domstate_get(D, &run)) == 0 && run == HOST_PAUSED)
		rc = say_refused(
		    "%s: is paused, and its guest cannot shut down: see 'virsh domstate --reason', then "
		    "'virsh resume'",
		    Q->name);
	else if (rc == 0 && run == HOST_RUNNING)
		rc = shut_down(C, D, Q->name);
	connect_free(D);
	return (rc);
}

/* --- undefine ---------------------------------------------------------------------------------------- */

/* Turn it off at once.  That it is off already is fine. */
static int
turn_off(virDomainPtr D, const char *name)
{
	if (virDomainIsActive(D) == 0 || virDomainDestroy(D) == 0 || virDomainIsActive(D) == 0)
		return (0);
	return (say_failed("%s: cannot be turned off: %s", name, connect_words()));
}

static int
undefine(virDomainPtr D, const char *name)
{
	static const unsigned all = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
	                            VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
	                            VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM;
	char uuid[VIR_UUID_STRING_BUFLEN];
	enum ours whose = ours_get(D, uuid);
	int rc;

	if (whose == OURS_NOT)
		return (say_refused(
		    "%s: was not defined by vmferry: if it is to go, remove it with 'virsh undefine'", name));
	if ((rc = turn_off(D, name)) != 0)
		return (rc);
	if (whose == OURS_LENT) {
		say_note("%s: is this host's own definition, and stays, turned off", name);
		return (0);
	}
	/* One that was not persistent is gone now. */
	if (virDomainUndefineFlags(D, all) != 0 && !connect_was(VIR_ERR_NO_DOMAIN))
		return (say_failed("%s: cannot be undefined: %s", name, connect_words()));
	return (evidence_forget(D));
}

int
lifecycle_undefine(virConnectPtr C, const struct question *Q)
{
	virDomainPtr D;
	int rc = connect_find(C, Q->name, &D);

	if (rc != 0)
		return (rc == 1 ? 0 : rc);
	rc = undefine(D, Q->name);
	connect_free(D);
	return (rc);
}
