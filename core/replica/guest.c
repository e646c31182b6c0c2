#include "replica/guest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/image.h"
#include "host/script.h"
#include "replica/definitions.h"
#include "replica/overlays.h"
#include "replica/reach.h"

#define GUEST_NAME (LIMIT_NAME + 8)

/* A VM as the host is to have it, with room for all that is in it. */
struct described {
	struct host_vm vm;
	char name[GUEST_NAME];
	struct host_disk disks[HOST_DISKS];
	char paths[HOST_DISKS][PATH_MAX];
	char *definition; /* its own */
};

static void
undescribe(struct described *d)
{
	if (d != NULL)
		free(d->definition);
	free(d);
}

static void
name_it(const struct replica *R, enum guest g, char out[GUEST_NAME])
{
	snprintf(out, GUEST_NAME, "%s%s", R->vm, g == GUEST_TEST ? " - Test" : "");
}

static const char *
overlays_of(enum guest g)
{
	return (g == GUEST_TEST ? OVERLAYS_TEST : OVERLAYS_FAILOVER);
}

static int
excluded_path(const struct replica *R, enum guest g, unsigned i, char out[PATH_MAX])
{
	char dir[PATH_MAX];

	if (g != GUEST_TEST)
		return (replica_excluded_path(R, i, out));
	if (realpath(R->dir, dir) == NULL)
		return (say_failed("%s: cannot find it", R->dir));
	return (io_path(out, "%s/%s/%s.raw", dir, OVERLAYS_TEST, R->excluded[i].id));
}

/* --- the host ------------------------------------------------------------------------------------------- */

int
guest_prepare(struct replica *R, const struct site *S)
{
	const struct trust_entry *e = trust_by_key(site_trust(S), R->key);
	struct host *H;
	int rc;

	/* One that this site had as the VM's primary is still its host. */
	if (e != NULL && e->host[0] != '\0')
		strcpy(R->host, e->host);
	rc = host_open(&H, R->host);
	host_close(H);
	if (rc == 1)
		say_note("%s: the host is named by 'vmferry trust add --host'", R->vm);
	return (rc);
}

int
guest_make_excluded(const struct replica *R, enum guest g)
{
	char path[PATH_MAX], dir[PATH_MAX];
	int rc = 0;

	if (R->nexcluded == 0)
		return (0);
	if (io_path(dir, "%s/%s", R->dir, g == GUEST_TEST ? OVERLAYS_TEST : "excluded") != 0 ||
	    io_mkdir(dir, 0700) != 0)
		return (-1);
	for (unsigned i = 0; rc == 0 && i < R->nexcluded; i++) {
		struct image *I;
		int there;

		if (excluded_path(R, g, i, path) != 0 || (there = io_exists(source_path(path))) < 0)
			return (-1);
		if (there)
			continue;
		I = image_create(path, R->excluded[i].size);
		rc = I == NULL ? -1 : image_sync(I);
		image_free(I);
	}
	return (rc == 0 ? io_sync_dir(dir) : -1);
}

/* What is to be said of the disk is its path, and its format alone. */
static enum host_format
split(char *where)
{
	const char *path = source_path(where);

	if (path == where)
		return (HOST_RAW);
	memmove(where, path, strlen(path) + 1);
	return (HOST_QCOW2);
}

static void
add_disk(struct described *d, const char *id, uint64_t size, enum host_format format, int is_excluded)
{
	unsigned n = d->vm.ndisks++;

	d->disks[n] =
	    (struct host_disk){ .id = id, .format = format, .size = size, .is_excluded = is_excluded };
	if (source_is_uri(d->paths[n]))
		d->disks[n].uri = d->paths[n];
	else
		d->disks[n].path = d->paths[n];
}

/* Was a disk that is excluded now replicated at that point?  Then the VM has it from there. */
static int
was_replicated(const struct replica *R, const struct replica_point *at, const char *id)
{
	for (unsigned i = 0; at != NULL && i < R->ndisks; i++)
		if (at->disks[i].size > 0 && strcmp(R->disks[i], id) == 0)
			return (1);
	return (0);
}

/* Where a disk is to be, which need not be there yet. */
static int
placeholder_path(const struct replica *R, unsigned i, char out[PATH_MAX])
{
	char dir[PATH_MAX];

	if (replica_disk_is_elsewhere(R, i))
		return (io_path(out, "%s", R->where[i]));
	if (realpath(R->dir, dir) == NULL)
		return (say_failed("%s: cannot find: %s", R->dir, strerror(errno)));
	return (io_path(out, "%s/disks/%s.raw", dir, R->disks[i]));
}

