#ifndef EVIDENCE_H_
#define EVIDENCE_H_

#include <libvirt/libvirt.h>

#include "host/host.h"

/*
 * How did the last run of a VM end?  libvirt's own reason "shutdown" says only that QEMU ended by itself, which it also
 * does if somebody sends it a signal, or quits it by its monitor; and is gone as libvirtd restarts.  What lasts:
 *
 *   the log that libvirt keeps of each VM.  A run starts with the line "starting up", and ends with
 *   "shutting down, reason=...".  A signal that ends QEMU is in there with its sender: "terminating on signal 15 from
 *   pid N (libvirtd)".  As a guest shuts itself down QEMU pauses, and libvirt ends it by such a signal; so libvirtd as
 *   sender, with the reason "shutdown", is proof, and another sender proof of the contrary.  Where libvirt is faster than
 *   QEMU's main loop (a third of the times, when it was tried) there is no such line: the same is seen if QEMU is quit by
 *   its monitor, which is libvirt's alone unless the run is noted as tainted, by "custom-monitor" or "custom-argv";
 *
 *   a record in our home that we saw the event of the guest's own shutdown, good for that one run of the log.
 */

/* How the VM, which is off, was stopped.  Never fails: what cannot be found out is HOST_STOP_UNKNOWN. */
enum host_stop evidence_judge(virConnectPtr C, virDomainPtr D);

/* Keep, durably, that we saw the guest shut itself down in the run that has just ended: 0; -1, said. */
int evidence_keep(virConnectPtr C, virDomainPtr D);

/* Nothing is kept of that VM any more: 0; -1, said. */
int evidence_forget(virDomainPtr D);

#endif
