#ifndef TOLD_H_
#define TOLD_H_

#include <jansson.h>

#include "host/host.h"

/*
 * What the host was told last of a VM: a part of both records.  So it is told again only where something is new, and
 * a VM that is another's is never changed, nor one that we did not make removed.
 */
#define TOLD_DIGEST 32u

enum told_whose {
	TOLD_NOBODY, /* nothing of that name is ours at the host */
	TOLD_MADE,   /* it was made at our word */
	TOLD_FOUND,  /* it was there before: this site was the VM's primary */
};

struct told {
	enum told_whose whose;
	int is_told; /* as this, with all of it as the digest has it: */
	enum host_purpose purpose;
	uint8_t digest[TOLD_DIGEST];
};

/* As a part of a record: NULL if there is no memory.  The reverse: NULL stands for nothing; 0, or -1 if it is not one. */
json_t *told_encode(const struct told *t);
int told_decode(struct told *t, const json_t *o);

/* Is that what the host of that name was told last? */
int told_is(const struct told *t, const char *spec, const struct host_vm *vm);

/* It was told that just now; only in memory. */
void told_note(struct told *t, const char *spec, const struct host_vm *vm);

/* How a record is saved with what t says; before the host is told too, so that an interruption leaves nobody's VM. */
struct telling {
	const char *spec;
	struct told *t;
	int (*save)(void *context); /* 0 or -1 */
	void *context;
};

/**
 * Tell the host, unless it knows already: 0: it was told now; 1, said: it says no, or has a VM of that name that runs or
 * is not ours, which is left alone; 2, unsaid: there was nothing to tell; -1.
 */
int told_tell(struct telling *T, const struct host_vm *vm);

#endif