static int
describe(struct described *d, const struct replica *R, enum guest g, const struct replica_point *at)
{
	const enum host_purpose purposes[] = { HOST_TEST, HOST_FAILOVER, HOST_PRIMARY,
		at == NULL ? HOST_PLACEHOLDER : HOST_REPLICA };
	int is_own = g == GUEST_PRIMARY || g == GUEST_REPLICA;
	enum host_format format;

	memset(d, 0, sizeof *d);
	name_it(R, g, d->name);
	d->vm = (struct host_vm){ .uuid = R->uuid,
		.name = d->name,
		.vm = R->vm,
		.purpose = purposes[g],
		.disks = d->disks,
		.is_isolated = g == GUEST_TEST,
		.may_start = g != GUEST_REPLICA };
	if (definitions_read(R, at, &d->definition) != 0)
		return (-1);
	d->vm.definition = d->definition;
	for (unsigned i = 0; i < R->ndisks; i++) {
		char *path = d->paths[d->vm.ndisks];

		if (at != NULL && at->disks[i].size == 0)
			continue;
		if ((at == NULL  ? placeholder_path(R, i, path)
		        : is_own ? overlays_base(R, i, path)
		                 : overlays_path(R, overlays_of(g), i, path)) != 0)
			return (-1);
		format = at == NULL || is_own ? split(path) : HOST_QCOW2;
		add_disk(d, R->disks[i], at == NULL ? 0 : at->disks[i].size, format, 0);
	}
	for (unsigned i = 0; i < R->nexcluded; i++) {
		if (was_replicated(R, at, R->excluded[i].id))
			continue;
		if (excluded_path(R, g, i, d->paths[d->vm.ndisks]) != 0)
			return (-1);
		format = split(d->paths[d->vm.ndisks]);
		add_disk(d, R->excluded[i].id, R->excluded[i].size, format, 1);
	}
	return (0);
}

/* A path or URI as an option of QEMU within single quotes of the shell takes it. */
static void
print_quoted(const char *path)
{
	for (; *path != '\0'; path++)
		if (*path == '\'')
			fputs("'\\''", stdout);
		else if (*path == ',')
			fputs(",,", stdout);
		else
			putchar(*path);
}

static void
print(const struct described *d, int is_none)
{
	for (unsigned i = 0; i < d->vm.ndisks; i++) {
		const struct host_disk *k = &d->disks[i];

		printf("%s: disk %s: %s (%s, %" PRIu64 " bytes%s)\n", d->name, k->id, d->paths[i],
		    host_format_name(k->format), k->size, k->is_excluded ? ", empty: not replicated" : "");
	}
	if (!is_none)
		return;
	printf("%s: to try it: qemu-system-x86_64 -enable-kvm -m 2G%s", d->name,
	    d->vm.is_isolated ? " -nic none" : "");
	for (unsigned i = 0; i < d->vm.ndisks; i++) {
		fputs(" -drive 'file=", stdout);
		print_quoted(d->paths[i]);
		printf(",format=%s,if=virtio'", host_format_name(d->disks[i].format));
	}
	putchar('\n');
}

int
guest_define(struct replica *R, enum guest g, const struct replica_point *at)
{
	struct described *d = calloc(1, sizeof *d);
	struct host *H = NULL;
	int rc = -1;

	if (d == NULL)
		return (say_failed("out of memory"));
	if (describe(d, R, g, at) == 0 && (rc = host_open(&H, R->host)) == 0) {
		rc = host_is_none(H) ? 0 : reach_open(R, &d->vm);
		if (rc == 0)
			rc = host_define(H, &d->vm);
		if (rc == 0 && g != GUEST_TEST)
			told_note(&R->told, R->host, &d->vm);
		if (rc == 0 || rc == HOST_NOTHING) {
			print(d, rc == HOST_NOTHING);
			rc = 0;
		}
	}
	host_close(H);
	undescribe(d);
	return (rc);
}

int
guest_show(const struct replica *R, enum guest g, const struct replica_point *at)
{
	struct described *d = calloc(1, sizeof *d);
	int rc;

	if (d == NULL)
		return (say_failed("out of memory"));
	if ((rc = describe(d, R, g, at)) == 0)
		print(d, strcmp(R->host, "none") == 0);
	undescribe(d);
	return (rc);
}

