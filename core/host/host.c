#include "host/host.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "host/host_program.h"

struct host {
	const struct host_kind *kind;
	void *state;
	char *spec;
};

static const struct {
	const char *name; /* what a spec starts with; one that ends in a colon has more behind it */
	const struct host_kind *kind;
	int (*open)(void **state, const char *rest);
} kinds[] = {
	{ "none", &host_none, host_none_open },
	{ "exec:", &host_program, host_exec_open },
	{ "libvirt:", &host_program, host_libvirt_open },
	{ "qmp:", &host_program, host_qmp_open },
};

/* The number of the kind, or -1; *rest is what is behind its name. */
static int
find_kind(const char *spec, const char **rest)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		size_t n = strlen(kinds[i].name);

		if (strncmp(spec, kinds[i].name, n) != 0 || (kinds[i].name[n - 1] != ':' && spec[n] != '\0'))
			continue;
		*rest = spec + n;
		return ((int)i);
	}
	return (-1);
}

const char *
host_check_spec(const char *spec)
{
	const char *rest;
	int i = find_kind(spec, &rest);

	if (i < 0)
		return ("a host is 'none', 'libvirt:URI', 'qmp:SOCKET' or 'exec:/PATH/OF/PROGRAM'");
	if (strlen(spec) >= PATH_MAX)
		return ("the name of a host is too long");
	for (const char *p = spec; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return ("the name of a host has a control character");
	if (kinds[i].open == host_qmp_open && rest[0] != '/')
		return ("the socket of a QEMU is given by its absolute path: qmp:/PATH/OF/SOCKET");
	if (kinds[i].open == host_exec_open && rest[0] != '/')
		return ("the program of a host is given by its absolute path: exec:/PATH/OF/PROGRAM");
	return (NULL);
}

int
host_open(struct host **out, const char *spec)
{
	const char *why = host_check_spec(spec), *rest = "";
	struct host *H;
	int i, rc;

	*out = NULL;
	if (why != NULL || (i = find_kind(spec, &rest)) < 0)
		return (say_refused("'%s': %s", spec, why));
	if ((H = calloc(1, sizeof *H)) == NULL || (H->spec = strdup(spec)) == NULL) {
		free(H);
		return (say_failed("out of memory"));
	}
	H->kind = kinds[i].kind;
	if ((rc = kinds[i].open(&H->state, rest)) != 0) {
		host_close(H);
		return (rc);
	}
	*out = H;
	return (0);
}

void
host_keep(const char *spec)
{
	struct host *H;

	if (strcmp(spec, "none") == 0 || host_open(&H, spec) != 0)
		return;
	if (H->kind == &host_program)
		host_program_keep(H->state);
	host_close(H);
}

void
host_close(struct host *H)
{
	if (H == NULL)
		return;
	if (H->state != NULL)
		H->kind->close(H->state);
	free(H->spec);
	free(H);
}

const char *
host_spec(const struct host *H)
{
	return (H->spec);
}

int
host_is_none(const struct host *H)
{
	return (H->kind == &host_none);
}

/* A host never gets what it was promised not to get. */
static int
check_vm(const struct host_vm *vm)
{
	if (vm->ndisks > HOST_DISKS)
		return (say_failed("%s: has more than %u disks", vm->name, HOST_DISKS));
	if (vm->definition != NULL && strlen(vm->definition) > HOST_DEFINITION)
		return (say_failed("%s: its definition has more than %u bytes", vm->name, HOST_DEFINITION));
	for (unsigned i = 0; i < vm->ndisks; i++) {
		const struct host_disk *d = &vm->disks[i];

		if (d->uri != NULL && d->path == NULL && d->format == HOST_RAW &&
		    strstr(d->uri, "://") != NULL)
			continue;
		if (d->uri != NULL || (d->path == NULL ? !d->is_excluded : d->path[0] != '/'))
			return (say_failed("%s: disk %s has no absolute path or URI", vm->name, d->id));
	}
	return (0);
}

int
host_define(struct host *H, const struct host_vm *vm)
{
	return (check_vm(vm) != 0 ? -1 : H->kind->define(H->state, vm));
}

int
host_state(struct host *H, const char *name, struct host_state *out)
{
	*out = (struct host_state){ HOST_UNKNOWN, HOST_STOP_UNKNOWN };
	return (H->kind->state(H->state, name, out));
}

int
host_start(struct host *H, const char *name)
{
	return (H->kind->start(H->state, name));
}

int
host_shutdown(struct host *H, const char *name)
{
	return (H->kind->shutdown(H->state, name));
}

int
host_undefine(struct host *H, const char *name)
{
	return (H->kind->undefine(H->state, name));
}

int
host_networks(struct host *H, const struct host_vm *vm, struct host_networks *out)
{
	out->nnetworks = out->nmissing = 0;
	return (check_vm(vm) != 0 ? -1 : H->kind->networks(H->state, vm, out));
}

int
host_machine(struct host *H, const char *name, struct host_machine **out)
{
	struct host_machine *M = calloc(1, sizeof *M);
	int rc = M == NULL ? say_failed("out of memory") : H->kind->machine(H->state, name, M);

	*out = M;
	if (rc == 0)
		return (0);
	host_machine_free(M);
	*out = NULL;
	return (rc);
}

void
host_machine_free(struct host_machine *M)
{
	if (M == NULL)
		return;
	free(M->definition);
	free(M);
}

int
host_view_begin(struct host *H, const char *name, struct host_view *V)
{
	return (H->kind->view(H->state, name, V));
}

int
host_forget(struct host *H, const char *name, const char *prefix)
{
	return (H->kind->forget(H->state, name, prefix));
}

const char *
host_format_name(enum host_format f)
{
	return (f == HOST_QCOW2 ? "qcow2" : "raw");
}

const char *
host_purpose_name(enum host_purpose p)
{
	static const char *const names[] = { "placeholder", "replica", "test", "failover", "primary",
		"fenced" };

	return (names[p]);
}

const char *
host_run_name(enum host_run r)
{
	static const char *const names[] = { "unknown", "absent", "off", "paused", "running" };

	return (names[r]);
}

const char *
host_stop_name(enum host_stop s)
{
	static const char *const names[] = { "unknown", "shutdown", "turned-off", "crashed" };

	return (names[s]);
}
