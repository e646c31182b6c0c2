#ifndef VERBS_H_
#define VERBS_H_

#include "hyper/question.h"

/* Answer the question: each verb of vmferry-host(7) for a VM of libvirt; Q->host is its URI.  0; 1, said; -1, said. */
int verbs_answer(const struct question *Q);

#endif
