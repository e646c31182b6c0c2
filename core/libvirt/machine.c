#include "libvirt/machine.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/say.h"
#include "hyper/answer.h"
#include "jsontext.h"
#include "libvirt/connect.h"
#include "libvirt/domstate.h"
#include "libvirt/xml.h"
#include "name.h"

/* --- where a disk is --------------------------------------------------------------------------------- */

/* As host.h has it; where is filled, or why. */
static void
set_why(struct host_machine_disk *d, const char *why)
{
	(void)snprintf(d->why, sizeof d->why, "%s", why);
}

/* FORMAT:PATH, or the path alone for raw. */
static void
set_path(struct host_machine_disk *d, const char *path, const char *format)
{
	int n = strcmp(format, "raw") == 0 ? snprintf(d->where, sizeof d->where, "%s", path)
	                                   : snprintf(d->where, sizeof d->where, "%s:%s", format, path);

	if (path[0] != '/' || n < 0 || (size_t)n >= sizeof d->where)
		set_why(d, "has no absolute path");
}

static void
set_volume(virConnectPtr C, struct host_machine_disk *d, xmlNodePtr source, const char *format)
{
	char pool[LIMIT_NAME + 1], volume[PATH_MAX];
	virStoragePoolPtr P = NULL;
	virStorageVolPtr V = NULL;
	char *path = NULL;

	if (xml_attr(source, "pool", pool, sizeof pool) &&
	    xml_attr(source, "volume", volume, sizeof volume) &&
	    (P = virStoragePoolLookupByName(C, pool)) != NULL &&
	    (V = virStorageVolLookupByName(P, volume)) != NULL)
		path = virStorageVolGetPath(V);
	if (path != NULL && path[0] == '/')
		set_path(d, path, format);
	else
		(void)snprintf(d->why, sizeof d->why,
		    "is a volume whose storage pool does not say where it is: %.120s", connect_words());
	free(path);
	if (V != NULL)
		virStorageVolFree(V);
	if (P != NULL)
		virStoragePoolFree(P);
}

static void
set_nbd(struct host_machine_disk *d, xmlNodePtr source, const char *format)
{
	xmlNodePtr host = xml_child(source, "host");
	char name[256] = "", at[256] = "", port[16] = "", path[1024] = "";
	int n;

	(void)xml_attr(source, "name", name, sizeof name);
	(void)xml_attr(host, "name", at, sizeof at);
	(void)xml_attr(host, "socket", path, sizeof path);
	if (!xml_attr(host, "port", port, sizeof port))
		(void)snprintf(port, sizeof port, "10809");
	if (strcmp(format, "raw") != 0 || xml_has(source, "tls", "yes") || strpbrk(name, "?#% ") != NULL ||
	    strpbrk(path, "?#%& ") != NULL || (at[0] == '\0' && path[0] == '\0')) {
		set_why(
		    d, "is on an NBD server in a way that has no URI for it (TLS, a format other than raw)");
		return;
	}
	if (path[0] != '\0')
		n = snprintf(d->where, sizeof d->where, "nbd+unix:///%s?socket=%s", name, path);
	else if (strchr(at, ':') != NULL)
		n = snprintf(d->where, sizeof d->where, "nbd://[%s]:%s/%s", at, port, name);
	else
		n = snprintf(d->where, sizeof d->where, "nbd://%s:%s/%s", at, port, name);
	if (n < 0 || (size_t)n >= sizeof d->where)
		set_why(d, "has too long a URI");
}

static void
set_network(struct host_machine_disk *d, xmlNodePtr source, const char *format)
{
	char protocol[32];

	if (xml_has(source, "protocol", "nbd")) {
		set_nbd(d, source, format);
		return;
	}
	(void)xml_attr(source, "protocol", protocol, sizeof protocol);
	(void)snprintf(d->why, sizeof d->why,
	    "lies on %s, which is not read directly: map it to a block device of this host "
	    "and have the VM use that, or name an NBD URI of it with --disk",
	    protocol[0] != '\0' ? protocol : "a network");
}

/* --- what kind of disk ------------------------------------------------------------------------------- */

static int
is_removable(xmlNodePtr disk)
{
	return (xml_has(disk, "device", "cdrom") || xml_has(disk, "device", "floppy"));
}

/* Why this disk is none that can be replicated, wherever it is; or NULL. */
static const char *
unfit(xmlNodePtr disk, xmlNodePtr source)
{
	if (is_removable(disk))
		return ("is removable");
	if (xml_has(disk, "device", "lun"))
		return ("is passed through to its guest as a SCSI device: the guest could change it unseen");
	if (xml_child(disk, "shareable") != NULL)
		return ("is shared with other VMs");
	if (xml_child(disk, "transient") != NULL)
		return ("is transient: what is written to it is thrown away when the VM stops");
	if (xml_child(disk, "readonly") != NULL)
		return ("is read-only");
	if (source == NULL)
		return ("has no content");
	if (xml_child(source, "encryption") != NULL || xml_child(disk, "encryption") != NULL)
		return ("is encrypted by QEMU: it would be read in clear or not, as the VM runs or not");
	if (xml_child(source, "slices") != NULL)
		return ("is a slice of a file");
	return (NULL);
}

static void
set_where(virConnectPtr C, struct host_machine_disk *d, xmlNodePtr disk, xmlNodePtr source)
{
	char path[PATH_MAX], format[32];

	/* What it does not name is raw: libvirt never guesses from content either. */
	if (!xml_attr(xml_child(disk, "driver"), "type", format, sizeof format))
		(void)snprintf(format, sizeof format, "raw");
	if ((xml_has(disk, "type", "file") && xml_attr(source, "file", path, sizeof path)) ||
	    (xml_has(disk, "type", "block") && xml_attr(source, "dev", path, sizeof path)))
		set_path(d, path, format);
	else if (xml_has(disk, "type", "volume"))
		set_volume(C, d, source, format);
	else if (xml_has(disk, "type", "network"))
		set_network(d, source, format);
	else {
		(void)xml_attr(disk, "type", format, sizeof format);
		(void)snprintf(d->why, sizeof d->why, "is of type '%s', which is not read directly", format);
	}
}

