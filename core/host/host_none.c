#include <stddef.h>

#include "host/host.h"

/* Nobody to ask: a person does it. */

static int
none_vm(void *state, const struct host_vm *vm)
{
	(void)state;
	(void)vm;
	return (HOST_NOTHING);
}

static int
none_name(void *state, const char *name)
{
	(void)state;
	(void)name;
	return (HOST_NOTHING);
}

static int
none_state(void *state, const char *name, struct host_state *out)
{
	(void)state;
	(void)name;
	(void)out; /* says unknown */
	return (0);
}

static int
none_networks(void *state, const struct host_vm *vm, struct host_networks *out)
{
	(void)out; /* is empty */
	return (none_vm(state, vm));
}

static int
none_machine(void *state, const char *name, struct host_machine *M)
{
	(void)M; /* is empty */
	return (none_name(state, name));
}

static int
none_view(void *state, const char *name, struct host_view *V)
{
	(void)V;
	return (none_name(state, name));
}

static int
none_forget(void *state, const char *name, const char *prefix)
{
	(void)prefix;
	return (none_name(state, name));
}

static void
none_close(void *state)
{
	(void)state;
}

int
host_none_open(void **state, const char *rest)
{
	(void)rest;
	*state = NULL;
	return (0);
}

const struct host_kind host_none = { none_vm, none_state, none_name, none_name, none_name, none_networks,
	none_machine, none_view, none_forget, none_close };