/* The site's own script around what happens to the VM: 0, also where there is none; 1, said; -1. */
static int
run_script(struct replica *R, const struct site *S, enum guest g, enum script_phase phase, const char *act)
{
	struct host_networks *n;
	struct described *d;
	const struct point *p = g == GUEST_TEST ? &R->test.at : &R->role.at;
	const struct replica_point *at = replica_point(R, p->seq);
	struct script s = { .home = site_home(S), .site = site_card(S)->name, .act = act, .phase = phase };
	char failure[SCRIPT_WORDS];
	int rc = script_is_there(s.home);

	if (rc <= 0)
		return (rc);
	rc = -1;
	n = calloc(1, sizeof *n);
	d = calloc(1, sizeof *d);
	if (n == NULL || d == NULL)
		say_failed("out of memory");
	else if ((rc = describe(d, R, g, at != NULL ? at : replica_last(R))) == 0) {
		s.vm = &d->vm;
		s.point = p->seq != 0 ? p : NULL;
		if (phase == SCRIPT_BEFORE_START &&
		    guest_networks(R, g, at != NULL ? at : replica_last(R), n) == 0)
			s.networks = n;
		rc = script_run(&s, failure);
		snprintf(R->reminders.script, sizeof R->reminders.script, "%s", failure);
		if (replica_save(R) != 0)
			rc = -1;
	}
	undescribe(d);
	free(n);
	return (rc);
}

int
guest_start(struct replica *R, const struct site *S, enum guest g, const char *act)
{
	char name[GUEST_NAME];
	struct host *H = NULL;
	int rc;

	name_it(R, g, name);
	if ((rc = run_script(R, S, g, SCRIPT_BEFORE_START, act)) != 0 || (rc = host_open(&H, R->host)) != 0)
		return (rc);
	rc = host_start(H, name);
	host_close(H);
	if (rc == 1 || rc == -1)
		say_note(
		    "%s: it was not started, but all else is done, and stays; see to the host, and say the "
		    "same again, or start it there by hand",
		    name);
	if (rc == HOST_NOTHING) {
		say_note("%s: there is no host to ask: start it by hand", name);
		return (0);
	}
	/* It runs: what goes wrong from here on is for a person. */
	if (rc == 0 && run_script(R, S, g, SCRIPT_AFTER_START, act) < 0)
		return (-1);
	return (rc);
}

/* Open the host, to be closed in any case, and ask it how the VM of that name is: 0; 1, said; -1. */
static int
ask_host(const struct replica *R, const char *name, struct host **H, struct host_state *s)
{
	int rc = host_open(H, R->host);

	*s = (struct host_state){ HOST_UNKNOWN, HOST_STOP_UNKNOWN };
	if (rc == 0 && (rc = host_state(*H, name, s)) == HOST_NOTHING)
		rc = 0;
	return (rc);
}

static int
is_up(const struct host_state *s)
{
	return (s->run == HOST_RUNNING || s->run == HOST_PAUSED);
}

int
guest_check_off(const struct replica *R, enum guest g)
{
	struct host_state s;
	char name[GUEST_NAME];
	struct host *H;
	int rc;

	name_it(R, g, name);
	if ((rc = ask_host(R, name, &H, &s)) == 0 && is_up(&s))
		rc = say_refused("%s: is %s at this site's host; shut it down, and say this again", name,
		    host_run_name(s.run));
	host_close(H);
	return (rc);
}

/*
 * Was the VM of that name at the host made, or changed, for what ends now?  If the host has refused that, one that is
 * there is somebody else's.
 */
static int
is_ours(const struct replica *R, enum guest g)
{
	return (g == GUEST_TEST || R->failover.is_defined || R->told.whose != TOLD_NOBODY);
}

int
guest_end(struct replica *R, const struct site *S, enum guest g, const char *act)
{
	struct host_state s;
	char name[GUEST_NAME];
	struct host *H;
	int rc;

	name_it(R, g, name);
	/* What a duplicate has written is thrown away: nobody waits for it to write more, to be undefined is its end. */
	if ((rc = ask_host(R, name, &H, &s)) == 0 && g != GUEST_TEST && is_ours(R, g) && is_up(&s)) {
		say_note(
		    "%s: is asked to shut down, which its host waits for; turn it off there if it does not",
		    name);
		if ((rc = host_shutdown(H, name)) == HOST_NOTHING)
			rc = 0;
	}
	/* A VM that was here before any of this is not ours to remove: what it is to be now follows. */
	if (rc == 0 && is_ours(R, g) && (g == GUEST_TEST || R->told.whose != TOLD_FOUND)) {
		rc = host_undefine(H, name);
		if (rc == 0 && g != GUEST_TEST)
			memset(&R->told, 0, sizeof R->told);
	}
	host_close(H);
	if (rc == HOST_NOTHING)
		rc = 0;
	if (rc == 0 && run_script(R, S, g, SCRIPT_AFTER_STOP, act) < 0)
		return (-1);
	return (rc);
}

