#include <string.h>

#include "base/say.h"
#include "libvirt/adapt.h"

/* What an interface is plugged into. */
struct plug {
	enum sitemap_kind kind;
	char name[LIMIT_NAME + 1]; /* empty: nothing, its cable is out */
};

static xmlNodePtr
add(struct adapt *A, xmlNodePtr source, const struct plug *p)
{
	xmlNodePtr i = xml_add(A->devices, "interface", NULL), link;
	const char *kind = sitemap_kind_name(p->kind);

	if (p->name[0] != '\0') {
		(void)xml_set(i, "type", kind);
		(void)xml_set(xml_add(i, "source", NULL), kind, p->name);
	} else
		(void)xml_set(i, "type", "user");
	if (source != NULL)
		allowed_copy(i, source, "devices/interface", &A->dropped);
	if (p->name[0] == '\0') {
		link = xml_child(i, "link");
		(void)xml_set(link != NULL ? link : xml_add(i, "link", NULL), "state", "down");
	}
	if (A->M->new_macs && xml_child(i, "mac") != NULL)
		xml_remove(xml_child(i, "mac"));
	return (i);
}

/* A VM on its own: in the test network where the map has one. */
static void
add_isolated(struct adapt *A, xmlNodePtr source)
{
	struct plug p = { .kind = SITEMAP_NETWORK };

	strcpy(p.name, A->M->test_network);
	(void)add(A, source, &p);
}

/* What it was plugged into at the primary: 0; -1 if it is none of our kinds. */
static int
read_plug(xmlNodePtr source, struct plug *p)
{
	xmlNodePtr s = xml_child(source, "source");
	int there;

	if (xml_has(source, "type", "network")) {
		p->kind = SITEMAP_NETWORK;
		there = xml_attr(s, "network", p->name, sizeof p->name);
	} else if (xml_has(source, "type", "bridge")) {
		p->kind = SITEMAP_BRIDGE;
		there = xml_attr(s, "bridge", p->name, sizeof p->name);
	} else if (xml_has(source, "type", "direct")) {
		p->kind = SITEMAP_DEVICE;
		there = xml_attr(s, "dev", p->name, sizeof p->name);
	} else
		return (-1);
	/* A name with '/' in it would be a path to somebody. */
	return (there && p->name[0] != '\0' && strchr(p->name, '/') == NULL ? 0 : -1);
}

void
adapt_nets_add(struct adapt *A, xmlNodePtr source)
{
	const struct sitemap_net *net;
	struct plug p = { 0 };
	char type[32];

	if (A->Q->is_isolated) {
		add_isolated(A, source);
		return;
	}
	if (read_plug(source, &p) != 0) {
		p = (struct plug){ .kind = SITEMAP_NETWORK };
		(void)xml_attr(source, "type", type, sizeof type);
		net = sitemap_find(A->M, SITEMAP_NETWORK, "*");
		say_note("%s: a network interface of type '%s' %s", A->Q->name, type,
		    net != NULL ? "is as those of other networks here" : "has its cable out here");
	} else
		net = sitemap_find(A->M, p.kind, p.name);
	if (net != NULL) {
		p.kind = net->to;
		strcpy(p.name, net->to_name);
	} else if (p.kind == SITEMAP_DEVICE) {
		say_note("%s: its interface on the primary host's device '%s' has its cable out here: have "
		         "'device %s network NAME' in the map",
		    A->Q->name, p.name, p.name);
		p.name[0] = '\0';
	}
	(void)add(A, source, &p);
}

void
adapt_nets_add_first(struct adapt *A)
{
	const struct sitemap_net *net = sitemap_find(A->M, SITEMAP_NETWORK, "*");
	struct plug p = { .kind = SITEMAP_NETWORK, .name = "default" };
	xmlNodePtr i;

	if (net != NULL) {
		p.kind = net->to;
		strcpy(p.name, net->to_name);
	}
	if (A->Q->is_isolated)
		strcpy(p.name, A->M->test_network);
	i = add(A, NULL, &p);
	(void)xml_set(xml_add(i, "model", NULL), "type", "virtio");
}
