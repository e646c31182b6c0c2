#ifndef HOSTCAPS_H_
#define HOSTCAPS_H_

#include <libvirt/libvirt.h>

#include "libvirt/sitemap.h"
#include "libvirt/xml.h"

/* What this host can run, as its libvirt says it. */
struct hostcaps {
	char arch[32], type[8], machine[64];
	int is_other_machine; /* of another family than was wanted: addresses of devices do not fit */
	xmlNodePtr domain;    /* what such a domain can have; NULL: libvirt does not say */
};

/**
 * What a VM of that architecture, type and machine (each "" where nothing is wanted) can be here, by the map M: what there
 * is not is put in place by the next best, with a note.  name is the VM's, for the words.  0, H being the caller's to
 * release; 1, said, if this host cannot run such a VM; -1.
 */
struct hostcaps_wish {
	const char *name, *arch, *type, *machine;
};
int hostcaps_choose(
    struct hostcaps *H, virConnectPtr C, const struct hostcaps_wish *w, const struct sitemap *M);
void hostcaps_release(struct hostcaps *H);

/* Can a domain have this device, by the name of its list: ("video", "modelType", "qxl")?  1 also if nobody knows. */
int hostcaps_has(const struct hostcaps *H, const char *device, const char *list, const char *value);

/* Can it have this CPU model?  1 also if nobody knows. */
int hostcaps_has_cpu(const struct hostcaps *H, const char *model);

#endif
