#include "libvirt/checkpoint.h"

#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/program.h"
#include "base/say.h"
#include "libvirt/connect.h"

/* --- made known again --------------------------------------------------------------------------------------- */

static int
may_have_bitmap(const struct live_disk *d)
{
	return (strcmp(d->format, "qcow2") == 0 && d->path[0] != '\0');
}

/**
 * Have libvirt take checkpoint `name` as one of the disk `only`, or of all that can have a bitmap if that is NULL.  Our
 * names of checkpoints and the ids of disks need no escapes in XML.
 */
static virDomainCheckpointPtr
redefine(virDomainPtr D, const struct live *L, const char *name, const struct live_disk *only)
{
	virDomainCheckpointPtr c = NULL;
	char *text = NULL;
	size_t size, n = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return (NULL);
	fprintf(f, "<domaincheckpoint><name>%s</name><creationTime>1</creationTime><disks>", name);
	for (unsigned i = 0; i < L->ndisks; i++)
		if ((only == NULL || only == &L->disks[i]) && may_have_bitmap(&L->disks[i])) {
			fprintf(f, "<disk name='%s' checkpoint='bitmap' bitmap='%s'/>", L->disks[i].id, name);
			n++;
		} else
			fprintf(f, "<disk name='%s' checkpoint='no'/>", L->disks[i].id);
	fprintf(f, "</disks></domaincheckpoint>");
	if (fclose(f) == 0 && n > 0)
		c = virDomainCheckpointCreateXML(D, text, VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE);
	free(text);
	return (c);
}

/* --- what it is good for ------------------------------------------------------------------------------------- */

/* libvirt gives a size for those bitmaps that it would use, and for no other. */
static int
has_size(xmlXPathContextPtr X, const char *id)
{
	char path[LIMIT_DISK_ID + 96];
	xmlXPathObjectPtr o;
	int is;

	snprintf(
	    path, sizeof path, "/domaincheckpoint/disks/disk[@name='%s' and @checkpoint='bitmap']/@size", id);
	o = xmlXPathEvalExpression(BAD_CAST path, X);
	is = o != NULL && o->nodesetval != NULL && o->nodesetval->nodeNr > 0;
	xmlXPathFreeObject(o);
	return (is);
}

