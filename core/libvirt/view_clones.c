#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"
#include "hyper/reflink.h"
#include "libvirt/backup.h"
#include "libvirt/quiet.h"
#include "libvirt/view_kinds.h"

static int
are_all_raw(const struct view *W)
{
	for (unsigned i = 0; i < W->Q->ndisks; i++)
		if (!W->disks[i]->is_file || strcmp(W->disks[i]->format, "raw") != 0)
			return (0);
	return (1);
}

static void
remove_all(const struct view *W, const char *token)
{
	for (unsigned i = 0; i < W->Q->ndisks; i++)
		reflink_remove(W->disks[i]->path, token);
}

/* All disks can be cloned, and there is room for it if the guest overwrites them: 0; 2, unsaid; 1 or -1, said. */
static int
prepare(struct view *W, struct reflink *clones)
{
	for (unsigned i = 0; i < W->Q->ndisks; i++) {
		char dir[PATH_MAX];
		uint64_t bytes;
		int rc;

		if ((rc = reflink_prepare(&clones[i], W->disks[i]->path, W->Q->token)) != 0)
			return (rc);
		if (backup_scratch_dir(W->disks[i], dir) != 0 || io_allocated(W->disks[i]->path, &bytes) != 0)
			return (-1);
		if ((rc = scratch_watch(W->S, dir, bytes)) != 0)
			return (rc);
	}
	return (0);
}

static int
clone_all(struct view *W, struct reflink *clones)
{
	struct quiet still;
	int64_t start;
	int rc;

	if ((rc = quiet_suspend(&still, W->D, W->Q)) != 0)
		return (rc);
	start = clock_ms();
	for (unsigned i = 0; i < W->Q->ndisks && rc == 0; i++)
		rc = reflink_take(&clones[i]);
	if (quiet_resume(&still, W->D) != 0)
		rc = -1;
	say_note(
	    "%s: stood still for %" PRId64 " ms while its disks were cloned", W->Q->name, clock_ms() - start);
	return (rc);
}

/* The guest's file systems are frozen, if that is wanted and can be, before it stands still. */
static int
take_instant(struct view *W, struct reflink *clones)
{
	struct quiet frozen = { 0 };
	int rc;

	if (W->Q->quiesce)
		quiet_freeze(&frozen, W->D, W->Q, W->live);
	rc = clone_all(W, clones);
	quiet_thaw(&frozen, W->D);
	W->V->is_quiesced = frozen.is_quiet;
	snprintf(W->V->not_quiesced, sizeof W->V->not_quiesced, "%s", frozen.why);
	return (rc);
}

static int
tell(struct view *W, struct reflink *clone, struct host_view_disk *d)
{
	int rc;

	if (reflink_settle(clone) != 0 || io_path(d->where, "%s", clone->clone) != 0)
		return (-1);
	if (W->Q->since[0] == '\0') {
		snprintf(d->why, sizeof d->why, "nothing earlier was asked for");
		return (0);
	}
	if ((rc = reflink_changes(clone, W->Q->since, d->why)) != 0)
		return (rc < 0 ? -1 : 0);
	snprintf(d->how, sizeof d->how, "reflink");
	return (io_path(d->changes, "%s", clone->list));
}

static int
take(struct view *W)
{
	struct reflink *clones;
	int rc;

	if (!are_all_raw(W))
		return (2);
	if ((clones = calloc(W->Q->ndisks, sizeof *clones)) == NULL)
		return (say_failed("out of memory"));
	for (unsigned i = 0; i < W->Q->ndisks; i++)
		clones[i] = REFLINK_NONE;
	if ((rc = prepare(W, clones)) == 0)
		rc = take_instant(W, clones);
	for (unsigned i = 0; i < W->Q->ndisks && rc == 0; i++)
		rc = tell(W, &clones[i], &W->V->disks[i]);
	for (unsigned i = 0; i < W->Q->ndisks; i++)
		reflink_close(&clones[i]);
	free(clones);
	if (rc != 0)
		remove_all(W, W->Q->token);
	return (rc);
}

/* Nothing but room can end it: the VM may be gone. */
static int
check(struct view *W)
{
	(void)W;
	return (0);
}

/**
 * A clone takes room as the guest overwrites its disk, also while no view stands and nobody looks.  It may stay only
 * where there is room for all of it.
 */
static int
has_room(const struct view *W)
{
	uint64_t all = 0, least = UINT64_MAX;

	for (unsigned i = 0; i < W->Q->ndisks; i++) {
		char dir[PATH_MAX];
		uint64_t bytes, is_free;

		if (io_allocated(W->disks[i]->path, &bytes) != 0 ||
		    backup_scratch_dir(W->disks[i], dir) != 0 || io_free(dir, &is_free) != 0)
			return (0);
		all += bytes;
		if (is_free < least)
			least = is_free;
	}
	return (least > all + all / 16);
}

static int
end(struct view *W, enum question_end how, int rc)
{
	if (rc > 0 || (how == QUESTION_KEEP && !has_room(W))) {
		say_note("%s: the file system of its disks has no room for clones of them to stay: the next "
		         "point is "
		         "found by comparing",
		    W->Q->name);
		remove_all(W, W->Q->token);
		remove_all(W, W->Q->since);
	} else if (how == QUESTION_KEEP)
		remove_all(W, W->Q->since);
	else if (how == QUESTION_DROP)
		remove_all(W, W->Q->token);
	return (0);
}

const struct view_kind view_clones = { take, check, end };
