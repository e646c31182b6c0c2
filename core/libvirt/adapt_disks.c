#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "libvirt/adapt.h"

/* --- where it is ------------------------------------------------------------------------------------- */

/* An excluded disk that nobody has made: an empty file of its size.  0; -1, said. */
static int
make_empty(const struct question *Q, const struct question_disk *d, char path[PATH_MAX])
{
	const char *home = getenv("VMFERRY_HOME");
	char dir[PATH_MAX];
	int fd, rc;

	if (home == NULL || home[0] != '/')
		return (say_failed("%s: disk %s: there is no VMFERRY_HOME to make it in", Q->name, d->id));
	if (io_path(dir, "%s/excluded/%s", home, Q->name) != 0 ||
	    io_path(path, "%s/%s.raw", dir, d->id) != 0 || io_mkdir_all(dir, 0700) != 0 ||
	    (rc = io_exists(path)) < 0)
		return (-1);
	if (rc == 1)
		return (0);
	if ((fd = io_create(path)) < 0)
		return (-1);
	rc = io_resize(fd, path, d->size) != 0 || io_sync(fd, path) != 0 ? -1 : io_sync_dir(dir);
	io_close(fd);
	return (rc);
}

/* "nbd://HOST[:PORT]/NAME" or "nbd+unix:///NAME?socket=PATH", as libvirt has it.  0; 1, said. */
static int
set_nbd(xmlNodePtr source, const struct question *Q, const struct question_disk *d)
{
	char text[PATH_MAX], *name = NULL, *socket, *port;
	xmlNodePtr host = xml_add(source, "host", NULL);

	(void)xml_set(source, "protocol", "nbd");
	strcpy(text, d->uri);
	if (strncmp(text, "nbd+unix:///", 12) == 0 && (socket = strstr(text, "?socket=")) != NULL) {
		name = text + 12;
		*socket = '\0';
		(void)xml_set(host, "transport", "unix");
		(void)xml_set(host, "socket", socket + 8);
	} else if (strncmp(text, "nbd://", 6) == 0 && text[6] != '[' && text[6] != '\0') {
		if ((name = strchr(text + 6, '/')) != NULL)
			*name++ = '\0';
		if ((port = strchr(text + 6, ':')) != NULL)
			*port++ = '\0';
		(void)xml_set(host, "name", text + 6);
		(void)xml_set(host, "port", port != NULL ? port : "10809");
	} else
		return (say_refused(
		    "%s: disk %s: %s: is no NBD URI that libvirt has a form for", Q->name, d->id, d->uri));
	if (name != NULL && name[0] != '\0')
		(void)xml_set(source, "name", name);
	return (0);
}

/* A device, through whatever links lead to it, or a file, which need not be there yet.  0; -1, said. */
static int
set_path(xmlNodePtr disk, xmlNodePtr source, const struct question *Q, const struct question_disk *d)
{
	char path[PATH_MAX], real[PATH_MAX];
	int is_device = 0, rc;

	strcpy(path, d->path);
	if (path[0] == '\0' && make_empty(Q, d, path) != 0)
		return (-1);
	if ((rc = io_exists(path)) < 0 || (rc == 1 && io_absolute(path, real) != 0))
		return (-1);
	if (rc == 1)
		is_device = io_kind(real) == IO_DEVICE;
	(void)xml_set(disk, "type", is_device ? "block" : "file");
	return (xml_set(source, is_device ? "dev" : "file", path));
}

int
adapt_disks_point(xmlNodePtr disk, const struct question *Q, const struct question_disk *d)
{
	static const char *const stale[] = { "source", "backingStore", "mirror", "auth", "encryption",
		"readonly", "transient", "shareable" };
	xmlNodePtr old, source, driver = xml_child(disk, "driver");

	for (unsigned i = 0; i < sizeof stale / sizeof stale[0]; i++)
		if ((old = xml_child(disk, stale[i])) != NULL)
			xml_remove(old);
	if (driver == NULL)
		driver = xml_add(disk, "driver", NULL);
	(void)xml_set(driver, "name", "qemu");
	if (xml_set(driver, "type", host_format_name(d->format)) != 0 ||
	    (source = xml_add(disk, "source", NULL)) == NULL)
		return (say_failed("%s: there is no memory for its definition", Q->name));
	if (d->uri[0] == '\0')
		return (set_path(disk, source, Q, d));
	(void)xml_set(disk, "type", "network");
	return (set_nbd(source, Q, d));
}

/* --- what it is -------------------------------------------------------------------------------------- */

