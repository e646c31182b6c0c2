#ifndef HOST_H_
#define HOST_H_

#include <limits.h>
#include <stdint.h>

#include "bounds.h"
#include "header.h"

/*
 * The hypervisor at a site.  Kinds: "none", where a person does by hand what is to be done, and those where a program
 * does it, asked as vmferry-host(7) says: "exec:/PATH/OF/PROGRAM", "libvirt:URI" (ours, vmferry-libvirt) and
 * "qmp:SOCKET" (ours, vmferry-qmp).  To add one of ours, name it in host.c; a kind of another sort is a file host_KIND.c.
 */
struct host;

/* What all functions below return but for 0 (done), 1 (refused, said) and -1 (failed, said). */
#define HOST_NOTHING \
	2 /* there is nobody to ask (none): nothing was done, nothing said; a person has to do it */

#define HOST_NETWORKS 64u /* networks of one VM */
#define HOST_DISKS (2 * LIMIT_DISKS)
#define HOST_DEFINITION 262144u /* bytes in a definition */
#define HOST_TOKEN 64u          /* room for the name of an instant: letters, digits, '-' */
#define HOST_BITMAP 256u
#define HOST_WHY 256u

enum host_purpose {
	HOST_PLACEHOLDER, /* the initial copy is not in */
	HOST_REPLICA,     /* a replica: off, and stays so */
	HOST_TEST,        /* a test failover: a duplicate */
	HOST_FAILOVER,    /* a failover that is not completed */
	HOST_PRIMARY,     /* the VM itself */
	HOST_FENCED,      /* was the VM; another site has it now */
};

enum host_format {
	HOST_RAW,
	HOST_QCOW2,
};

struct host_disk {
	const char *id;
	/* A file or block device, absolute; NULL of an export, and of an excluded disk: make an empty one. */
	const char *path;
	enum host_format format;
	uint64_t size; /* bytes */
	int is_excluded;
	const char *uri; /* of an NBD export, raw; or NULL */
};

/* A VM as the host is to have it.  All is borrowed. */
struct host_vm {
	const char
	    *uuid; /* as the VM is known by to vmferry; that of a test's duplicate is the host's to make */
	const char *name; /* as it is to be called at the host: "web1", "web1 - Test" */
	const char *vm; /* the name that vmferry knows it by: "web1" in both cases; NULL: the same as name */
	enum host_purpose purpose;
	const struct host_disk *disks;
	unsigned ndisks; /* at most HOST_DISKS */
	const char
	    *definition; /* the definition as it came from the primary (libvirt XML or another), or NULL */
	int is_isolated; /* on a network where it meets no other machine; else networks as defined */
	int may_start;   /* else the host should refuse to start it */
};

enum host_run {
	HOST_UNKNOWN, /* nobody can say: of kind none */
	HOST_ABSENT,  /* the host has no VM of that name */
	HOST_OFF,
	HOST_PAUSED,
	HOST_RUNNING,
};

/* How a VM that is off came to be so. */
enum host_stop {
	HOST_STOP_UNKNOWN,
	HOST_SHUT_DOWN,  /* the guest shut itself down: its disks are whole */
	HOST_TURNED_OFF, /* as if its power was cut */
	HOST_CRASHED,
};

struct host_state {
	enum host_run run;
	enum host_stop stop; /* HOST_STOP_UNKNOWN unless run is HOST_OFF */
};

struct host_networks {
	unsigned nnetworks, nmissing;
	char networks[HOST_NETWORKS][LIMIT_NAME + 1]; /* that the VM wants */
	char missing[HOST_NETWORKS][LIMIT_NAME + 1];  /* those of them that this host does not have */
};

/* Is this the name of a host, in its form?  NULL, or why not. */
const char *host_check_spec(const char *spec);

/**
 * Prepare to ask the host named by spec ("none", "exec:PATH").  0; 1, said, if there is no such kind or its
 * program is not there to be run; -1.  Nothing is asked yet.
 */
int host_open(struct host **H, const char *spec);

/**
 * For who asks again and again, in processes forked from this one: keep the program of that host ready, if it is one of
 * ours, in place of the one that was kept before (program_keep).  Where that cannot be nothing is lost but time.
 */
void host_keep(const char *spec);
void host_close(struct host *H);

/* The name it was opened by, and whether there is nobody to ask. */
const char *host_spec(const struct host *H);
int host_is_none(const struct host *H);

/**
 * Let the host have this VM, off, as described; one of that name is changed to it, also if this was done before.
 * 0, 1, -1 or HOST_NOTHING, as all that follow.
 */
int host_define(struct host *H, const struct host_vm *vm);

