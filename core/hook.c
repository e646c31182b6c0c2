#include "hook.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "header.h"
#include "name.h"
#include "primary/primary.h"
#include "replica/replica.h"

/* Is the VM about to be started?  A libvirtd that finds it running again (reconnect) is no start. */
static int
is_start(const struct hook_question *q)
{
	static const char *const starts[] = { "prepare", "start", "restore", "migrate" };

	for (size_t i = 0; strcmp(q->phase, "begin") == 0 && i < sizeof starts / sizeof *starts; i++)
		if (strcmp(q->operation, starts[i]) == 0)
			return (1);
	return (0);
}

int
hook_uuid(const char *text, char uuid[HEADER_UUID])
{
	static const char begin[] = "<uuid>", end[] = "</uuid>";
	const char *p = strstr(text, begin);

	if (p == NULL)
		return (0);
	p += sizeof begin - 1;
	p += strspn(p, " \t\r\n");
	if (strnlen(p, HEADER_UUID - 1) < HEADER_UUID - 1)
		return (0);
	for (size_t i = 0; i < HEADER_UUID - 1; i++)
		uuid[i] = (char)(p[i] >= 'A' && p[i] <= 'F' ? p[i] - 'A' + 'a' : p[i]);
	uuid[HEADER_UUID - 1] = '\0';
	p += HEADER_UUID - 1;
	p += strspn(p, " \t\r\n");
	return (strncmp(p, end, sizeof end - 1) == 0 && name_check_uuid(uuid) == NULL);
}

/* --- what the records say ------------------------------------------------------------------------------ */

static int
cannot_tell(const char *name, const char *uuid)
{
	return (say_refused(
	    "%s: is a VM of vmferry's (%s), and its record cannot be read, so nobody knows whether it "
	    "may run here; see 'vmferry status', and restore the home from a backup",
	    name, uuid));
}

static int
judge_replica(const struct replica *R, const char *name)
{
	char words[ROLE_WORDS], test[LIMIT_NAME + 8];
	const char *why = role_objection(&R->role, ROLE_START, words);

	/* Whose the disks are does not change as it is disabled. */
	if (R->role.state == ROLE_DISABLED && role_beneath(&R->role) == ROLE_FAILED_OVER)
		return (0);
	snprintf(test, sizeof test, "%s - Test", R->vm);
	if (why == NULL || (R->test.is_on && strcmp(name, test) == 0))
		return (0);
	if (R->role.state == ROLE_TURNED)
		return (say_refused("%s: may not be started here yet: this site has begun to be its primary; "
		                    "'vmferry reverse %s' completes it",
		    name, R->vm));
	if (R->npoints == 0)
		return (
		    say_refused("%s: is the placeholder of a replica whose initial copy is not in: it may "
		                "not be started; bring the seed of site '%s'",
		        name, R->primary));
	return (
	    say_refused("%s: is a replica of site '%s' here, and may not be started outside of vmferry: %s; "
	                "'vmferry failover %s' starts it: --test as a duplicate, --planned --complete or "
	                "--unplanned as the VM itself",
	        name, R->primary, why, R->vm));
}

static int
judge_primary(const struct primary *P, const char *name)
{
	char words[ROLE_WORDS];
	const char *why = role_objection(&P->role, ROLE_START, words);

	return (why == NULL ? 0 : say_refused("%s: may not be started here: %s", name, why));
}

/* Has the site that folder in its home?  1 or 0; -1, said. */
static int
has_folder(const struct site *S, const char *kind, const char *uuid)
{
	char path[PATH_MAX];

	return (io_path(path, "%s/%s/%s", site_home(S), kind, uuid) != 0 ? -1 : io_exists(path));
}

static int
ask_replica(const struct site *S, const char *uuid, const char *name, int has_primary)
{
	struct replica *R;
	int rc;

	if (replica_look(&R, S, uuid) != 0)
		return (cannot_tell(name, uuid));
	/*
	 * One that has turned has no say any more, once the record of the primary is there; nor where that was
	 * removed again, and this one is left, disabled, with the VM's own disks.
	 */
	rc = role_beneath(&R->role) == ROLE_TURNED && (has_primary || R->role.state == ROLE_DISABLED)
	         ? 2
	         : judge_replica(R, name);
	replica_close(R);
	return (rc);
}

/* By UUID: 2: there is no such VM here. */
static int
ask_record(const struct site *S, const char *uuid, const char *name)
{
	int has_replica = has_folder(S, "replicas", uuid), has_primary = has_folder(S, "primaries", uuid),
	    rc = 2;
	struct primary *P;

	if (has_replica < 0 || has_primary < 0)
		return (cannot_tell(name, uuid));
	if (has_replica)
		rc = ask_replica(S, uuid, name, has_primary);
	if (rc != 2 || !has_primary)
		return (rc);
	if (primary_look(&P, S, uuid) != 0)
		return (cannot_tell(name, uuid));
	rc = judge_primary(P, name);
	primary_close(P);
	return (rc);
}

/* --- by name ---------------------------------------------------------------------------------------------- */

struct search {
	const struct site *S;
	const char *name;
	int rc;
};

static int
is_primary_of(void *context, const char *uuid)
{
	struct search *s = context;
	struct primary *P;
	int is_it;

	if (primary_look(&P, s->S, uuid) != 0)
		return (0); /* said; whose it is cannot be told */
	is_it = strcmp(P->vm, s->name) == 0;
	primary_close(P);
	if (is_it)
		s->rc = ask_record(s->S, uuid, s->name);
	return (is_it);
}

static int
is_replica_of(void *context, const char *uuid)
{
	struct search *s = context;
	struct replica *R;
	int is_it;

	if (replica_look(&R, s->S, uuid) != 0)
		return (0); /* as above */
	is_it = strcmp(R->vm, s->name) == 0;
	replica_close(R);
	if (is_it)
		s->rc = ask_record(s->S, uuid, s->name);
	return (is_it);
}

/* One with the name of a replica may be that on its disks, made by hand; so the name counts where no UUID does. */
static int
ask_by_name(const struct site *S, const char *name)
{
	struct search s = { S, name, 2 };

	if (replica_each(S, is_replica_of, &s) == 0)
		primary_each(S, is_primary_of, &s);
	return (s.rc);
}

/* The site itself cannot be opened: a VM that has a folder in its home may be another's to run. */
static int
ask_folders(const char *home, const char *uuid, const char *name)
{
	static const char *const kinds[] = { "primaries", "replicas" };
	char dir[PATH_MAX], path[PATH_MAX];

	if (home == NULL ? site_default_home(dir) != 0 : io_path(dir, "%s", home) != 0)
		return (0);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (io_path(path, "%s/%s/%s", dir, kinds[i], uuid) == 0 && io_exists(path) == 1)
			return (cannot_tell(name, uuid));
	return (0);
}

int
hook(const struct hook_question *q)
{
	char uuid[HEADER_UUID];
	int has_uuid = hook_uuid(q->definition, uuid), rc = 2;
	struct site *S;

	if (!is_start(q) || !site_exists(q->home))
		return (0);
	if ((S = site_open(q->home)) == NULL)
		return (has_uuid ? ask_folders(q->home, uuid, q->name) : 0);
	if (has_uuid)
		rc = ask_record(S, uuid, q->name);
	if (rc == 2)
		rc = ask_by_name(S, q->name);
	site_close(S);
	return (rc == 2 ? 0 : rc);
}
