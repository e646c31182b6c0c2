#include "libvirt/connect.h"

#include <libvirt/virterror.h>
#include <pthread.h>
#include <stddef.h>

#include "base/say.h"

#define DEFAULT_URI "qemu:///system"
#define ALIVE_SECONDS 10 /* asked so often whether it is still there, */
#define ALIVE_MISSES 3   /* and given up after so many times */

/* --- errors ------------------------------------------------------------------------------------------ */

/* It would print on standard error, where each error is said once, by us. */
static void
say_nothing(void *opaque, virErrorPtr error)
{
	(void)opaque;
	(void)error;
}

const char *
connect_words(void)
{
	const char *words = virGetLastErrorMessage();

	return (words != NULL ? words : "libvirt gives no reason");
}

int
connect_was(int code)
{
	return (virGetLastErrorCode() == code);
}

/* --- the connection ---------------------------------------------------------------------------------- */

/* libvirt watches a connection only where somebody runs its events: a thread that ends with the process. */
static void *
run_events(void *unused)
{
	(void)unused;
	while (virEventRunDefaultImpl() == 0)
		;
	return (NULL);
}

static int
start_events(void)
{
	pthread_t thread;

	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return (say_failed("libvirt cannot be set up: %s", connect_words()));
	if (pthread_create(&thread, NULL, run_events, NULL) != 0)
		return (say_failed("no thread can be started for libvirt"));
	pthread_detach(thread);
	return (0);
}

virConnectPtr
connect_again(const char *uri)
{
	virConnectPtr C = virConnectOpen(uri[0] != '\0' ? uri : DEFAULT_URI);

	/* A connection that cannot be watched, such as one of the test driver, is as good without. */
	if (C != NULL)
		virConnectSetKeepAlive(C, ALIVE_SECONDS, ALIVE_MISSES);
	return (C);
}

virConnectPtr
connect_open(const char *uri)
{
	virConnectPtr C;

	virSetErrorFunc(NULL, say_nothing);
	if (start_events() != 0)
		return (NULL);
	if ((C = connect_again(uri)) == NULL)
		say_failure("%s: libvirt cannot be reached: %s; is libvirtd (or virtqemud) running, "
		            "and may this user connect?",
		    uri[0] != '\0' ? uri : DEFAULT_URI, connect_words());
	return (C);
}

void
connect_close(virConnectPtr C)
{
	if (C != NULL)
		virConnectClose(C);
}

/* --- a domain ---------------------------------------------------------------------------------------- */

int
connect_find(virConnectPtr C, const char *name, virDomainPtr *D)
{
	if ((*D = virDomainLookupByName(C, name)) != NULL)
		return (0);
	if (connect_was(VIR_ERR_NO_DOMAIN))
		return (1);
	return (say_failed("%s: cannot be looked up: %s", name, connect_words()));
}

int
connect_need(virConnectPtr C, const char *name, virDomainPtr *D)
{
	int rc = connect_find(C, name, D);

	return (rc == 1 ? say_refused("%s: libvirt has no VM of that name here; see virsh list --all", name)
	                : rc);
}

void
connect_free(virDomainPtr D)
{
	if (D != NULL)
		virDomainFree(D);
}
