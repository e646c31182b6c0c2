#ifndef QMP_H_
#define QMP_H_

#include "hyper/question.h"

/* The verbs of vmferry-host(7) for a QEMU by its own socket; Q->host is "SOCKET[,agent=SOCKET]".  Each: 0; 1, said; -1, said. */
int qmp_answer(const struct question *Q);

#endif
