#ifndef REPORT_CHARTS_H_
#define REPORT_CHARTS_H_

#include "status/report_vm.h"

/* What is seen of a VM at a glance: how old the safe points were, how large the deltas, and which points there are. */
#define REPORT_CHARTS_SITES 4u /* targets that get a chart of their own, in the order of the record */

/* 0; -1, said. */
int report_charts_put(FILE *out, const struct report_vm *v);

#endif
