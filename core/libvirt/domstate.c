#include "libvirt/domstate.h"

#include <stdio.h>

#include "base/say.h"
#include "libvirt/connect.h"
#include "libvirt/evidence.h"

int
domstate_get(virDomainPtr D, enum host_run *run)
{
	int state = 0;

	if (virDomainGetState(D, &state, NULL, 0) != 0)
		return (say_failed(
		    "%s: libvirt does not say how it is: %s", virDomainGetName(D), connect_words()));
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_SHUTDOWN: /* on its way to be off: QEMU has the disks open */
		*run = HOST_RUNNING;
		return (0);
	case VIR_DOMAIN_PAUSED:
	case VIR_DOMAIN_PMSUSPENDED:
	case VIR_DOMAIN_CRASHED: /* its QEMU was kept */
		*run = HOST_PAUSED;
		return (0);
	case VIR_DOMAIN_SHUTOFF:
		*run = HOST_OFF;
		return (0);
	default:
		return (say_failed(
		    "%s: libvirt gives a state that is not known: %d", virDomainGetName(D), state));
	}
}

int
domstate_answer(virConnectPtr C, const struct question *Q)
{
	enum host_run run = HOST_ABSENT;
	enum host_stop stop = HOST_STOP_UNKNOWN;
	virDomainPtr D;
	int rc = connect_find(C, Q->name, &D);

	if (rc == 0) {
		if ((rc = domstate_get(D, &run)) == 0 && run == HOST_OFF)
			stop = evidence_judge(C, D);
		connect_free(D);
	} else if (rc == 1)
		rc = 0;
	if (rc != 0)
		return (rc);
	printf("{\"state\": \"%s\"", host_run_name(run));
	if (run == HOST_OFF)
		printf(", \"stopped\": \"%s\"", host_stop_name(stop));
	puts("}");
	return (0);
}
