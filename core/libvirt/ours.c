#include "libvirt/ours.h"

#include <stdlib.h>
#include <string.h>

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

int
ours_set(xmlNodePtr domain, const struct question *Q, enum ours whose)
{
	const char *home = getenv("VMFERRY_HOME");
	xmlNodePtr metadata = xml_child(domain, "metadata"), vm;
	xmlNsPtr ns;

	if (metadata == NULL)
		metadata = xml_add(domain, "metadata", NULL);
	remove_note(metadata);
	if ((vm = xml_add(metadata, "vm", NULL)) == NULL ||
	    (ns = xmlNewNs(vm, (const xmlChar *)OURS_URI, (const xmlChar *)OURS_PREFIX)) == NULL)
		return (-1);
	xmlSetNs(vm, ns);
	return (xml_set(vm, "uuid", Q->uuid) | xml_set(vm, "name", Q->vm[0] != '\0' ? Q->vm : Q->name) |
	        xml_set(vm, "purpose", host_purpose_name(Q->purpose)) |
	        xml_set(vm, "start", Q->may_start ? "yes" : "no") |
	        xml_set(vm, "definition", whose == OURS_LENT ? "lent" : "made") |
	        xml_set(vm, "home", home != NULL ? home : ""));
}