/* How the VM is: 0 (with HOST_UNKNOWN where there is nobody to ask), 1 or -1. */
int host_state(struct host *H, const char *name, struct host_state *out);

/* Start the VM; that it runs already is fine. */
int host_start(struct host *H, const char *name);

/* Ask the guest to shut itself down and wait until it is off; that it is off already is fine.  May take minutes. */
int host_shutdown(struct host *H, const char *name);

/* Let the host forget the VM, turned off at once if it runs.  Its disks stay.  That it is absent is fine. */
int host_undefine(struct host *H, const char *name);

/**
 * Which networks the VM wants, and which of them the host lacks.  out is empty on HOST_NOTHING.
 */
int host_networks(struct host *H, const struct host_vm *vm, struct host_networks *out);

/* A disk as the host's VM has it. */
struct host_machine_disk {
	char id[LIMIT_DISK_ID + 1];
	char where[PATH_MAX]; /* as source_open takes it */
	uint64_t size;        /* bytes; 0: not said */
	int is_removable;     /* a CD-ROM or floppy drive: with a why */
	int is_swap;          /* it looks as if it held nothing that matters */
	char why[HOST_WHY];   /* not empty: it cannot be replicated, and why */
};

struct host_machine {
	char uuid[HEADER_UUID]; /* or empty */
	unsigned ndisks;
	struct host_machine_disk disks[HOST_DISKS];
	char *definition;  /* or NULL */
	enum host_run run; /* HOST_UNKNOWN: not said here; host_state says it */
};

/**
 * What the VM is.  0, *M being the caller's to free with host_machine_free; 1, said, if the host has no such VM, or is
 * one that cannot tell; -1; HOST_NOTHING.
 */
int host_machine(struct host *H, const char *name, struct host_machine **M);
void host_machine_free(struct host_machine *M);

/* The disks of a VM that runs, frozen at one instant: see "Views" in vmferry-host(7). */
struct host_view_disk {
	char id[LIMIT_DISK_ID + 1];
	char where[PATH_MAX];     /* in: as 'machine' says it; out: where the frozen content is read */
	char bitmap[HOST_BITMAP]; /* out: the dirty bitmap there that has what changed; or empty */
	char changes[PATH_MAX];   /* out: or a file of lines "offset length"; or empty */
	char how[HOST_WHY];       /* out: where changes are known: in words, from what; or empty */
	char why[HOST_WHY];       /* out: why they are not; or empty */
};

struct host_view {
	char token[HOST_TOKEN], since[HOST_TOKEN], prefix[HOST_TOKEN];
	int quiesce;
	int is_quiesced;             /* out */
	char not_quiesced[HOST_WHY]; /* out: why not, if that was asked */
	unsigned ndisks;
	struct host_view_disk disks[LIMIT_DISKS];
	struct program_talk *talk; /* the program that holds it */
};

/**
 * Freeze the VM's disks: 0, and the view stands until host_view_end; 1, said, if the host says no or cannot; -1;
 * HOST_NOTHING.
 */
int host_view_begin(struct host *H, const char *name, struct host_view *V);

/* End it: is the point taken in (keep what its token tracks) or not?  0; 1 or -1, said; what was read counts only on 0. */
int host_view_end(struct host_view *V, int is_taken);

/* Let the host forget all that it keeps for views with that prefix. */
int host_forget(struct host *H, const char *name, const char *prefix);

/* "raw" or "qcow2". */
const char *host_format_name(enum host_format f);

/* Words for a person and keys for --json: "replica", "running", "shutdown". */
const char *host_purpose_name(enum host_purpose p);
const char *host_run_name(enum host_run r);
const char *host_stop_name(enum host_stop s);

/* What a kind does.  Results as above; what is passed in was checked. */
struct host_kind {
	int (*define)(void *state, const struct host_vm *vm);
	int (*state)(void *state, const char *name, struct host_state *out);
	int (*start)(void *state, const char *name);
	int (*shutdown)(void *state, const char *name);
	int (*undefine)(void *state, const char *name);
	int (*networks)(void *state, const struct host_vm *vm, struct host_networks *out);
	int (*machine)(void *state, const char *name, struct host_machine *M);
	int (*view)(void *state, const char *name, struct host_view *V);
	int (*forget)(void *state, const char *name, const char *prefix);
	void (*close)(void *state);
};

/* The kinds.  Each takes what is behind the colon of its name, sets *state, and returns as host_open does. */
extern const struct host_kind host_none, host_program;
int host_none_open(void **state, const char *rest);
int host_exec_open(void **state, const char *rest);
int host_libvirt_open(void **state, const char *rest);
int host_qmp_open(void **state, const char *rest);

#endif
