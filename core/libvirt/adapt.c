#include "libvirt/adapt.h"

#include <stdio.h>
#include <string.h>

#include "base/say.h"
#include "libvirt/ours.h"

#define MINIMAL_MEMORY "2048"

/* --- what the primary's says ------------------------------------------------------------------------- */

static int
read_source(struct adapt *A)
{
	char type[16];

	if (A->Q->definition != NULL && (A->source = xml_parse(A->Q->definition, "domain")) == NULL)
		say_note("%s: its definition is none of libvirt's, and is not used", A->Q->name);
	if (A->source == NULL)
		say_note(
		    "%s: has no definition: it gets a plain machine with %s MiB of memory, and its disks",
		    A->Q->name, MINIMAL_MEMORY);
	else if (xml_text(xml_child(xml_child(A->source, "os"), "type"), type, sizeof type) &&
	         strcmp(type, "hvm") != 0)
		return (say_refused("%s: is no virtual machine with hardware of its own ('hvm'), but '%s'",
		    A->Q->name, type));
	return (0);
}

static int
choose(struct adapt *A)
{
	char arch[32] = "", type[16] = "", machine[64] = "";
	xmlNodePtr os = xml_child(xml_child(A->source, "os"), "type");
	struct hostcaps_wish w = { .name = A->Q->name, .arch = arch, .type = type, .machine = machine };

	(void)xml_attr(A->source, "type", type, sizeof type);
	(void)xml_attr(os, "arch", arch, sizeof arch);
	(void)xml_attr(os, "machine", machine, sizeof machine);
	return (hostcaps_choose(&A->caps, A->C, &w, A->M));
}

/* --- its parts --------------------------------------------------------------------------------------- */

/* The child of that name, made if it is not there. */
static xmlNodePtr
have(xmlNodePtr parent, const char *name)
{
	xmlNodePtr n = xml_child(parent, name);

	return (n != NULL ? n : xml_add(parent, name, NULL));
}

static void
remove_child(xmlNodePtr parent, const char *name)
{
	xmlNodePtr n = xml_child(parent, name);

	if (n != NULL)
		xml_remove(n);
}

/* The kernel that the host boots it from: files of this host, which only the map can let in. */
static void
set_kernel(const struct adapt *A, xmlNodePtr os)
{
	static const char *const names[] = { "kernel", "initrd", "cmdline" };
	xmlNodePtr from = xml_child(A->source, "os");
	char text[2048];

	if (xml_child(from, "kernel") != NULL && !A->M->keep_kernel) {
		say_note("%s: at its primary the host gives it a kernel; here it boots from its disks, "
		         "unless the map "
		         "says 'kernel keep'",
		    A->Q->name);
		return;
	}
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (xml_text(xml_child(from, names[i]), text, sizeof text))
			(void)xml_add(os, names[i], text);
}

/* The firmware is found by libvirt; the primary's, and its variables, are files there. */
static void
set_firmware(struct adapt *A, xmlNodePtr os)
{
	xmlNodePtr loader = xml_child(xml_child(A->source, "os"), "loader"), feature;

	if (loader != NULL && xml_has(loader, "type", "pflash")) {
		(void)xml_set(os, "firmware", "efi");
		if (xml_has(loader, "secure", "yes") && xml_child(os, "firmware") == NULL) {
			feature = xml_add(xml_add(os, "firmware", NULL), "feature", NULL);
			(void)xml_set(feature, "enabled", "yes");
			(void)xml_set(feature, "name", "secure-boot");
		}
	}
	if (xml_has(os, "firmware", "efi"))
		say_note("%s: boots by UEFI: its variables do not come along, and it boots from the default "
		         "path of its "
		         "disk",
		    A->Q->name);
}

static void
set_os(struct adapt *A)
{
	xmlNodePtr os = have(A->top, "os"), type = have(os, "type");

	xmlNodeSetContent(type, (const xmlChar *)"hvm");
	(void)xml_set(type, "arch", A->caps.arch);
	if (A->caps.machine[0] != '\0')
		(void)xml_set(type, "machine", A->caps.machine);
	else
		(void)xmlUnsetProp(type, (const xmlChar *)"machine");
	set_firmware(A, os);
	set_kernel(A, os);
	if (!xml_has(xml_child(A->top, "sysinfo"), "type", "smbios")) {
		remove_child(A->top, "sysinfo");
		if (xml_has(xml_child(os, "smbios"), "mode", "sysinfo"))
			remove_child(os, "smbios");
	}
}

/* A CPU by its mode or model, with the topology that the guest knows. */
static void
replace_cpu(struct adapt *A, const char *name)
{
	xmlNodePtr cpu = have(A->top, "cpu"), next;
	int is_mode = strcmp(name, "host-model") == 0 || strcmp(name, "host-passthrough") == 0 ||
	              strcmp(name, "maximum") == 0;

	for (xmlNodePtr c = xml_child(cpu, NULL); c != NULL; c = next) {
		next = xml_next(c, NULL);
		if (!xml_is(c, "topology") && !xml_is(c, "numa"))
			xml_remove(c);
	}
	while (cpu->properties != NULL)
		xmlRemoveProp(cpu->properties);
	(void)xml_set(cpu, "mode", is_mode ? name : "custom");
	if (!is_mode) {
		(void)xml_set(cpu, "match", "exact");
		(void)xml_add(cpu, "model", name);
	}
}