xmlNodePtr
adapt_disks_find(xmlNodePtr devices, const char *target)
{
	xmlNodePtr d = xml_child(devices, "disk");

	while (d != NULL && !xml_has(xml_child(d, "target"), "dev", target))
		d = xml_next(d, "disk");
	return (d);
}

/* The name of the target: the id where that is one, else the next that is free. */
static void
name_target(const struct adapt *A, const char *id, char out[LIMIT_DISK_ID + 1])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	size_t n = strlen(id);

	strcpy(out, id);
	if (n >= 3 && n <= 5 && id[1] == 'd' && strchr("vsh", id[0]) != NULL &&
	    strspn(id + 2, letters) == n - 2)
		return;
	for (const char *l = letters; *l != '\0'; l++) {
		(void)snprintf(out, LIMIT_DISK_ID + 1, "vd%c", *l);
		if (adapt_disks_find(xml_child(A->source, "devices"), out) == NULL &&
		    adapt_disks_find(A->devices, out) == NULL)
			break;
	}
	say_note("%s: disk %s is %s here", A->Q->name, id, out);
}

static const char *
bus_of(const char *target)
{
	return (target[0] == 's' ? "sata" : target[0] == 'h' ? "ide" : "virtio");
}

int
adapt_disks_add_one(struct adapt *A, const struct question_disk *d)
{
	xmlNodePtr from = adapt_disks_find(xml_child(A->source, "devices"), d->id), disk, driver, target;
	char name[LIMIT_DISK_ID + 1], bus[32];

	if (from != NULL && (xml_has(from, "device", "cdrom") || xml_has(from, "device", "floppy")))
		from = NULL;
	if ((disk = xml_add(A->devices, "disk", NULL)) == NULL)
		return (say_failed("%s: there is no memory for its definition", A->Q->name));
	(void)xml_set(disk, "device", "disk");
	driver = xml_add(disk, "driver", NULL);
	target = xml_add(disk, "target", NULL);
	if (from != NULL) {
		strcpy(name, d->id);
		allowed_copy(disk, from, "devices/disk", &A->dropped);
		if (xml_child(from, "driver") != NULL)
			allowed_copy(driver, xml_child(from, "driver"), "devices/disk/driver", &A->dropped);
		allowed_copy(target, xml_child(from, "target"), "devices/disk/target", &A->dropped);
	} else
		name_target(A, d->id, name);
	(void)xml_set(target, "dev", name);
	if (!xml_attr(target, "bus", bus, sizeof bus))
		(void)xml_set(target, "bus", bus_of(name));
	return (adapt_disks_point(disk, A->Q, d));
}

/* --- drives that are empty --------------------------------------------------------------------------- */

static int
is_asked_for(const struct question *Q, xmlNodePtr disk)
{
	for (unsigned i = 0; i < Q->ndisks; i++)
		if (xml_has(xml_child(disk, "target"), "dev", Q->disks[i].id))
			return (1);
	return (0);
}

static void
add_drive(struct adapt *A, xmlNodePtr from)
{
	xmlNodePtr drive = xml_add(A->devices, "disk", NULL), driver, target;
	char dev[16];

	(void)xml_set(drive, "type", "file");
	(void)xml_set(drive, "device", xml_has(from, "device", "cdrom") ? "cdrom" : "floppy");
	allowed_copy(drive, from, "devices/disk", &A->dropped);
	driver = xml_add(drive, "driver", NULL);
	(void)xml_set(driver, "name", "qemu");
	(void)xml_set(driver, "type", "raw");
	target = xml_add(drive, "target", NULL);
	allowed_copy(target, xml_child(from, "target"), "devices/disk/target", &A->dropped);
	(void)xml_attr(xml_child(from, "target"), "dev", dev, sizeof dev);
	(void)xml_set(target, "dev", dev);
	(void)xml_add(drive, "readonly", NULL);
}

int
adapt_disks_add(struct adapt *A)
{
	char what[80], dev[LIMIT_DISK_ID + 1];
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < A->Q->ndisks; i++)
		rc = adapt_disks_add_one(A, &A->Q->disks[i]);
	for (xmlNodePtr d = xml_child(xml_child(A->source, "devices"), "disk"); d != NULL;
	     d = xml_next(d, "disk")) {
		if (is_asked_for(A->Q, d) || !xml_attr(xml_child(d, "target"), "dev", dev, sizeof dev))
			continue;
		if ((xml_has(d, "device", "cdrom") || xml_has(d, "device", "floppy")) && strlen(dev) < 16 &&
		    strspn(dev, "abcdefghijklmnopqrstuvwxyz") == strlen(dev))
			add_drive(A, d);
		else if (snprintf(what, sizeof what, "disk %s", dev) > 0)
			allowed_drop(&A->dropped, what);
	}
	return (rc);
}
