#include "libvirt/networks.h"

#include <jansson.h>
#include <libvirt/virterror.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "jsontext.h"
#include "libvirt/adapt.h"
#include "libvirt/connect.h"
#include "libvirt/define.h"

#define ANSWER_MAX (1u << 17)

/* --- is it here? ------------------------------------------------------------------------------------- */

/* A duplicate in a network that leads on would meet the VM itself. */
static void
check_isolated(virNetworkPtr N, const char *name)
{
	char *text = virNetworkGetXMLDesc(N, 0);
	xmlNodePtr top = text == NULL ? NULL : xml_parse(text, "network");

	if (xml_child(top, "forward") != NULL)
		say_note("network %s: is the map's test-network, and leads to others (<forward>): a "
		         "duplicate could "
		         "meet the VM itself there",
		    name);
	xml_free(top);
	free(text);
}

static int
has_network(virConnectPtr C, const char *name, int is_isolated)
{
	virNetworkPtr N = virNetworkLookupByName(C, name);
	int is;

	if (N == NULL)
		return (0);
	if ((is = virNetworkIsActive(N) == 1) == 0)
		say_note("network %s: is defined here and not active: 'virsh net-start %s', 'virsh "
		         "net-autostart %s'",
		    name, name, name);
	if (is_isolated)
		check_isolated(N, name);
	virNetworkFree(N);
	return (is);
}

/* Only of this machine can be said which bridges it has. */
static int
has_bridge(virConnectPtr C, const char *name)
{
	char *uri = virConnectGetURI(C);
	int is_here = uri != NULL && strncmp(uri, "qemu:///", 8) == 0;

	free(uri);
	return (!is_here || if_nametoindex(name) != 0);
}

/* --- which are wanted? ------------------------------------------------------------------------------- */

static int
has_name(const json_t *a, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach (a, i, one)
		if (strcmp(json_string_value(one), name) == 0)
			return (1);
	return (0);
}

/* 0, or -1: no memory. */
static int
take(virConnectPtr C, const struct question *Q, xmlNodePtr interface, json_t *wanted, json_t *missing)
{
	xmlNodePtr source = xml_child(interface, "source");
	char name[LIMIT_NAME + 1];
	int is_network = xml_has(interface, "type", "network");

	if ((!is_network && !xml_has(interface, "type", "bridge")) ||
	    !xml_attr(source, is_network ? "network" : "bridge", name, sizeof name) || name[0] == '\0' ||
	    has_name(wanted, name) || json_array_size(wanted) == HOST_NETWORKS)
		return (0);
	if (json_array_append_new(wanted, json_string(name)) != 0)
		return (-1);
	if (is_network ? has_network(C, name, Q->is_isolated) : has_bridge(C, name))
		return (0);
	return (json_array_append_new(missing, json_string(name)));
}

static int
answer(virConnectPtr C, const struct question *Q, xmlNodePtr devices)
{
	json_t *wanted = json_array(), *missing = json_array(), *o;
	int bad = wanted == NULL || missing == NULL;
	char *text;
	size_t n;

	for (xmlNodePtr i = xml_child(devices, "interface"); i != NULL && !bad; i = xml_next(i, "interface"))
		bad = take(C, Q, i, wanted, missing) != 0;
	o = json_pack("{s:o*,s:o*}", "networks", wanted, "missing", missing);
	if ((text = jsontext_dump(jsontext_whole(o, bad), ANSWER_MAX, &n)) == NULL)
		return (say_failed("%s: there is no memory for the answer", Q->name));
	fputs(text, stdout);
	free(text);
	return (0);
}

/* --- the verb ---------------------------------------------------------------------------------------- */

static int
answer_new(virConnectPtr C, const struct question *Q, const struct sitemap *M)
{
	struct adapt A = { .C = C, .Q = Q, .M = M };
	int rc = adapt_build(&A);

	if (rc == 0) {
		adapt_say_dropped(&A);
		rc = answer(C, Q, A.devices);
	}
	adapt_release(&A);
	return (rc);
}

static int
answer_lent(virConnectPtr C, const struct question *Q, virDomainPtr D)
{
	char *text = virDomainGetXMLDesc(D, VIR_DOMAIN_XML_INACTIVE);
	xmlNodePtr top = text == NULL ? NULL : xml_parse(text, "domain");
	int rc = -1;

	free(text);
	if (top == NULL)
		say_failure("%s: libvirt does not give its definition: %s", Q->name, connect_words());
	else
		rc = answer(C, Q, xml_child(top, "devices"));
	xml_free(top);
	return (rc);
}

int
networks_answer(virConnectPtr C, const struct question *Q)
{
	struct sitemap *M = NULL;
	enum define_kind kind;
	virDomainPtr D = NULL;
	int rc = sitemap_read(&M);

	if (rc == 0)
		rc = define_kind(C, Q, &D, &kind);
	if (rc == 0)
		rc = kind == DEFINE_LENT ? answer_lent(C, Q, D) : answer_new(C, Q, M);
	connect_free(D);
	sitemap_free(M);
	return (rc);
}