static void
set_cpu(struct adapt *A)
{
	xmlNodePtr cpu = xml_child(A->top, "cpu");
	char model[64];
	int is_emulated = strcmp(A->caps.type, "qemu") == 0;

	if (A->M->cpu[0] != '\0')
		replace_cpu(A, A->M->cpu);
	else if (is_emulated && cpu != NULL && !xml_has(A->source, "type", "qemu")) {
		say_note("%s: is emulated here, with all that QEMU's CPU can", A->Q->name);
		replace_cpu(A, "maximum");
	}
	if (xml_text(xml_child(xml_child(A->top, "cpu"), "model"), model, sizeof model) &&
	    !hostcaps_has_cpu(&A->caps, model))
		say_note("%s: this host cannot run the CPU '%s': it will not start; say 'cpu host-model', or "
		         "another, in the map",
		    A->Q->name, model);
}

/* What only KVM has. */
static void
leave_kvm(struct adapt *A)
{
	static const char *const timers[] = { "kvmclock", "hypervclock", "tsc" };
	xmlNodePtr features = xml_child(A->top, "features"), clock = xml_child(A->top, "clock"), next;

	if (strcmp(A->caps.type, "qemu") != 0 || xml_has(A->source, "type", "qemu"))
		return;
	remove_child(features, "hyperv");
	remove_child(features, "kvm");
	remove_child(features, "pmu");
	for (xmlNodePtr t = xml_child(clock, "timer"); t != NULL; t = next) {
		next = xml_next(t, "timer");
		for (unsigned i = 0; i < sizeof timers / sizeof timers[0]; i++)
			if (xml_has(t, "name", timers[i])) {
				xml_remove(t);
				break;
			}
	}
}

/* A crash is not written to this host's disks for another site's word. */
static void
set_on_crash(struct adapt *A)
{
	xmlNodePtr n = xml_child(A->top, "on_crash");
	char text[32];

	if (n != NULL && (!xml_text(n, text, sizeof text) || strncmp(text, "coredump", 8) == 0))
		xmlNodeSetContent(n, (const xmlChar *)"destroy");
}

static void
make_minimal(struct adapt *A)
{
	xmlNodePtr memory = xml_add(A->top, "memory", MINIMAL_MEMORY),
	           features = xml_add(A->top, "features", NULL);

	(void)xml_set(memory, "unit", "MiB");
	(void)xml_add(A->top, "vcpu", "2");
	(void)xml_add(features, "acpi", NULL);
	(void)xml_add(features, "apic", NULL);
	(void)xml_set(xml_add(A->top, "clock", NULL), "offset", "utc");
}

/* --- the whole --------------------------------------------------------------------------------------- */

int
adapt_build(struct adapt *A)
{
	const struct question *Q = A->Q;
	int rc;

	if ((rc = read_source(A)) != 0 || (rc = choose(A)) != 0)
		return (rc);
	if ((A->top = xml_new("domain")) == NULL || xml_set(A->top, "type", A->caps.type) != 0 ||
	    xml_add(A->top, "name", Q->name) == NULL || ours_set(A->top, Q, OURS_MADE) != 0)
		return (say_failed("%s: there is no memory for its definition", Q->name));
	/* A duplicate is another machine, and libvirt gives it a UUID of its own. */
	if (Q->purpose != HOST_TEST && Q->uuid[0] != '\0')
		(void)xml_add(A->top, "uuid", Q->uuid);
	if (A->source != NULL)
		allowed_copy(A->top, A->source, "domain", &A->dropped);
	else
		make_minimal(A);
	set_os(A);
	set_cpu(A);
	leave_kvm(A);
	set_on_crash(A);
	A->devices = xml_add(A->top, "devices", NULL);
	if (A->M->emulator[0] != '\0')
		(void)xml_add(A->devices, "emulator", A->M->emulator);
	adapt_devices_add(A);
	if (A->caps.is_other_machine)
		adapt_strip_addresses(A);
	return (0);
}

void
adapt_release(struct adapt *A)
{
	hostcaps_release(&A->caps);
	xml_free(A->source);
	xml_free(A->top);
	A->source = A->top = NULL;
}

void
adapt_say_dropped(const struct adapt *A)
{
	if (A->dropped.names[0] != '\0')
		say_note("%s: not taken over from its definition, being the primary host's: %s", A->Q->name,
		    A->dropped.names);
}

void
adapt_strip_addresses(struct adapt *A)
{
	xmlNodePtr next;

	for (xmlNodePtr d = xml_child(A->devices, NULL); d != NULL; d = next) {
		next = xml_next(d, NULL);
		if (xml_is(d, "controller") && xml_has(d, "type", "pci"))
			xml_remove(d);
		else if (xml_has(xml_child(d, "address"), "type", "pci"))
			xml_remove(xml_child(d, "address"));
	}
}
