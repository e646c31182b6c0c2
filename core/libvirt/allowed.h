#ifndef ALLOWED_H_
#define ALLOWED_H_

#include "libvirt/xml.h"

/*
 * A definition that came from another site names what it likes: files of this host, programs, devices.  So nothing of it
 * is taken over but the elements and attributes of a list, and no value that looks like a path.
 */

/**
 * Copy what may be taken over of the element from, and of those in it, into the element to, which is of the same name
 * and new: at is its place in the list ("domain/cpu").  dropped is told the places of elements that are not taken.
 */
struct allowed_dropped {
	char names[512]; /* "hostdev, filesystem": each once */
};
void allowed_copy(xmlNodePtr to, xmlNodePtr from, const char *at, struct allowed_dropped *dropped);

/* A new child element of to, as allowed_copy makes it of from; NULL if it is not in the list. */
xmlNodePtr allowed_add(xmlNodePtr to, xmlNodePtr from, const char *at, struct allowed_dropped *dropped);

/* Note that an element is not taken over. */
void allowed_drop(struct allowed_dropped *dropped, const char *name);

#endif