int
guest_networks(
    const struct replica *R, enum guest g, const struct replica_point *at, struct host_networks *out)
{
	struct described *d = calloc(1, sizeof *d);
	struct host *H = NULL;
	int rc = -1;

	if (d == NULL)
		return (say_failed("out of memory"));
	out->nnetworks = out->nmissing = 0;
	if (describe(d, R, g, at) == 0 && (rc = host_open(&H, R->host)) == 0 &&
	    (rc = host_networks(H, &d->vm, out)) == HOST_NOTHING)
		rc = 0;
	host_close(H);
	undescribe(d);
	return (rc);
}

void
guest_note_networks(struct replica *R, const struct replica_point *at)
{
	struct host_networks *n = malloc(sizeof *n);
	const char *names[HOST_NETWORKS];

	if (n != NULL && strcmp(R->host, "none") != 0 && guest_networks(R, GUEST_PRIMARY, at, n) == 0) {
		for (unsigned i = 0; i < n->nmissing; i++) {
			names[i] = n->missing[i];
			say_note("%s: the host here does not have its network '%s': make it there, or name "
			         "another for it (HOME/map)",
			    R->vm, n->missing[i]);
		}
		reminders_networks(&R->reminders, names, n->nmissing, (int64_t)time(NULL));
	}
	free(n);
}

/* --- a VM that is off, and stays so --------------------------------------------------------------------- */

static int
save(void *context)
{
	return (replica_save(context));
}

/* Nobody cuts points here any more: what the host keeps track of for them makes writing slower, and is of no use. */
static int
forget_instants(struct replica *R)
{
	struct host *H;
	int rc;

	if (R->forget[0] == '\0')
		return (0);
	if ((rc = host_open(&H, R->host)) == 0)
		rc = host_forget(H, R->vm, R->forget);
	host_close(H);
	if (rc != 0 && rc != HOST_NOTHING) {
		say_note("%s: its host still keeps track of what changes, under names that begin with %s; it "
		         "is asked again with the next command",
		    R->vm, R->forget);
		return (0);
	}
	R->forget[0] = '\0';
	return (replica_save(R));
}

/* Is it for the failovers, or a person, to say what the VM is at the host? */
static int
is_elsewhere_said(const struct replica *R)
{
	return (R->role.state == ROLE_DISABLED || R->role.state == ROLE_TURNED ||
	        R->role.state == ROLE_FAILOVER || R->failover.since != 0 || replica_is_live(R));
}

int
guest_tell(struct replica *R, const struct site *S)
{
	struct telling T = { R->host, &R->told, save, R };
	struct described *d;
	int rc;

	if (is_elsewhere_said(R))
		return (0);
	if ((rc = guest_prepare(R, S)) != 0 || strcmp(R->host, "none") == 0 || (rc = forget_instants(R)) != 0)
		return (rc);
	if ((d = calloc(1, sizeof *d)) == NULL)
		return (say_failed("out of memory"));
	if ((rc = describe(d, R, GUEST_REPLICA, replica_last(R))) == 0)
		rc = told_tell(&T, &d->vm);
	undescribe(d);
	if (rc != 0 || replica_last(R) == NULL)
		return (rc == 2 ? 0 : rc);
	guest_note_networks(R, replica_last(R));
	return (replica_save(R));
}

int
guest_forget(struct replica *R, const struct site *S)
{
	struct host *H;
	int rc;

	if (R->told.whose == TOLD_FOUND)
		say_note("%s: the VM was this site's before it was a replica: it stays at its host", R->vm);
	if (R->told.whose != TOLD_MADE)
		return (0);
	/* One that runs was started by somebody who needs it: undefine would turn it off. */
	if ((rc = guest_prepare(R, S)) != 0 || (rc = guest_check_off(R, GUEST_REPLICA)) != 0)
		return (rc);
	if ((rc = host_open(&H, R->host)) == 0)
		rc = host_undefine(H, R->vm);
	host_close(H);
	if (rc != 0 && rc != HOST_NOTHING)
		return (rc);
	memset(&R->told, 0, sizeof R->told);
	return (0);
}
