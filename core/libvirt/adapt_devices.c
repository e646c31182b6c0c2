#include <string.h>

#include "base/say.h"
#include "libvirt/adapt.h"

/* --- kinds of devices -------------------------------------------------------------------------------- */

/* A device as the list lets it through. */
static void
add_plain(struct adapt *A, xmlNodePtr source)
{
	(void)allowed_add(A->devices, source, "devices", &A->dropped);
}

/* A device that is made anew, with a type of its own, and what the list lets through besides. */
static xmlNodePtr
add_as(struct adapt *A, xmlNodePtr source, const char *name, const char *at, const char *type)
{
	xmlNodePtr d = xml_add(A->devices, name, NULL);

	if (d != NULL && source != NULL)
		allowed_copy(d, source, at, &A->dropped);
	if (type != NULL)
		(void)xml_set(d, "type", type);
	return (d);
}

static void
add_input(struct adapt *A, xmlNodePtr source)
{
	if (xml_has(source, "type", "mouse") || xml_has(source, "type", "keyboard") ||
	    xml_has(source, "type", "tablet"))
		add_plain(A, source);
	else
		allowed_drop(&A->dropped, "input");
}

static int
has_spice(const struct adapt *A)
{
	xmlNodePtr g = xml_child(xml_child(A->source, "devices"), "graphics");

	while (g != NULL && !xml_has(g, "type", "spice"))
		g = xml_next(g, "graphics");
	return (g != NULL && hostcaps_has(&A->caps, "graphics", "type", "spice"));
}

/* The first only, on this host's own address: passwords and certificates are the primary host's. */
static void
add_graphics(struct adapt *A, xmlNodePtr source)
{
	xmlNodePtr g;

	if (xml_child(A->devices, "graphics") != NULL)
		return;
	g = add_as(A, source, "graphics", "devices/graphics", has_spice(A) ? "spice" : "vnc");
	(void)xml_set(g, "autoport", "yes");
	(void)xml_set(g, "listen", "127.0.0.1");
}

static void
add_video(struct adapt *A, xmlNodePtr source)
{
	xmlNodePtr model;
	char type[32];

	add_plain(A, source);
	model = xml_child(xml_child(A->devices, "video"), "model");
	if (!xml_attr(model, "type", type, sizeof type) || hostcaps_has(&A->caps, "video", "modelType", type))
		return;
	say_note("%s: this host's QEMU has no video '%s'; it gets 'vga'", A->Q->name, type);
	while (model->properties != NULL)
		xmlRemoveProp(model->properties);
	(void)xml_set(model, "type", "vga");
}

static void
add_channel(struct adapt *A, xmlNodePtr source)
{
	int is_spice = xml_has(source, "type", "spicevmc");

	if (!xml_has(xml_child(source, "target"), "type", "virtio") || (is_spice && !has_spice(A)) ||
	    (!is_spice && !xml_has(source, "type", "unix")))
		allowed_drop(&A->dropped, "channel");
	else
		(void)add_as(A, source, "channel", "devices/channel", is_spice ? "spicevmc" : "unix");
}

/* Wherever its output went at the primary: here it is seen with virsh console. */
static void
add_serial(struct adapt *A, xmlNodePtr source)
{
	if (xml_is(source, "serial"))
		(void)add_as(A, source, "serial", "devices/serial", "pty");
	else if (xml_is(source, "console"))
		(void)add_as(A, source, "console", "devices/console", "pty");
	else
		(void)add_as(A, source, "parallel", "devices/parallel", "pty");
}

static void
add_rng(struct adapt *A, xmlNodePtr source)
{
	xmlNodePtr rng = add_as(A, source, "rng", "devices/rng", NULL);

	(void)xml_set(rng, "model", "virtio");
	(void)xml_set(xml_add(rng, "backend", "/dev/urandom"), "model", "random");
}

static void
add_tpm(struct adapt *A, xmlNodePtr source)
{
	xmlNodePtr tpm, backend;

	if (!xml_has(xml_child(source, "backend"), "type", "emulator") ||
	    !hostcaps_has(&A->caps, "tpm", "backendModel", "emulator")) {
		allowed_drop(&A->dropped, "tpm");
		return;
	}
	tpm = add_as(A, source, "tpm", "devices/tpm", NULL);
	backend = xml_add(tpm, "backend", NULL);
	(void)xml_set(backend, "type", "emulator");
	(void)xml_set(backend, "version", "2.0");
	say_note(
	    "%s: has an empty TPM here: what the guest keeps in the primary's does not come along (have the "
	    "recovery keys of its encrypted disks at hand)",
	    A->Q->name);
}

/* --- the table --------------------------------------------------------------------------------------- */

/* Taken from elsewhere, or made anew at each host. */
static void
add_nothing(struct adapt *A, xmlNodePtr source)
{
	(void)A;
	(void)source;
}

static const struct device {
	const char *name;
	void (*add)(struct adapt *A, xmlNodePtr source);
} devices[] = {
	{ "disk", add_nothing },
	{ "emulator", add_nothing },
	{ "audio", add_nothing },
	{ "interface", adapt_nets_add },
	{ "input", add_input },
	{ "graphics", add_graphics },
	{ "video", add_video },
	{ "channel", add_channel },
	{ "serial", add_serial },
	{ "console", add_serial },
	{ "parallel", add_serial },
	{ "rng", add_rng },
	{ "tpm", add_tpm },
};

static void
add_device(struct adapt *A, xmlNodePtr source)
{
	for (unsigned i = 0; i < sizeof devices / sizeof devices[0]; i++)
		if (xml_is(source, devices[i].name)) {
			devices[i].add(A, source);
			return;
		}
	add_plain(A, source);
}

static void
add_minimal(struct adapt *A)
{
	adapt_nets_add_first(A);
	(void)add_as(A, NULL, "serial", "", "pty");
	add_graphics(A, NULL);
	(void)xml_set(xml_add(xml_add(A->devices, "video", NULL), "model", NULL), "type", "vga");
	add_rng(A, NULL);
}

void
adapt_devices_add(struct adapt *A)
{
	xmlNodePtr from = xml_child(A->source, "devices");

	if (A->source == NULL)
		add_minimal(A);
	for (xmlNodePtr d = xml_child(from, NULL); d != NULL; d = xml_next(d, NULL))
		add_device(A, d);
}
