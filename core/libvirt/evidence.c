#include "libvirt/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "libvirt/connect.h"
#include "libvirt/xml.h"

#define TAIL (256u << 10) /* bytes at the end of a log that the last run is looked for in */
#define STAMP 29u         /* "2026-11-22 12:54:18.347+0000:" in front of each of libvirt's own lines */

/* The last run in a log. */
struct run {
	char start[STAMP + 1]; /* what tells it from others; empty: none was found */
	char reason[32];       /* empty: it has not ended */
	int by_libvirt;        /* QEMU was ended by libvirt, */
	int by_others;         /* or by somebody else */
	int is_tainted;        /* others than libvirt may have spoken with QEMU's monitor */
};

/* --- the log ----------------------------------------------------------------------------------------- */

/* The folder of the logs: 0; 1 if they are not on this machine, or nobody knows where. */
static int
log_folder(virConnectPtr C, char out[PATH_MAX])
{
	const char *home = getenv("HOME"), *cache = getenv("XDG_CACHE_HOME");
	char *uri = virConnectGetURI(C);
	int rc = 1;

	out[0] = '\0';
	if (uri != NULL &&
	    (strncmp(uri, "qemu:///system", 14) == 0 || strncmp(uri, "qemu+unix:///system", 19) == 0))
		rc = io_path(out, "/var/log/libvirt/qemu");
	else if (uri != NULL && strncmp(uri, "qemu:///session", 15) == 0 && cache != NULL)
		rc = io_path(out, "%s/libvirt/qemu/log", cache);
	else if (uri != NULL && strncmp(uri, "qemu:///session", 15) == 0 && home != NULL)
		rc = io_path(out, "%s/.cache/libvirt/qemu/log", home);
	free(uri);
	return (rc != 0);
}

/* The end of the VM's log from the start of a line on, to be freed; NULL if there is none that can be read. */
static char *
read_tail(virConnectPtr C, const char *name)
{
	char dir[PATH_MAX], path[PATH_MAX], *text = NULL, *line;
	uint64_t size = 0, from = 0;
	ssize_t n = -1;
	int fd;

	if (log_folder(C, dir) != 0 || io_path(path, "%s/%s.log", dir, name) != 0 || io_exists(path) != 1 ||
	    (fd = io_open_read(path)) < 0)
		return (NULL);
	if (io_size(fd, path, &size) == 0 && (text = malloc(TAIL + 1)) != NULL) {
		from = size > TAIL ? size - TAIL : 0;
		n = io_pread(fd, path, text, TAIL, from);
	}
	io_close(fd);
	if (n < 0) {
		free(text);
		return (NULL);
	}
	text[n] = '\0';
	if (from > 0 && (line = strchr(text, '\n')) != NULL)
		memmove(text, line + 1, strlen(line + 1) + 1);
	return (text);
}

/* What libvirt itself wrote in a line, behind the time; or NULL. */
static const char *
its_words(const char *line)
{
	static const char form[] = "dddd-dd-dd dd:dd:dd.ddd+dddd: ";

	for (unsigned i = 0; i < sizeof form - 1; i++)
		if (form[i] == 'd' ? line[i] < '0' || line[i] > '9' : line[i] != form[i])
			return (NULL);
	return (line + sizeof form - 1);
}

/* "... terminating on signal 15 from pid 14 (/usr/sbin/libvirtd)": is that libvirt? */
static int
is_from_libvirt(const char *line)
{
	const char *open = strrchr(line, '('), *close = strrchr(line, ')'), *slash;
	size_t n;

	if (open == NULL || close == NULL || close < open || close[1] != '\0')
		return (0);
	slash = strrchr(open, '/');
	open = slash != NULL ? slash + 1 : open + 1;
	n = (size_t)(close - open);
	return (
	    (n == 8 && memcmp(open, "libvirtd", n) == 0) || (n == 9 && memcmp(open, "virtqemud", n) == 0));
}

static void
take_line(struct run *r, const char *line)
{
	const char *words = its_words(line), *reason;

	if (words == NULL) {
		/* In QEMU's own form: TIME NAME: terminating on ... */
		if ((words = strstr(line, ": terminating on signal ")) == NULL)
			return;
		if (is_from_libvirt(words))
			r->by_libvirt = 1;
		else
			r->by_others = 1;
	} else if (strncmp(words, "starting up", 11) == 0) {
		memset(r, 0, sizeof *r);
		memcpy(r->start, line, STAMP);
	} else if (strncmp(words, "shutting down, reason=", 22) == 0) {
		reason = words + 22;
		(void)snprintf(r->reason, sizeof r->reason, "%.31s", reason);
	} else if (strstr(words, " is tainted: custom-monitor") != NULL ||
	           strstr(words, " is tainted: custom-argv") != NULL)
		r->is_tainted = 1;
}

static void
read_run(virConnectPtr C, virDomainPtr D, struct run *r)
{
	char *text = read_tail(C, virDomainGetName(D)), *line = text, *end;

	memset(r, 0, sizeof *r);
	while (line != NULL) {
		if ((end = strchr(line, '\n')) != NULL)
			*end++ = '\0';
		take_line(r, line);
		line = end;
	}
	free(text);
}

