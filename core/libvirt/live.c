#include "libvirt/live.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/say.h"
#include "libvirt/connect.h"

/* The text that an XPath comes to, seen from node: 0; -1 if it would not fit. */
static int
get(xmlXPathContextPtr X, xmlNodePtr node, const char *path, char *out, size_t size)
{
	xmlXPathObjectPtr o;
	xmlChar *text;
	int n = -1;

	X->node = node;
	if ((o = xmlXPathEvalExpression(BAD_CAST path, X)) == NULL)
		return (-1);
	text = xmlXPathCastToString(o);
	if (text != NULL)
		n = snprintf(out, size, "%s", (const char *)text);
	xmlFree(text);
	xmlXPathFreeObject(o);
	return (n >= 0 && (size_t)n < size ? 0 : -1);
}

static int
read_disk(xmlXPathContextPtr X, xmlNodePtr node, struct live_disk *d)
{
	char type[16];

	if (get(X, node, "string(@type)", type, sizeof type) != 0 ||
	    get(X, node, "string(target/@dev)", d->id, sizeof d->id) != 0 ||
	    get(X, node, "string(driver/@type)", d->format, sizeof d->format) != 0 ||
	    get(X, node, "string(source/@file | source/@dev)", d->path, sizeof d->path) != 0)
		return (-1);
	d->is_file = strcmp(type, "file") == 0;
	if (!d->is_file && strcmp(type, "block") != 0)
		d->path[0] = '\0';
	return (0);
}

static int
read_disks(xmlXPathContextPtr X, struct live *L)
{
	xmlXPathObjectPtr o = xmlXPathEvalExpression(BAD_CAST "/domain/devices/disk", X);
	xmlNodeSetPtr set = o == NULL ? NULL : o->nodesetval;
	int rc = o == NULL ? -1 : 0;

	for (int i = 0; set != NULL && i < set->nodeNr && rc == 0; i++)
		if (L->ndisks == HOST_DISKS || read_disk(X, set->nodeTab[i], &L->disks[L->ndisks++]) != 0)
			rc = -1;
	xmlXPathFreeObject(o);
	return (rc);
}

/* Whom its QEMU runs as is in a label "+64055:+64055", where libvirt tells. */
static void
read_owner(xmlXPathContextPtr X, struct live *L)
{
	char label[64];
	unsigned uid, gid;

	L->uid = geteuid();
	L->gid = getegid();
	if (get(X, NULL, "string(/domain/seclabel[@model='dac']/label)", label, sizeof label) == 0 &&
	    sscanf(label, "+%u:+%u", &uid, &gid) == 2) {
		L->uid = uid;
		L->gid = gid;
	}
}

static void
read_agent(xmlXPathContextPtr X, struct live *L)
{
	char name[64], state[32];

	if (get(X, NULL, "string(/domain/devices/channel/target[@name='org.qemu.guest_agent.0']/@name)", name,
	        sizeof name) != 0 ||
	    name[0] == '\0')
		L->agent = LIVE_NO_AGENT;
	else if (get(X, NULL, "string(/domain/devices/channel/target[@name='org.qemu.guest_agent.0']/@state)",
	             state, sizeof state) == 0 &&
	         strcmp(state, "connected") == 0)
		L->agent = LIVE_AGENT;
	else
		L->agent = LIVE_SILENT_AGENT;
}

static void
read_iothreads(xmlXPathContextPtr X, struct live *L)
{
	char thread[32];

	L->has_iothreads =
	    get(X, NULL, "string(/domain/devices/*/driver/@iothread)", thread, sizeof thread) != 0 ||
	    thread[0] != '\0';
}

static int
parse(struct live *L, const char *text)
{
	xmlDocPtr doc = xmlReadMemory(text, (int)strlen(text), "domain.xml", NULL,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlXPathContextPtr X = doc == NULL ? NULL : xmlXPathNewContext(doc);
	int rc = -1;

	if (X != NULL && read_disks(X, L) == 0) {
		read_owner(X, L);
		read_iothreads(X, L);
		read_agent(X, L);
		rc = 0;
	}
	xmlXPathFreeContext(X);
	xmlFreeDoc(doc);
	return (rc);
}

static int
read_domain(struct live **out, virDomainPtr D, unsigned flags)
{
	struct live *L = calloc(1, sizeof *L);
	char *text = virDomainGetXMLDesc(D, flags);
	int rc = -1;

	*out = NULL;
	if (L == NULL)
		say_failure("out of memory");
	else if (text == NULL)
		say_failure(
		    "%s: libvirt does not tell what it is like: %s", virDomainGetName(D), connect_words());
	else if (parse(L, text) != 0)
		say_failure("%s: what libvirt tells of its disks cannot be understood", virDomainGetName(D));
	else
		rc = 0;
	free(text);
	if (rc == 0)
		*out = L;
	else
		live_free(L);
	return (rc);
}

int
live_read(struct live **L, virDomainPtr D)
{
	return (read_domain(L, D, 0));
}

void
live_free(struct live *L)
{
	free(L);
}

const struct live_disk *
live_disk(const struct live *L, const char *id)
{
	for (unsigned i = 0; i < L->ndisks; i++)
		if (strcmp(L->disks[i].id, id) == 0)
			return (&L->disks[i]);
	return (NULL);
}
