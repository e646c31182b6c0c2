#ifndef XML_H_
#define XML_H_

#include <libxml/tree.h>
#include <stddef.h>

/*
 * XML from libvirt, or from another site: bounded, without a document type, and nothing fetched that it names.  Texts
 * are taken in UTF-8.  A text that does not fit where it is to go is as one that is not there, and never cut short.
 */

/* The element of that name that the text is: the document is its doc, to be freed with xml_free; NULL, unsaid. */
xmlNodePtr xml_parse(const char *text, const char *root);

/* A new document with that root. */
xmlNodePtr xml_new(const char *root);
void xml_free(xmlNodePtr root); /* NULL is fine */

/* The first child element of that name, the next sibling of one; of any name for NULL.  NULL: none. */
xmlNodePtr xml_child(xmlNodePtr parent, const char *name);
xmlNodePtr xml_next(xmlNodePtr node, const char *name);

/* Is that the element's name? */
int xml_is(xmlNodePtr node, const char *name);

/* The attribute, or the text in the element: 1; 0, and out is empty, if there is none or node is NULL. */
int xml_attr(xmlNodePtr node, const char *name, char *out, size_t size);
int xml_text(xmlNodePtr node, char *out, size_t size);

/* Has the element that attribute with this value? */
int xml_has(xmlNodePtr node, const char *name, const char *value);

/* Add an element, with text in it or (NULL) none; an attribute.  NULL or -1 if there is no memory. */
xmlNodePtr xml_add(xmlNodePtr parent, const char *name, const char *text);
int xml_set(xmlNodePtr node, const char *name, const char *value);

/* Take an element, and all in it, out of its document. */
void xml_remove(xmlNodePtr node);

/* The document as text, which the caller frees with free; NULL: no memory. */
char *xml_dump(xmlNodePtr root);

#endif
