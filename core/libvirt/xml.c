#include "libvirt/xml.h"

#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (4u << 20) /* what libvirt says of a host is longer than any definition */
#define BYTES(s) ((const xmlChar *)(s))

/* --- documents --------------------------------------------------------------------------------------- */

xmlNodePtr
xml_parse(const char *text, const char *root)
{
	size_t n = strnlen(text, TEXT_MAX + 1);
	xmlDocPtr doc;
	xmlNodePtr top;

	/* No definition has a document type; one that has, has it for entities. */
	if (n > TEXT_MAX || strstr(text, "<!DOCTYPE") != NULL || strstr(text, "<!ENTITY") != NULL)
		return (NULL);
	doc = xmlReadMemory(text, (int)n, NULL, "UTF-8",
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS);
	if (doc == NULL)
		return (NULL);
	top = xmlDocGetRootElement(doc);
	if (top != NULL && doc->intSubset == NULL && xml_is(top, root))
		return (top);
	xmlFreeDoc(doc);
	return (NULL);
}

xmlNodePtr
xml_new(const char *root)
{
	xmlDocPtr doc = xmlNewDoc(BYTES("1.0"));
	xmlNodePtr top = doc == NULL ? NULL : xmlNewNode(NULL, BYTES(root));

	if (top != NULL)
		xmlDocSetRootElement(doc, top);
	else if (doc != NULL)
		xmlFreeDoc(doc);
	return (top);
}

void
xml_free(xmlNodePtr root)
{
	if (root != NULL)
		xmlFreeDoc(root->doc);
}

char *
xml_dump(xmlNodePtr root)
{
	xmlChar *text = NULL;
	char *out;
	int n = 0;

	xmlDocDumpFormatMemoryEnc(root->doc, &text, &n, "UTF-8", 1);
	out = text == NULL ? NULL : strdup((const char *)text);
	xmlFree(text);
	return (out);
}

/* --- elements ---------------------------------------------------------------------------------------- */

int
xml_is(xmlNodePtr node, const char *name)
{
	return (strcmp((const char *)node->name, name) == 0);
}

static xmlNodePtr
find(xmlNodePtr node, const char *name)
{
	while (node != NULL && (node->type != XML_ELEMENT_NODE || (name != NULL && !xml_is(node, name))))
		node = node->next;
	return (node);
}

xmlNodePtr
xml_child(xmlNodePtr parent, const char *name)
{
	return (parent == NULL ? NULL : find(parent->children, name));
}

xmlNodePtr
xml_next(xmlNodePtr node, const char *name)
{
	return (find(node->next, name));
}

/* Takes text. */
static int
give(xmlChar *text, char *out, size_t size)
{
	size_t n = text == NULL ? size : strlen((const char *)text);

	out[0] = '\0';
	if (n < size)
		memcpy(out, text, n + 1);
	xmlFree(text);
	return (n < size);
}

int
xml_attr(xmlNodePtr node, const char *name, char *out, size_t size)
{
	return (give(node == NULL ? NULL : xmlGetNoNsProp(node, BYTES(name)), out, size));
}

int
xml_text(xmlNodePtr node, char *out, size_t size)
{
	return (give(node == NULL ? NULL : xmlNodeGetContent(node), out, size));
}

int
xml_has(xmlNodePtr node, const char *name, const char *value)
{
	char is[64];

	return (xml_attr(node, name, is, sizeof is) && strcmp(is, value) == 0);
}

xmlNodePtr
xml_add(xmlNodePtr parent, const char *name, const char *text)
{
	/* xmlNewTextChild, unlike xmlNewChild, takes the text as it is. */
	return (parent == NULL ? NULL : xmlNewTextChild(parent, NULL, BYTES(name), BYTES(text)));
}

int
xml_set(xmlNodePtr node, const char *name, const char *value)
{
	return (node != NULL && xmlSetProp(node, BYTES(name), BYTES(value)) != NULL ? 0 : -1);
}

void
xml_remove(xmlNodePtr node)
{
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}
