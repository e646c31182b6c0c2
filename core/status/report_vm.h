#ifndef REPORT_VM_H_
#define REPORT_VM_H_

#include <stdint.h>
#include <stdio.h>

#include "status/health.h"
#include "site/site.h"
#include "tally/figures.h"

/* What the page says of one VM: it points into what the caller has. */
struct report_vm {
	const struct site *S;
	int64_t from, now;       /* of the charts and figures */
	unsigned id;             /* no two VMs of a page have the same */
	const struct primary *P; /* its record: one of these two; the other is NULL */
	const struct replica *R;
	const struct health *health;
	const struct figures *figures;
	unsigned nevents; /* the last ones, ascending by time */
	const struct tally_event *events;
	unsigned nhours; /* ascending */
	const struct tally_hour *hours;
};

/* Everything of it.  0; -1, said. */
int report_vm_put(FILE *out, const struct report_vm *v);

#endif
