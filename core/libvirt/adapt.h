#ifndef ADAPT_H_
#define ADAPT_H_

#include <libvirt/libvirt.h>

#include "hyper/question.h"
#include "libvirt/allowed.h"
#include "libvirt/hostcaps.h"
#include "libvirt/sitemap.h"
#include "libvirt/xml.h"

/*
 * A definition for this host is built of what the primary's may say (allowed.h), of the map, and of what this host can
 * run.  The primary's is another site's word: it never names a file or program here.
 */
struct adapt {
	virConnectPtr C;
	const struct question *Q;
	const struct sitemap *M;
	xmlNodePtr source; /* the primary's; NULL: there is none */
	xmlNodePtr top;    /* what is made */
	xmlNodePtr devices;
	struct hostcaps caps;
	struct allowed_dropped dropped;
};

/**
 * Build A->top for the VM in A->Q, by A->M: all but its disks.  What is not taken over, or has another form here, is
 * noted.  A comes with C, Q and M, the rest zero; it is to be released by adapt_release in any case.  0; 1, said; -1, said.
 */
int adapt_build(struct adapt *A);
void adapt_release(struct adapt *A);

/* Say in a note what was dropped, if anything was. */
void adapt_say_dropped(const struct adapt *A);

/* Leave it to libvirt where devices are: as needed where the machine is of another family. */
void adapt_strip_addresses(struct adapt *A);

/* The devices but for disks and interfaces: adapt_devices.c. */
void adapt_devices_add(struct adapt *A);

/* The network interfaces: adapt_nets.c. */
void adapt_nets_add(struct adapt *A, xmlNodePtr source);

/* One where there is no definition. */
void adapt_nets_add_first(struct adapt *A);

/* The disks of the question, and empty drives: adapt_disks.c.  Files of excluded ones are made.  0; 1, said; -1, said. */
int adapt_disks_add(struct adapt *A);

int adapt_disks_add_one(struct adapt *A, const struct question_disk *d);

/* The disk of that target among devices; NULL: there is none. */
xmlNodePtr adapt_disks_find(xmlNodePtr devices, const char *target);

/* Have a disk element say where d is: the source and driver that it has are replaced.  0; 1, said; -1, said. */
int adapt_disks_point(xmlNodePtr disk, const struct question *Q, const struct question_disk *d);

#endif