static void
read_sizes(virDomainCheckpointPtr c, const struct live *L, unsigned char *is_whole)
{
	char *text = virDomainCheckpointGetXMLDesc(
	    c, VIR_DOMAIN_CHECKPOINT_XML_SIZE | VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN);
	xmlDocPtr doc = text == NULL ? NULL
	                             : xmlReadMemory(text, (int)strlen(text), "checkpoint.xml", NULL,
	                                   XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlXPathContextPtr X = doc == NULL ? NULL : xmlXPathNewContext(doc);

	for (unsigned i = 0; X != NULL && i < L->ndisks; i++)
		is_whole[i] = (unsigned char)has_size(X, L->disks[i].id);
	xmlXPathFreeContext(X);
	xmlFreeDoc(doc);
	free(text);
}

/* 0, *c being the caller's or NULL; -1, said. */
static int
find(virDomainPtr D, const char *name, virDomainCheckpointPtr *c)
{
	if ((*c = virDomainCheckpointLookupByName(D, name, 0)) != NULL ||
	    connect_was(VIR_ERR_NO_DOMAIN_CHECKPOINT))
		return (0);
	return (say_failed(
	    "%s: its checkpoint %s cannot be looked up: %s", virDomainGetName(D), name, connect_words()));
}

int
checkpoint_usable(virDomainPtr D, const struct live *L, const char *name, unsigned char *is_whole)
{
	virDomainCheckpointPtr c;
	int was_known;

	memset(is_whole, 0, L->ndisks);
	if (find(D, name, &c) != 0)
		return (-1);
	was_known = c != NULL;
	if (c == NULL && (c = redefine(D, L, name, NULL)) == NULL)
		return (0);
	read_sizes(c, L, is_whole);
	if (!was_known && memchr(is_whole, 1, L->ndisks) == NULL)
		virDomainCheckpointDelete(c, VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY);
	virDomainCheckpointFree(c);
	return (0);
}

/* --- its end -------------------------------------------------------------------------------------------------- */

/* What libvirt says where a bitmap is not as it should be, other than that it cannot be reached, or is busy. */
static int
is_about_bitmaps(void)
{
	return (connect_was(VIR_ERR_INTERNAL_ERROR) || connect_was(VIR_ERR_CHECKPOINT_INCONSISTENT));
}

/**
 * libvirt removes all bitmaps of a checkpoint or none.  So where one is missing, it is told of a checkpoint of one disk
 * after the other.
 */
static int
remove_each(virDomainPtr D, const struct live *L, const char *name, virDomainCheckpointPtr c)
{
	if (virDomainCheckpointDelete(c, VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY) != 0)
		return (-1);
	for (unsigned i = 0; i < L->ndisks; i++) {
		virDomainCheckpointPtr one =
		    may_have_bitmap(&L->disks[i]) ? redefine(D, L, name, &L->disks[i]) : NULL;

		if (one == NULL)
			continue;
		if (virDomainCheckpointDelete(one, 0) != 0)
			virDomainCheckpointDelete(one, VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY);
		virDomainCheckpointFree(one);
	}
	return (0);
}

/* libvirt cannot where the VM is off; qemu-img holds the image's lock meanwhile.  A bitmap may not be there. */
static int
remove_offline(const struct live *L, const char *name, virDomainCheckpointPtr c)
{
	for (unsigned i = 0; i < L->ndisks; i++) {
		const char *argv[] = { "qemu-img", "bitmap", "--remove", "-f", "qcow2", L->disks[i].path,
			name, NULL };
		struct program P = { .argv = argv, .package = "qemu-utils", .seconds = 60 };
		struct program_result R = { 0 };

		if (!may_have_bitmap(&L->disks[i]))
			continue;
		if (program_run(&P, &R) != 0)
			return (-1);
		program_release(&R);
	}
	return (virDomainCheckpointDelete(c, VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY));
}

static int
remove_one(virDomainPtr D, const struct live *L, const char *name, virDomainCheckpointPtr c)
{
	if (virDomainIsActive(D) == 0) {
		if (remove_offline(L, name, c) == 0)
			return (0);
	} else if (virDomainCheckpointDelete(c, 0) == 0 ||
	           (is_about_bitmaps() && remove_each(D, L, name, c) == 0))
		return (0);
	return (say_failed(
	    "%s: its checkpoint %s cannot be removed: %s", virDomainGetName(D), name, connect_words()));
}

int
checkpoint_remove(virDomainPtr D, const struct live *L, const char *name)
{
	virDomainCheckpointPtr c;
	int rc;

	if (name[0] == '\0')
		return (0);
	if (find(D, name, &c) != 0)
		return (-1);
	if (c == NULL)
		return (0);
	rc = remove_one(D, L, name, c);
	virDomainCheckpointFree(c);
	return (rc);
}

int
checkpoint_tidy(
    virDomainPtr D, const struct live *L, const char *prefix, const char *keep1, const char *keep2)
{
	virDomainCheckpointPtr *all = NULL;
	int n, rc = 0;

	if (prefix[0] == '\0')
		return (0);
	if ((n = virDomainListAllCheckpoints(D, &all, 0)) < 0)
		return (say_failed(
		    "%s: its checkpoints cannot be listed: %s", virDomainGetName(D), connect_words()));
	for (int i = 0; i < n; i++) {
		const char *name = virDomainCheckpointGetName(all[i]);

		if (strncmp(name, prefix, strlen(prefix)) == 0 && strcmp(name, keep1) != 0 &&
		    strcmp(name, keep2) != 0 && remove_one(D, L, name, all[i]) != 0)
			rc = -1;
		virDomainCheckpointFree(all[i]);
	}
	free(all);
	return (rc);
}