/* --- our own record ---------------------------------------------------------------------------------- */

static int
record_path(virDomainPtr D, char dir[PATH_MAX], char path[PATH_MAX])
{
	const char *home = getenv("VMFERRY_HOME");
	char uuid[VIR_UUID_STRING_BUFLEN];

	if (home == NULL || home[0] != '/' || virDomainGetUUIDString(D, uuid) != 0)
		return (1);
	return (io_path(dir, "%s/evidence", home) != 0 || io_path(path, "%s/%s", dir, uuid) != 0 ? -1 : 0);
}

/* The run that a record is good for: of this machine, by when it started. */
static void
name_run(const struct run *r, char out[160])
{
	char host[65] = "";

	(void)gethostname(host, sizeof host - 1);
	(void)snprintf(
	    out, 160, "shut down by its guest: the run of %.*s on %s\n", (int)STAMP - 1, r->start, host);
}

static int
was_seen(virDomainPtr D, const struct run *r)
{
	char dir[PATH_MAX], path[PATH_MAX], want[160], *text;
	size_t n;
	int is;

	if (r->start[0] == '\0' || record_path(D, dir, path) != 0 || io_exists(path) != 1 ||
	    (text = io_slurp(path, sizeof want, &n)) == NULL)
		return (0);
	name_run(r, want);
	is = strcmp(text, want) == 0;
	free(text);
	return (is);
}

int
evidence_keep(virConnectPtr C, virDomainPtr D)
{
	char dir[PATH_MAX], path[PATH_MAX], text[160];
	struct run r;
	int rc = record_path(D, dir, path);

	read_run(C, D, &r);
	if (rc != 0 || r.start[0] == '\0')
		return (rc < 0 ? -1 : 0); /* nowhere to keep it, or nothing that it could be bound to */
	name_run(&r, text);
	if (io_mkdir(dir, 0700) != 0)
		return (-1);
	return (io_replace(path, text, strlen(text), 0600));
}

int
evidence_forget(virDomainPtr D)
{
	char dir[PATH_MAX], path[PATH_MAX];
	int rc = record_path(D, dir, path);

	return (rc != 0 ? (rc < 0 ? -1 : 0) : io_remove(path));
}

/* --- the judgement ----------------------------------------------------------------------------------- */

/* A guest that reboots is stopped where its definition says so, in just the same way as one that shuts down. */
static int
stops_at_reboot(virDomainPtr D)
{
	char *text = virDomainGetXMLDesc(D, VIR_DOMAIN_XML_INACTIVE), action[32];
	xmlNodePtr top = text == NULL ? NULL : xml_parse(text, "domain");
	int is = top == NULL || (xml_text(xml_child(top, "on_reboot"), action, sizeof action) &&
	                            strcmp(action, "restart") != 0);

	xml_free(top);
	free(text);
	return (is);
}

/* libvirt's own reason, as far as it is worth something: -1 if the log has to say it. */
static int
by_reason(virDomainPtr D)
{
	int state = 0, reason = 0;

	if (virDomainGetState(D, &state, &reason, 0) != 0 || state != VIR_DOMAIN_SHUTOFF)
		return (HOST_STOP_UNKNOWN);
	switch (reason) {
	case VIR_DOMAIN_SHUTOFF_DESTROYED:
		return (HOST_TURNED_OFF);
	case VIR_DOMAIN_SHUTOFF_CRASHED:
		return (HOST_CRASHED);
	case VIR_DOMAIN_SHUTOFF_UNKNOWN:
	case VIR_DOMAIN_SHUTOFF_SHUTDOWN:
	case VIR_DOMAIN_SHUTOFF_DAEMON:
		return (-1);
	default: /* it was migrated, saved, never ran: its disks are not as a shutdown left them */
		return (HOST_STOP_UNKNOWN);
	}
}

static enum host_stop
by_log(virDomainPtr D, const struct run *r)
{
	if (r->start[0] == '\0')
		return (HOST_STOP_UNKNOWN);
	if (r->reason[0] == '\0') /* its host went down with it */
		return (HOST_TURNED_OFF);
	if (strcmp(r->reason, "crashed") == 0)
		return (HOST_CRASHED);
	if (strcmp(r->reason, "destroyed") == 0)
		return (HOST_TURNED_OFF);
	if (strcmp(r->reason, "shutdown") != 0)
		return (HOST_STOP_UNKNOWN);
	if (r->by_others)
		return (HOST_TURNED_OFF);
	if ((!r->by_libvirt && r->is_tainted && !was_seen(D, r)) || stops_at_reboot(D))
		return (HOST_STOP_UNKNOWN);
	return (HOST_SHUT_DOWN);
}

enum host_stop
evidence_judge(virConnectPtr C, virDomainPtr D)
{
	int known = by_reason(D);
	struct run r;

	if (known >= 0)
		return ((enum host_stop)known);
	if (virDomainHasManagedSaveImage(D, 0) != 0)
		return (HOST_STOP_UNKNOWN);
	read_run(C, D, &r);
	return (by_log(D, &r));
}
