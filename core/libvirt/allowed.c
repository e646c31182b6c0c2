#include "libvirt/allowed.h"

#include <stdio.h>
#include <string.h>

#define VALUE 256u

/* Attributes and children that may be there, between blanks; and whether a text may. */
struct rule {
	const char *at, *attributes, *children;
	int text;
};

#define ADDRESS                                                                                            \
	"type domain bus slot function multifunction controller target unit port cssid ssid devno iobase " \
	"irq base"
#define SWITCH "state value retries mode name"

/* What is in the definition but of this host alone is passed over without a word. */
#define SILENT                                                                                         \
	" name uuid metadata title description genid seclabel resource devices emulator alias source " \
	"target "                                                                                      \
	"guest loader nvram kernel initrd cmdline backend label listen channel audio driver readonly " \
	"shareable backingStore mirror "

static const struct rule rules[] = {
	{ "domain", "",
	    " memory currentMemory maxMemory vcpu vcpus iothreads sysinfo os features cpu clock on_poweroff "
	    "on_reboot on_crash pm ",
	    0 },
	{ "domain/memory", " unit ", "", 1 },
	{ "domain/currentMemory", " unit ", "", 1 },
	{ "domain/maxMemory", " unit slots ", "", 1 },
	{ "domain/vcpu", " current ", "", 1 },
	{ "domain/vcpus", "", " vcpu ", 0 },
	{ "domain/vcpus/vcpu", " id enabled hotpluggable order ", "", 0 },
	{ "domain/iothreads", "", "", 1 },
	{ "domain/sysinfo", " type ", " bios system baseBoard chassis oemStrings ", 0 },
	{ "domain/sysinfo/*", "", " entry ", 0 },
	{ "domain/sysinfo/*/entry", " name ", "", 1 },
	{ "domain/os", " firmware ", " type boot bootmenu bios smbios firmware ", 0 },
	{ "domain/os/type", " arch machine ", "", 1 },
	{ "domain/os/boot", " dev ", "", 0 },
	{ "domain/os/bootmenu", " enable timeout ", "", 0 },
	{ "domain/os/bios", " useserial rebootTimeout ", "", 0 },
	{ "domain/os/smbios", " mode ", "", 0 },
	{ "domain/os/firmware", "", " feature ", 0 },
	{ "domain/os/firmware/feature", " enabled name ", "", 0 },
	{ "domain/features", "",
	    " acpi apic pae hap viridian privnet hyperv kvm pvspinlock pmu vmport gic smm ioapic hpt "
	    "vmcoreinfo "
	    "htm ccf-assist msrs ",
	    0 },
	{ "domain/features/*", " eoi state version driver unknown mode resizing ",
	    " relaxed vapic spinlocks vpindex runtime synic stimer reset vendor_id frequencies "
	    "reenlightenment "
	    "tlbflush ipi evmcs avic hidden hint-dedicated poll-control pv-ipi tseg ",
	    0 },
	{ "domain/features/*/*", " " SWITCH " unit ", " direct ", 1 },
	{ "domain/features/*/*/*", " " SWITCH " ", "", 0 },
	{ "domain/cpu", " mode match check migratable ",
	    " model vendor topology cache maxphysaddr feature numa ", 0 },
	{ "domain/cpu/model", " fallback vendor_id ", "", 1 },
	{ "domain/cpu/vendor", "", "", 1 },
	{ "domain/cpu/topology", " sockets dies clusters cores threads ", "", 0 },
	{ "domain/cpu/cache", " level mode ", "", 0 },
	{ "domain/cpu/maxphysaddr", " mode bits limit ", "", 0 },
	{ "domain/cpu/feature", " policy name ", "", 0 },
	{ "domain/cpu/numa", "", " cell ", 0 },
	{ "domain/cpu/numa/cell", " id cpus memory unit ", "", 0 },
	{ "domain/clock", " offset adjustment basis timezone ", " timer ", 0 },
	{ "domain/clock/timer", " name track tickpolicy present mode frequency ", "", 0 },
	{ "domain/on_poweroff", "", "", 1 },
	{ "domain/on_reboot", "", "", 1 },
	{ "domain/on_crash", "", "", 1 },
	{ "domain/pm", "", " suspend-to-mem suspend-to-disk ", 0 },
	{ "domain/pm/*", " enabled ", "", 0 },

	{ "devices", "", " controller input video memballoon watchdog panic iommu ", 0 },
	{ "devices/controller", " type index model ports vectors ", " address master model target driver ",
	    0 },
	{ "devices/controller/master", " startport ", "", 0 },
	{ "devices/controller/model", " name ", "", 0 },
	{ "devices/controller/target", " chassisNr chassis port busNr hotplug index ", "", 0 },
	{ "devices/controller/driver", " queues cmd_per_lun max_sectors iothread ", "", 0 },
	{ "devices/input", " type bus model ", " address ", 0 },
	{ "devices/video", "", " model address ", 0 },
	{ "devices/video/model", " type ram vram vram64 vgamem heads primary ", "", 0 },
	{ "devices/memballoon", " model autodeflate freePageReporting ", " stats address ", 0 },
	{ "devices/memballoon/stats", " period ", "", 0 },
	{ "devices/watchdog", " model ", " address ", 0 },
	{ "devices/panic", " model ", " address ", 0 },
	{ "devices/iommu", " model ", " driver address ", 0 },
	{ "devices/iommu/driver", " intremap caching_mode eim iotlb aw_bits ", "", 0 },
	{ "devices/rng", " model ", " rate address ", 0 },
	{ "devices/rng/rate", " bytes period ", "", 0 },
	{ "devices/tpm", " model ", "", 0 },
	{ "devices/interface", "", " mac model driver link boot mtu address ", 0 },
	{ "devices/interface/mac", " address ", "", 0 },
	{ "devices/interface/model", " type ", "", 0 },
	{ "devices/interface/driver", " name queues rx_queue_size tx_queue_size ", "", 0 },
	{ "devices/interface/link", " state ", "", 0 },
	{ "devices/interface/mtu", " size ", "", 0 },
	{ "devices/disk", "", " serial wwn vendor product blockio geometry boot address ", 0 },
	{ "devices/disk/serial", "", "", 1 },
	{ "devices/disk/wwn", "", "", 1 },
	{ "devices/disk/vendor", "", "", 1 },
	{ "devices/disk/product", "", "", 1 },
	{ "devices/disk/blockio", " logical_block_size physical_block_size ", "", 0 },
	{ "devices/disk/geometry", " cyls heads secs trans ", "", 0 },
	{ "devices/disk/boot", " order loadparm ", "", 0 },
	{ "devices/disk/driver", " discard detect_zeroes queues iothread ", "", 0 },
	{ "devices/disk/target", " bus removable rotation_rate ", "", 0 },
	{ "devices/serial", "", " target ", 0 },
	{ "devices/serial/target", " type port ", " model ", 0 },
	{ "devices/serial/target/model", " name ", "", 0 },
	{ "devices/console", "", " target ", 0 },
	{ "devices/console/target", " type port ", "", 0 },
	{ "devices/parallel", "", " target ", 0 },
	{ "devices/parallel/target", " port ", "", 0 },
	{ "devices/channel", "", " target address ", 0 },
	{ "devices/channel/target", " type name ", "", 0 },
	{ "devices/graphics", " type keymap ", "", 0 },
	{ "devices/*/address", " " ADDRESS " ", "", 0 },
	{ "devices/*/boot", " order ", "", 0 },
};