/* --- does it look as if it held nothing that matters? ------------------------------------------------- */

static int
names_swap(const char *text)
{
	return (strcasestr(text, "swap") != NULL || strcasestr(text, "pagefile") != NULL);
}

/* By the names that people give: not by folders, which say more of the host than of the disk. */
static int
looks_like_swap(const struct host_machine_disk *d, xmlNodePtr disk, xmlNodePtr source)
{
	const char *base = strrchr(d->where, '/');
	char text[256];

	return (names_swap(base != NULL ? base : d->where) ||
	        (xml_text(xml_child(disk, "serial"), text, sizeof text) && names_swap(text)) ||
	        (xml_attr(xml_child(disk, "alias"), "name", text, sizeof text) && names_swap(text)) ||
	        (xml_attr(source, "volume", text, sizeof text) && names_swap(text)));
}

/* --- the answer -------------------------------------------------------------------------------------- */

static uint64_t
size_of(virDomainPtr D, const char *target)
{
	virDomainBlockInfo info;

	if (virDomainGetBlockInfo(D, target, &info, 0) == 0 && info.capacity <= LIMIT_DISK_SIZE)
		return (info.capacity);
	say_note("%s: its size is not known to libvirt: %s", target, connect_words());
	return (0);
}

static json_t *
encode_disk(const struct host_machine_disk *d)
{
	json_t *o = json_pack("{s:s}", "id", d->id);
	int bad = 0;

	if (d->why[0] != '\0')
		bad |= json_object_set_new(o, "why", json_string(d->why));
	else {
		bad |= json_object_set_new(o, "where", json_string(d->where));
		if (d->size != 0)
			bad |= json_object_set_new(o, "size", json_integer((json_int_t)d->size));
	}
	if (d->is_removable)
		bad |= json_object_set_new(o, "removable", json_true());
	if (d->is_swap)
		bad |= json_object_set_new(o, "swap", json_true());
	return (jsontext_whole(o, bad));
}

/* Of a disk without a target there is nothing to say; libvirt has none. */
static json_t *
describe(virConnectPtr C, virDomainPtr D, xmlNodePtr disk)
{
	xmlNodePtr source = xml_child(disk, "source");
	struct host_machine_disk d = { 0 };
	const char *why = unfit(disk, source);

	if (!xml_attr(xml_child(disk, "target"), "dev", d.id, sizeof d.id) || name_check_disk(d.id) != NULL)
		return (NULL);
	d.is_removable = is_removable(disk);
	if (why != NULL)
		set_why(&d, why);
	else
		set_where(C, &d, disk, source);
	if (d.why[0] == '\0') {
		d.size = size_of(D, d.id);
		d.is_swap = looks_like_swap(&d, disk, source);
	}
	return (encode_disk(&d));
}

static json_t *
describe_all(virConnectPtr C, virDomainPtr D, xmlNodePtr top)
{
	json_t *a = json_array();
	int bad = 0;

	for (xmlNodePtr disk = xml_child(xml_child(top, "devices"), "disk"); disk != NULL;
	     disk = xml_next(disk, "disk"))
		bad |= json_array_append_new(a, describe(C, D, disk));
	return (jsontext_whole(a, bad));
}

/* Whether it runs is said here, so that it need not be asked; how one came to be off takes a look at more. */
static int
add_state(json_t *o, virDomainPtr D)
{
	enum host_run run;

	if (domstate_get(D, &run) != 0)
		return (-1);
	return (run == HOST_OFF ? 0 : json_object_set_new(o, "state", json_string(host_run_name(run))));
}

static int
print(virConnectPtr C, virDomainPtr D, const struct question *Q, xmlNodePtr top, const char *text)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	json_t *disks = describe_all(C, D, top);
	json_t *o =
	    json_pack("{s:s,s:o*}", "uuid", virDomainGetUUIDString(D, uuid) == 0 ? uuid : "", "disks", disks);

	if (o == NULL || disks == NULL || json_object_set_new(o, "definition", json_string(text)) != 0 ||
	    add_state(o, D) != 0 || json_array_size(disks) > HOST_DISKS) {
		json_decref(o);
		return (say_failed("%s: its definition has too many disks, or is no UTF-8", Q->name));
	}
	return (answer_object(o));
}

int
machine_answer(virConnectPtr C, const struct question *Q)
{
	xmlNodePtr top = NULL;
	char *text = NULL;
	virDomainPtr D;
	int rc = connect_need(C, Q->name, &D);

	if (rc != 0)
		return (rc);
	/* As it will be at its next start, and without the secrets that libvirt keeps of it. */
	if (virDomainIsPersistent(D) == 0)
		rc = say_refused("%s: is transient, and libvirt forgets it as it stops: define it "
		                 "(virsh dumpxml --inactive, virsh define)",
		    Q->name);
	else if ((text = virDomainGetXMLDesc(D, VIR_DOMAIN_XML_INACTIVE)) == NULL)
		rc = say_failed("%s: libvirt does not give its definition: %s", Q->name, connect_words());
	else if ((top = xml_parse(text, "domain")) == NULL)
		rc =
		    say_refused("%s: its definition is no XML of at most %u bytes", Q->name, HOST_DEFINITION);
	else
		rc = print(C, D, Q, top, text);
	xml_free(top);
	free(text);
	connect_free(D);
	return (rc);
}
