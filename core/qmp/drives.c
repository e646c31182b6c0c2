#include "qmp/drives.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "name.h"

#define PERIPHERAL "/machine/peripheral/"

/* What QEMU says. */
struct source {
	struct monitor *M;
	json_t *blocks, *nodes;
	pid_t pid; /* its own */
};

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return (s == NULL ? "" : s);
}

static void
refuse(struct drive *d, const char *why)
{
	if (d->why[0] == '\0')
		snprintf(d->why, sizeof d->why, "%s", why);
}

/* --- what it is called -------------------------------------------------------------------------------------- */

/*
 * qdev is the id of the -device, or a path to a part of it: "/machine/peripheral/ID/virtio-backend".  A device without
 * an id has a number there that changes with the order of options, and a node without a name a random one.
 */
static void
name_it(struct drive *d, const json_t *block)
{
	const char *qdev = text_of(block, "qdev"), *drive = text_of(block, "device"), *name = d->node;
	size_t n;

	if (strncmp(qdev, PERIPHERAL, strlen(PERIPHERAL)) == 0)
		name = qdev + strlen(PERIPHERAL);
	else if (qdev[0] != '\0' && qdev[0] != '/')
		name = qdev;
	else if (drive[0] != '\0')
		name = drive;
	n = strcspn(name, "/");
	if (n >= sizeof d->id) {
		refuse(d, "has a name that is too long: give its -device a shorter id");
		n = sizeof d->id - 1;
	}
	memcpy(d->id, name, n);
	d->id[n] = '\0';
}

static void
check_name(struct drives *D, struct drive *d)
{
	static unsigned number;

	if (d->id[0] == '#')
		refuse(d, "has no name that stays: give its -device an id");
	else if (name_check_disk(d->id) != NULL)
		refuse(d, "has a name that is none for a disk: give its -device an id of letters and digits");
	for (const struct drive *e = D->drive; e < d; e++)
		if (strcmp(e->id, d->id) == 0)
			refuse(d, "has the name of another disk");
	/* One that is refused is still to be called something. */
	if (d->why[0] != '\0' && name_check_disk(d->id) != NULL)
		snprintf(d->id, sizeof d->id, "disk-%u", number++);
}

/* --- where it is -------------------------------------------------------------------------------------------- */

/* A relative path is QEMU's own. */
static void
find_path(struct drive *d, const char *name, pid_t pid)
{
	char folder[64], cwd[PATH_MAX];

	if (name[0] == '/') {
		if (strlen(name) < sizeof d->path)
			strcpy(d->path, name);
		return;
	}
	snprintf(folder, sizeof folder, "/proc/%ld/cwd", (long)pid);
	if (pid > 0 && io_is_link(folder) && io_read_link(folder, cwd) == 0 &&
	    io_path(d->path, "%s/%s", cwd, name) != 0)
		d->path[0] = '\0';
	if (d->path[0] != '\0' && io_exists(d->path) != 1)
		d->path[0] = '\0';
}

static void
find_where(struct drive *d, const json_t *inserted, pid_t pid)
{
	const char *name = text_of(json_object_get(inserted, "image"), "filename");
	const char *format = text_of(inserted, "drv");
	const char *prefix = "file:";
	int is_raw;

	if (strncmp(name, "nbd://", 6) == 0 || strncmp(name, "nbd+unix://", 11) == 0) {
		if (strcmp(format, "raw") != 0)
			refuse(d, "is an image in a format of its own on an NBD server");
		if (io_path(d->where, "%s", name) != 0)
			refuse(d, "has an address that is too long");
		return;
	}
	if (strncmp(name, prefix, strlen(prefix)) == 0)
		name += strlen(prefix);
	if (strncmp(name, "json:", 5) != 0 && strstr(name, "://") == NULL)
		find_path(d, name, pid);
	if (d->path[0] == '\0') {
		refuse(d, "is neither a file nor a device of this machine, nor on an NBD server");
		return;
	}
	is_raw =
	    strcmp(format, "raw") == 0 || strcmp(format, "host_device") == 0 || strcmp(format, "file") == 0;
	if (io_path(d->where, "%s%s%s", is_raw ? "" : format, is_raw ? "" : ":", d->path) != 0)
		refuse(d, "has a path that is too long");
}

/* --- what it can -------------------------------------------------------------------------------------------- */

/* A qcow2 image of the first version has no place for bitmaps. */
static int
keeps_bitmaps(const json_t *inserted)
{
	const json_t *special = json_object_get(json_object_get(inserted, "image"), "format-specific");

	return (strcmp(text_of(inserted, "drv"), "qcow2") == 0 &&
	        strcmp(text_of(json_object_get(special, "data"), "compat"), "0.10") != 0);
}