/* --- the list ---------------------------------------------------------------------------------------- */

/* Does the rule's place mean this one?  "*" is any one name. */
static int
matches(const char *rule, const char *at)
{
	while (*rule != '\0' && *at != '\0') {
		if (*rule == '*') {
			rule++;
			at += strcspn(at, "/");
		} else if (*rule++ != *at++)
			return (0);
	}
	return (*rule == '\0' && *at == '\0');
}

static const struct rule *
find_rule(const char *at)
{
	for (unsigned i = 0; i < sizeof rules / sizeof rules[0]; i++)
		if (matches(rules[i].at, at))
			return (&rules[i]);
	return (NULL);
}

/* Is the word one of the list, " a b c "? */
static int
is_in(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; n > 0 && (p = strstr(p, word)) != NULL; p++)
		if (p > list && p[-1] == ' ' && p[n] == ' ')
			return (1);
	return (0);
}

/* A value that can do no harm wherever it stands: a short word or some, none of them a path but in a time zone. */
static int
is_harmless(const char *value, int is_zone)
{
	if (value[0] == '/' || strstr(value, "..") != NULL)
		return (0);
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f ||
		    strchr("\"'`\\<>&|;$", *p) != NULL || (*p == '/' && !is_zone))
			return (0);
	return (1);
}

/* --- copies ------------------------------------------------------------------------------------------ */

void
allowed_drop(struct allowed_dropped *dropped, const char *name)
{
	size_t n = strlen(dropped->names), m = strlen(name);
	char list[sizeof dropped->names + 4];

	(void)snprintf(list, sizeof list, " %s,", dropped->names);
	for (const char *p = list; m > 0 && (p = strstr(p, name)) != NULL; p++)
		if (p[-1] == ' ' && p[m] == ',')
			return;
	if (n + m + 3 < sizeof dropped->names)
		(void)snprintf(
		    dropped->names + n, sizeof dropped->names - n, "%s%s", n > 0 ? ", " : "", name);
}

static void
copy_attributes(xmlNodePtr to, xmlNodePtr from, const struct rule *rule)
{
	for (xmlAttrPtr a = from->properties; a != NULL; a = a->next) {
		const char *name = (const char *)a->name;
		char value[VALUE];

		if (a->ns == NULL && is_in(rule->attributes, name) &&
		    xml_attr(from, name, value, sizeof value) &&
		    is_harmless(value, strcmp(name, "timezone") == 0))
			(void)xml_set(to, name, value);
	}
}

void
allowed_copy(xmlNodePtr to, xmlNodePtr from, const char *at, struct allowed_dropped *dropped)
{
	const struct rule *rule = find_rule(at);
	char text[VALUE];

	if (rule == NULL)
		return;
	copy_attributes(to, from, rule);
	if (rule->text && xml_child(from, NULL) == NULL && xml_text(from, text, sizeof text) &&
	    is_harmless(text, 0))
		xmlNodeAddContent(to, (const xmlChar *)text);
	for (xmlNodePtr c = xml_child(from, NULL); c != NULL; c = xml_next(c, NULL))
		(void)allowed_add(to, c, at, dropped);
}

xmlNodePtr
allowed_add(xmlNodePtr to, xmlNodePtr from, const char *at, struct allowed_dropped *dropped)
{
	const struct rule *above = find_rule(at);
	const char *name = (const char *)from->name;
	char place[256];
	xmlNodePtr made;

	if (from->ns != NULL || above == NULL || !is_in(above->children, name) ||
	    (size_t)snprintf(place, sizeof place, "%s/%s", at, name) >= sizeof place) {
		if (!is_in(SILENT, name))
			allowed_drop(dropped, name);
		return (NULL);
	}
	if ((made = xml_add(to, name, NULL)) != NULL)
		allowed_copy(made, from, place, dropped);
	return (made);
}
