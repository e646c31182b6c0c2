#include "teller.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "primary/fencing.h"
#include "replica/guest.h"
#include "side.h"

#define VMS 4096u /* of which it remembers that something came; the others are told with the next command */

struct teller {
	int to, done; /* pipes: what we tell it, and the end of that it is done */
	char last[HEADER_UUID];
};

/* Of a VM that no host runs there is nothing to be told, and no reason to have its record open. */
static int
primary_has_host(const struct site *S, const char *uuid)
{
	struct primary *P;
	int has;

	if (primary_look(&P, S, uuid) != 0)
		return (0);
	has = strcmp(P->host, "none") != 0;
	primary_close(P);
	return (has);
}

/* A host may be named for its primary by now that the record does not have yet. */
static int
replica_has_host(const struct site *S, const char *vm)
{
	const struct trust_entry *e;
	char uuid[HEADER_UUID];
	struct replica *R;
	int has;

	if (replica_find(S, vm, uuid) != 1 || replica_look(&R, S, uuid) != 0)
		return (0);
	e = trust_by_key(site_trust(S), R->key);
	has = strcmp(R->host, "none") != 0 || (e != NULL && e->host[0] != '\0');
	replica_close(R);
	return (has);
}

static void
tell_primary(const struct site *S, const char *uuid)
{
	struct primary *P;

	if (!primary_has_host(S, uuid) || primary_open(&P, S, uuid) != 0)
		return;
	fencing_tell(P);
	primary_close(P);
}

static void
tell_replica(const struct site *S, const char *uuid)
{
	struct replica *R;

	if (!replica_has_host(S, uuid) || replica_open(&R, S, uuid) != 0)
		return;
	guest_tell(R, S);
	replica_close(R);
}

void
teller_now(const struct site *S, const char *vm)
{
	char uuid[HEADER_UUID];
	int is_replica = side_is_replica(S, vm);

	if (is_replica > 0)
		tell_replica(S, vm);
	else if (is_replica == 0 && primary_find(S, vm, uuid) == 1)
		tell_primary(S, uuid);
}

/* --- another process -------------------------------------------------------------------------------------- */

/* Each UUID that comes, once; nothing is done where the end comes without the word for it, an empty one. */
static void
serve(int from, const struct site *S)
{
	char(*uuids)[HEADER_UUID] = calloc(VMS, sizeof *uuids), uuid[HEADER_UUID] = "x";
	unsigned n = 0, i;

	while (uuids != NULL && io_read(from, "pipe", uuid, sizeof uuid) == (ssize_t)sizeof uuid) {
		uuid[sizeof uuid - 1] = '\0';
		if (uuid[0] == '\0')
			break;
		for (i = 0; i < n && strcmp(uuids[i], uuid) != 0; i++)
			;
		if (i == n && n < VMS)
			strcpy(uuids[n++], uuid);
		uuid[0] = 'x';
	}
	for (i = 0; uuid[0] == '\0' && i < n; i++)
		teller_now(S, uuids[i]);
	free(uuids);
}

static void
close_both(int p[2])
{
	io_close(p[0]);
	io_close(p[1]);
}

int
teller_start(struct teller **out, const struct site *S)
{
	int a[2] = { -1, -1 }, b[2] = { -1, -1 };
	pid_t parent = getpid(), child;
	struct teller *t;

	*out = NULL;
	if ((t = calloc(1, sizeof *t)) == NULL)
		return (say_failed("out of memory"));
	fflush(stdout);
	if (pipe(a) != 0 || pipe(b) != 0 || (child = fork()) < 0) {
		say_failed("cannot start another process: %s", strerror(errno));
		close_both(a);
		close_both(b);
		free(t);
		return (-1);
	}
	if (child == 0) {
		close(a[1]);
		close(b[0]);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
			serve(a[0], S);
		_exit(0);
	}
	close(a[0]);
	close(b[1]);
	t->to = a[1];
	t->done = b[0];
	*out = t;
	return (0);
}

void
teller_note(struct teller *t, const char *uuid)
{
	if (t == NULL || strcmp(t->last, uuid) == 0)
		return;
	snprintf(t->last, sizeof t->last, "%s", uuid);
	if (io_write(t->to, "pipe", t->last, sizeof t->last) != 0)
		say_note("this site's host is told with the next command");
}

void
teller_end(struct teller *t)
{
	static const char go[HEADER_UUID];
	char c;

	if (t == NULL)
		return;
	if (t->last[0] != '\0' && io_write(t->to, "pipe", go, sizeof go) != 0)
		say_note("this site's host is told with the next command");
	close(t->to);
	while (io_read(t->done, "pipe", &c, 1) > 0)
		;
	close(t->done);
	free(t);
}
