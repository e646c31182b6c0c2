#include "libvirt/hostcaps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "libvirt/connect.h"

/* --- what the host runs ------------------------------------------------------------------------------ */

/* The architecture among the guests of the capabilities; the first, which is the host's own, for "". */
static xmlNodePtr
find_arch(xmlNodePtr top, const char *arch)
{
	char type[16];

	for (xmlNodePtr g = xml_child(top, "guest"); g != NULL; g = xml_next(g, "guest")) {
		xmlNodePtr a = xml_child(g, "arch");

		if (xml_text(xml_child(g, "os_type"), type, sizeof type) && strcmp(type, "hvm") == 0 &&
		    a != NULL && (arch[0] == '\0' || xml_has(a, "name", arch)))
			return (a);
	}
	return (NULL);
}

static int
has_machine(xmlNodePtr arch, const char *machine)
{
	char text[64];

	for (xmlNodePtr m = xml_child(arch, "machine"); m != NULL; m = xml_next(m, "machine"))
		if (xml_text(m, text, sizeof text) && strcmp(text, machine) == 0)
			return (1);
	return (0);
}

static int
has_type(xmlNodePtr arch, const char *type)
{
	for (xmlNodePtr d = xml_child(arch, "domain"); d != NULL; d = xml_next(d, "domain"))
		if (xml_has(d, "type", type))
			return (1);
	return (0);
}

/* "pc-q35-9.0" is of the family "q35", "pc-i440fx-9.0" of "pc"; one that is of none is its own. */
static const char *
family(const char *machine)
{
	static const struct {
		const char *prefix, *family;
	} known[] = { { "pc-q35", "q35" }, { "pc-", "pc" }, { "virt-", "virt" }, { "pseries-", "pseries" },
		{ "s390-ccw-virtio-", "s390-ccw-virtio" } };

	for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strncmp(machine, known[i].prefix, strlen(known[i].prefix)) == 0)
			return (known[i].family);
	return (machine);
}

/* --- choices ----------------------------------------------------------------------------------------- */

static void
choose_machine(struct hostcaps *H, xmlNodePtr arch, const struct hostcaps_wish *w, const struct sitemap *M)
{
	const char *want = M->machine[0] != '\0' ? M->machine : w->machine, *use = want;

	if (want[0] == '\0')
		use = has_machine(arch, "q35") ? "q35" : "";
	else if (!has_machine(arch, want)) {
		use = has_machine(arch, family(want)) ? family(want) : "";
		say_note("%s: this host has no machine type '%s'; it gets %s", w->name, want,
		    use[0] != '\0' ? use : "the default");
	}
	(void)snprintf(H->machine, sizeof H->machine, "%s", use);
	H->is_other_machine = w->machine[0] != '\0' && strcmp(family(use), family(w->machine)) != 0;
}

/* KVM where that is here, unless the map, or the VM's own definition, says otherwise. */
static void
choose_type(struct hostcaps *H, xmlNodePtr arch, const struct hostcaps_wish *w, const struct sitemap *M)
{
	const char *want = M->type[0] != '\0' ? M->type : strcmp(w->type, "qemu") == 0 ? "qemu" : "kvm";

	if (!has_type(arch, want)) {
		if (w->type[0] != '\0' || M->type[0] != '\0')
			say_note("%s: this host has no %s; the VM will be emulated, and slow", w->name, want);
		want = "qemu";
	}
	(void)snprintf(H->type, sizeof H->type, "%s", want);
}

int
hostcaps_choose(struct hostcaps *H, virConnectPtr C, const struct hostcaps_wish *w, const struct sitemap *M)
{
	char *text = virConnectGetCapabilities(C);
	xmlNodePtr top = text == NULL ? NULL : xml_parse(text, "capabilities"), arch;
	int rc = 0;

	memset(H, 0, sizeof *H);
	free(text);
	if (top == NULL)
		return (
		    say_failed("%s: libvirt does not say what this host is: %s", w->name, connect_words()));
	if ((arch = find_arch(top, w->arch)) == NULL || !xml_attr(arch, "name", H->arch, sizeof H->arch))
		rc = say_refused("%s: this host runs no VM of the architecture '%s': install QEMU for it",
		    w->name, w->arch);
	else {
		choose_machine(H, arch, w, M);
		choose_type(H, arch, w, M);
	}
	xml_free(top);
	if (rc != 0)
		return (rc);
	text = virConnectGetDomainCapabilities(C, M->emulator[0] != '\0' ? M->emulator : NULL, H->arch,
	    H->machine[0] != '\0' ? H->machine : NULL, H->type, 0);
	H->domain = text == NULL ? NULL : xml_parse(text, "domainCapabilities");
	free(text);
	return (0);
}

void
hostcaps_release(struct hostcaps *H)
{
	xml_free(H->domain);
	H->domain = NULL;
}

/* --- what a domain can have -------------------------------------------------------------------------- */

int
hostcaps_has(const struct hostcaps *H, const char *device, const char *list, const char *value)
{
	xmlNodePtr d = xml_child(xml_child(H->domain, "devices"), device), e;
	char text[64];

	for (e = xml_child(d, "enum"); e != NULL && !xml_has(e, "name", list); e = xml_next(e, "enum"))
		;
	if (d == NULL || (e == NULL && !xml_has(d, "supported", "no")))
		return (1);
	for (xmlNodePtr v = xml_child(e, "value"); v != NULL; v = xml_next(v, "value"))
		if (xml_text(v, text, sizeof text) && strcmp(text, value) == 0)
			return (1);
	return (0);
}

int
hostcaps_has_cpu(const struct hostcaps *H, const char *model)
{
	xmlNodePtr mode = xml_child(xml_child(H->domain, "cpu"), "mode");
	char text[64];

	while (mode != NULL && !xml_has(mode, "name", "custom"))
		mode = xml_next(mode, "mode");
	if (mode == NULL)
		return (1);
	for (xmlNodePtr m = xml_child(mode, "model"); m != NULL; m = xml_next(m, "model"))
		if (xml_text(m, text, sizeof text) && strcmp(text, model) == 0)
			return (!xml_has(m, "usable", "no"));
	return (0);
}