/* Other VMs may write to it at the same time: what we are told of changes is not all. */
static int
is_shared(struct monitor *M, const char *qdev)
{
	json_t *J = NULL;
	char path[512];
	char *end;
	int is;

	snprintf(path, sizeof path, "%s", qdev);
	if ((end = strstr(path, "/virtio-backend")) != NULL)
		*end = '\0';
	if (path[0] == '\0' ||
	    monitor_ask(M, "qom-get", json_pack("{s:s,s:s}", "path", path, "property", "share-rw"), &J) != 0)
		return (0);
	is = json_is_true(J);
	json_decref(J);
	return (is);
}

/*
 * While a view stands, a filter of QEMU's is between the device and its disk.  That has the same file as the disk has, and
 * so has the file itself.  NULL if there is none, or more than one.
 */
static const json_t *
below_filter(const json_t *inserted, const json_t *nodes)
{
	static const char *const others[] = { "copy-before-write", "file", "host_device", "nbd" };
	const json_t *one, *found = NULL;
	size_t i;

	json_array_foreach (nodes, i, one) {
		int is_other = strcmp(text_of(one, "file"), text_of(inserted, "file")) != 0;

		for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
			is_other |= strcmp(text_of(one, "drv"), others[k]) == 0;
		if (!is_other && found != NULL)
			return (NULL);
		if (!is_other)
			found = one;
	}
	return (found);
}

static void
read_one(struct drives *D, const struct source *from, const json_t *block)
{
	const json_t *inserted = json_object_get(block, "inserted");
	struct drive *d = &D->drive[D->n++];
	json_int_t size;

	if (strcmp(text_of(inserted, "drv"), "copy-before-write") == 0 &&
	    (inserted = below_filter(inserted, from->nodes)) == NULL)
		refuse(d, "is being copied by another program");
	size = json_integer_value(json_object_get(json_object_get(inserted, "image"), "virtual-size"));
	snprintf(d->node, sizeof d->node, "%s", text_of(inserted, "node-name"));
	name_it(d, block);
	d->is_removable = json_is_true(json_object_get(block, "removable"));
	if (d->is_removable)
		refuse(d, "is removable");
	else if (json_is_true(json_object_get(inserted, "ro")))
		refuse(d, "is read-only");
	else if (json_is_true(json_object_get(inserted, "encrypted")))
		refuse(d, "is encrypted by QEMU: nobody else could read it");
	else if (is_shared(from->M, text_of(block, "qdev")))
		refuse(d, "is shared with other VMs (share-rw)");
	check_name(D, d);
	if (size <= 0 || (uint64_t)size > LIMIT_DISK_SIZE)
		refuse(d, "has no size that a disk may have");
	else
		d->size = (uint64_t)size;
	d->keeps_bitmaps = keeps_bitmaps(inserted);
	if (d->why[0] == '\0')
		find_where(d, inserted, from->pid);
}

static int
read_all(struct drives *D, const struct source *from)
{
	const json_t *one;
	size_t i;

	json_array_foreach (from->blocks, i, one) {
		/* A drive without a medium, or one that no device is made of. */
		if (!json_is_object(json_object_get(one, "inserted")) || text_of(one, "qdev")[0] == '\0')
			continue;
		if (D->n == HOST_DISKS)
			return (say_refused("the VM has more than %u disks", HOST_DISKS));
		read_one(D, from, one);
	}
	return (0);
}

int
drives_read(struct monitor *M, struct drives **out)
{
	struct drives *D = calloc(1, sizeof *D);
	struct source from = { .M = M };
	struct client_peer peer;
	int rc = -1;

	*out = NULL;
	if (D == NULL)
		return (say_failed("out of memory"));
	if (monitor_peer(M, &peer) == 0 && monitor_must(M, "query-block", NULL, &from.blocks) == 0 &&
	    monitor_must(M, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), &from.nodes) == 0) {
		from.pid = peer.pid;
		rc = read_all(D, &from);
	}
	json_decref(from.blocks);
	json_decref(from.nodes);
	if (rc == 0)
		*out = D;
	else
		free(D);
	return (rc);
}

const struct drive *
drives_find(const struct drives *D, const char *id, const char *where)
{
	for (unsigned i = 0; i < D->n; i++)
		if (strcmp(D->drive[i].id, id) == 0)
			return (&D->drive[i]);
	for (unsigned i = 0; i < D->n; i++)
		if (where[0] != '\0' && strcmp(D->drive[i].where, where) == 0)
			return (&D->drive[i]);
	return (NULL);
}
