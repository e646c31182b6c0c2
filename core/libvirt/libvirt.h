#ifndef LIBVIRT_H_
#define LIBVIRT_H_

#include "hyper/question.h"

/* The verbs of vmferry-host(7) for a VM of libvirt; Q->host is the URI.  Each: 0; 1, said; -1, said. */
int libvirt_answer(const struct question *Q);

#endif
