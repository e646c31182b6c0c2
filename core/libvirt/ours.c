#include "libvirt/ours.h"

#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "libvirt/connect.h"

enum ours
ours_get(virDomainPtr D, char uuid[VIR_UUID_STRING_BUFLEN])
{
	char *text = virDomainGetMetadata(D, VIR_DOMAIN_METADATA_ELEMENT, OURS_URI, VIR_DOMAIN_AFFECT_CONFIG);
	xmlNodePtr top = text == NULL ? NULL : xml_parse(text, "vm");
	enum ours whose = OURS_NOT;

	uuid[0] = '\0';
	if (top != NULL) {
		(void)xml_attr(top, "uuid", uuid, VIR_UUID_STRING_BUFLEN);
		whose = xml_has(top, "definition", "lent") ? OURS_LENT : OURS_MADE;
	}
	xml_free(top);
	free(text);
	return (whose);
}

static void
remove_note(xmlNodePtr metadata)
{
	xmlNodePtr next;

	for (xmlNodePtr n = xml_child(metadata, NULL); n != NULL; n = next) {
		next = xml_next(n, NULL);
		if (n->ns != NULL && strcmp((const char *)n->ns->href, OURS_URI) == 0)
			xml_remove(n);
	}
}

/* 0; -1: no memory. */
static int
fill(xmlNodePtr vm, const struct question *Q, enum ours whose)
{
	const char *home = getenv("VMFERRY_HOME");

	return (xml_set(vm, "uuid", Q->uuid) | xml_set(vm, "name", Q->vm[0] != '\0' ? Q->vm : Q->name) |
	        xml_set(vm, "purpose", host_purpose_name(Q->purpose)) |
	        xml_set(vm, "start", Q->may_start ? "yes" : "no") |
	        xml_set(vm, "definition", whose == OURS_LENT ? "lent" : "made") |
	        xml_set(vm, "home", home != NULL ? home : ""));
}

int
ours_set(xmlNodePtr domain, const struct question *Q, enum ours whose)
{
	xmlNodePtr metadata = xml_child(domain, "metadata"), vm;
	xmlNsPtr ns;

	if (metadata == NULL)
		metadata = xml_add(domain, "metadata", NULL);
	remove_note(metadata);
	if ((vm = xml_add(metadata, "vm", NULL)) == NULL ||
	    (ns = xmlNewNs(vm, (const xmlChar *)OURS_URI, (const xmlChar *)OURS_PREFIX)) == NULL)
		return (-1);
	xmlSetNs(vm, ns);
	return (fill(vm, Q, whose));
}

int
ours_mark(virDomainPtr D, const struct question *Q, enum ours whose)
{
	xmlNodePtr vm = xml_new("vm");
	char *text = vm == NULL || fill(vm, Q, whose) != 0 ? NULL : xml_dump(vm);
	int rc = 0;

	if (text == NULL)
		rc = say_failed("%s: there is no memory for its definition", Q->name);
	else if (virDomainSetMetadata(D, VIR_DOMAIN_METADATA_ELEMENT, text, OURS_PREFIX, OURS_URI,
	             VIR_DOMAIN_AFFECT_CONFIG) != 0)
		rc = say_failed("%s: libvirt does not note what it is for: %s", Q->name, connect_words());
	free(text);
	xml_free(vm);
	return (rc);
}
