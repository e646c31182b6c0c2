#ifndef OURS_H_
#define OURS_H_

#include <libvirt/libvirt.h>

#include "hyper/question.h"
#include "libvirt/xml.h"

/*
 * What we note in the metadata of the domains that we define: which VM it is, what for, and whose the definition is.
 */
#define OURS_URI "urn:vmferry:1"
#define OURS_PREFIX "vmferry"

enum ours {
	OURS_NOT,  /* nothing is noted: somebody else's */
	OURS_MADE, /* we made it */
	OURS_LENT, /* it was there: we only changed where its disks are */
};

/* What is noted of D; uuid (VIR_UUID_STRING_BUFLEN) is the VM's, which may be another than the domain's. */
enum ours ours_get(virDomainPtr D, char uuid[VIR_UUID_STRING_BUFLEN]);

/* Note it in a definition, in the place of what may be noted there already.  0; -1: no memory. */
int ours_set(xmlNodePtr domain, const struct question *Q, enum ours whose);

/* Note it of a domain whose definition stays as it is; it may run.  0; -1, said. */
int ours_mark(virDomainPtr D, const struct question *Q, enum ours whose);

#endif
