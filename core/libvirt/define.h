#ifndef DEFINE_H_
#define DEFINE_H_

#include <libvirt/libvirt.h>

#include "hyper/question.h"

/*
 * define: have the VM, off.  One that is not here is made from the primary's definition; so is one that we made before.
 * One that was here before us and is the VM itself, by its UUID, keeps this host's own definition: only its disks are
 * changed.  Another one of the same name is never touched.  0; 1, said; -1, said.
 */
int define_answer(virConnectPtr C, const struct question *Q);

/* Whose is the domain of the question's name?  0, *D being the caller's, or NULL if there is none; 1, said; -1, said. */
enum define_kind {
	DEFINE_NEW,  /* to be made, or made anew */
	DEFINE_LENT, /* this host's own */
};
int define_kind(virConnectPtr C, const struct question *Q, virDomainPtr *D, enum define_kind *kind);

#endif
