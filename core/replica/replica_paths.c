#include "replica/replica.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/source.h"

int
replica_disk_path(const struct replica *R, unsigned disk, char out[PATH_MAX])
{
	if (replica_disk_is_elsewhere(R, disk))
		return (io_path(out, "%s", R->where[disk]));
	return (io_path(out, "%s/disks/%s.raw", R->dir, R->disks[disk]));
}

int
replica_disk_is_elsewhere(const struct replica *R, unsigned disk)
{
	return (R->where[disk][0] != '\0');
}

int
replica_has_disks_of(const struct replica *R, const struct header *H)
{
	for (unsigned i = 0; i < R->ndisks && i < H->ndisks; i++)
		if (strcmp(R->disks[i], H->disks[i].id) != 0)
			return (0);
	return (1);
}

void
replica_add_disks(struct replica *R, const struct header *H)
{
	struct replica_disk_point none = { 0, { 0, 0 }, { 0 } };

	leaf_root(none.root, &R->secret, &none.sum, none.size);
	for (; R->ndisks < H->ndisks; R->ndisks++) {
		strcpy(R->disks[R->ndisks], H->disks[R->ndisks].id);
		R->where[R->ndisks][0] = '\0';
		for (unsigned k = 0; k < R->npoints; k++)
			R->points[k].disks[R->ndisks] = none;
	}
}

int
replica_excluded_path(const struct replica *R, unsigned excluded, char out[PATH_MAX])
{
	const char *id = R->excluded[excluded].id;
	char dir[PATH_MAX];

	for (unsigned i = 0; i < R->nplaces; i++)
		if (strcmp(R->places[i].id, id) == 0 && io_exists(source_path(R->places[i].where)) == 1)
			return (io_path(out, "%s", R->places[i].where));
	if (realpath(R->dir, dir) == NULL)
		return (say_failed("%s: cannot find: %s", R->dir, strerror(errno)));
	return (io_path(out, "%s/excluded/%s.raw", dir, id));
}

int
replica_leaves_path(const struct replica *R, unsigned disk, char out[PATH_MAX])
{
	return (io_path(out, "%s/leaves/%s", R->dir, R->disks[disk]));
}

static int
volume_path(const struct replica *R, const char *folder, const uint8_t id[RECORD_ID], uint32_t volume,
    const char *suffix, char out[PATH_MAX])
{
	char hex[2 * RECORD_ID + 1];

	sodium_bin2hex(hex, sizeof hex, id, RECORD_ID);
	return (io_path(out, "%s/%s/%s.%" PRIu32 ".%s", R->dir, folder, hex, volume, suffix));
}

int
replica_inbox_path(const struct replica *R, const uint8_t id[RECORD_ID], uint32_t volume, char out[PATH_MAX])
{
	return (volume_path(R, "inbox", id, volume, "vmf", out));
}

int
replica_part_path(const struct replica *R, const uint8_t id[RECORD_ID], uint32_t volume, char out[PATH_MAX])
{
	return (volume_path(R, "inbox", id, volume, "vmf.part", out));
}

int
replica_outbox_path(const struct replica *R, const uint8_t id[RECORD_ID], uint32_t volume, char out[PATH_MAX])
{
	return (volume_path(R, "outbox", id, volume, "vmf", out));
}

int
replica_undo_path(const struct replica *R, const struct point *to, char out[PATH_MAX])
{
	return (io_path(out, "%s/undo/%" PRIu64 "-%" PRIu64 ".vmf", R->dir, to->epoch, to->seq));
}
