#ifndef VIEW_KINDS_H_
#define VIEW_KINDS_H_

#include <libvirt/libvirt.h>

#include "hyper/question.h"
#include "hyper/scratch.h"
#include "libvirt/live.h"

/* A view, and the two ways to have one.  What is named here is borrowed, but for what a kind keeps in `own`. */
struct view {
	const struct question *Q;
	virConnectPtr C;     /* changes where the connection was lost and made again */
	virConnectPtr again; /* the one that was made again, or NULL */
	virDomainPtr D;
	struct live *live;
	const struct live_disk *disks[HOST_DISKS]; /* in the order of Q->disks */
	struct scratch *S;
	struct host_view *V; /* the answer */
	void *own;
};

struct view_kind {
	/* Take it at one instant, and fill in the answer: 0; 2, unsaid, if this kind cannot here; 1 or -1, said. */
	int (*take)(struct view *W);
	/* Does it stand?  Asked once a second.  0; 1, said. */
	int (*check)(struct view *W);
	/**
	 * End it: end is keep, drop or gone; rc is not 0 if it was given up.  0; 1, said, where it turns out that it
	 * did not stand; -1, said.
	 */
	int (*end)(struct view *W, enum question_end end, int rc);
};

extern const struct view_kind view_clones, view_job;

/* Connect again where the connection was lost.  0 if there is one; 1, unsaid, if not yet. */
int view_reconnect(struct view *W);

#endif
