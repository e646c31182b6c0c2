#include "libvirt/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/program.h"
#include "base/say.h"
#include "base/stop.h"
#include "hyper/answer.h"
#include "hyper/reflink.h"
#include "libvirt/backup.h"
#include "libvirt/checkpoint.h"
#include "libvirt/connect.h"
#include "libvirt/view_kinds.h"
#include "libvirt/watch.h"

/* --- what it is of ---------------------------------------------------------------------------------------------- */

/* Sockets and clones are of this machine: so must be the libvirt. */
static int
check_local(const struct question *Q)
{
	const char *transport = strchr(Q->host, '+'), *rest = strstr(Q->host, "://");

	if (Q->host[0] == '\0' ||
	    (rest != NULL && rest[3] == '/' &&
	        (transport == NULL || transport > rest || strncmp(transport, "+unix", 5) == 0)))
		return (0);
	return (say_refused(
	    "%s: a VM is viewed at the host that it runs on, and %s is another: run vmferry there, with "
	    "qemu:///system",
	    Q->name, Q->host));
}

static int
check_active(virDomainPtr D)
{
	int is = virDomainIsActive(D);

	if (is < 0)
		return (say_failed(
		    "%s: libvirt cannot say whether it runs: %s", virDomainGetName(D), connect_words()));
	return (is ? 0 : say_refused("%s: is off: its disks are read as they lie", virDomainGetName(D)));
}

/* "FORMAT:/PATH" or "/PATH": what is behind the format. */
static const char *
path_of(const char *where)
{
	const char *p = strstr(where, ":/");

	return (where[0] == '/' || p == NULL || p[2] == '/' ? where : p + 1);
}

static int
find_disks(struct view *W)
{
	for (unsigned i = 0; i < W->Q->ndisks; i++) {
		const struct question_disk *q = &W->Q->disks[i];
		const struct live_disk *d = live_disk(W->live, q->id);
		const char *path = path_of(q->where);

		if (d == NULL)
			return (say_refused("%s: has no disk %s now", W->Q->name, q->id));
		if (path[0] == '/' && d->path[0] != '\0' && strcmp(path, d->path) != 0)
			return (say_refused(
			    "%s: its disk %s is %s now, and not %s", W->Q->name, q->id, d->path, path));
		W->disks[i] = d;
		snprintf(W->V->disks[i].id, sizeof W->V->disks[i].id, "%s", q->id);
	}
	W->V->ndisks = W->Q->ndisks;
	W->V->quiesce = W->Q->quiesce;
	return (0);
}

/* --- what is left of others -------------------------------------------------------------------------------------- */

/* The token of the view whose socket that is, RUN/TOKEN/nbd; 0, or -1 if it is none of ours. */
static int
token_of(const char *socket, char token[HOST_TOKEN])
{
	char run[PATH_MAX];
	size_t n;

	if (scratch_run(run) != 0)
		return (-1);
	n = strlen(run);
	if (strncmp(socket, run, n) != 0 || socket[n] != '/')
		return (-1);
	socket += n + 1;
	n = strcspn(socket, "/");
	if (n == 0 || n >= HOST_TOKEN || strcmp(socket + n, "/nbd") != 0)
		return (-1);
	memcpy(token, socket, n);
	token[n] = '\0';
	return (0);
}

/* One job at a time: another tool's is respected, one that a dead program of ours left is ended. */
static int
end_stale_job(struct view *W)
{
	char socket[PATH_MAX], token[HOST_TOKEN];
	int rc;

	if (backup_socket(W->D, socket) != 0)
		return (say_failed("%s: its jobs cannot be asked for: %s", W->Q->name, connect_words()));
	if (socket[0] == '\0')
		return (0);
	if (token_of(socket, token) != 0)
		return (say_refused(
		    "%s: another program has a backup job of it: try again when that has ended; see virsh "
		    "domjobinfo",
		    W->Q->name));
	if ((rc = scratch_stands(token)) != 0)
		return (rc < 0 ? -1 : say_refused("%s: another view of it stands", W->Q->name));
	say_note("%s: ends a view that a program left behind", W->Q->name);
	return (backup_end_of(W->D, token) == 0 ? scratch_bury(token) : -1);
}

/* What is of no use to anybody goes; what cannot be removed now is for the next time. */
static void
tidy(virDomainPtr D, const struct live *L, const char *prefix, const char *since)
{
	checkpoint_tidy(D, L, prefix, since, "");
	for (unsigned i = 0; i < L->ndisks; i++) {
		char dir[PATH_MAX];

		if (L->disks[i].is_file && io_exists(L->disks[i].path) == 1)
			reflink_tidy(L->disks[i].path, prefix, since, "");
		if (backup_scratch_dir(&L->disks[i], dir) == 0)
			scratch_tidy(dir, prefix);
	}
}

/* --- it stands ----------------------------------------------------------------------------------------------------- */

int
view_reconnect(struct view *W)
{
	virConnectPtr C;
	virDomainPtr D;

	if (virConnectIsAlive(W->C) == 1)
		return (0);
	if ((C = connect_again(W->Q->host)) == NULL)
		return (1);
	if ((D = virDomainLookupByName(C, W->Q->name)) == NULL) {
		connect_close(C);
		return (1);
	}
	connect_free(W->D);
	connect_close(W->again);
	W->C = W->again = C;
	W->D = D;
	return (0);
}

/* Until its end is said, or it must be given up: 0; 1 or -1, said. */
static int
stand(struct view *W, const struct view_kind *K, enum question_end *end)
{
	int64_t checked = clock_ms();
	int rc;

	while ((*end = question_wait(SCRATCH_PAUSE)) == QUESTION_WAIT) {
		if (stop_check() != 0)
			return (-1);
		if ((rc = scratch_check(W->S)) != 0)
			return (rc);
		if (clock_ms() - checked < 1000)
			continue;
		checked = clock_ms();
		if ((rc = K->check(W)) != 0)
			return (rc);
	}
	return (0);
}

static int
take_and_stand(struct view *W)
{
	const struct view_kind *K = &view_clones;
	enum question_end end = QUESTION_GONE;
	int rc, ended;

	if ((rc = K->take(W)) == 2) {
		K = &view_job;
		rc = K->take(W);
	}
	if (rc != 0)
		return (rc);
	if ((rc = answer_view(W->V)) == 0)
		rc = stand(W, K, &end);
	ended = K->end(W, end, rc);
	return (rc != 0 ? rc : ended);
}

static int
run(struct view *W)
{
	const struct question *Q = W->Q;
	struct program_talk *watch;
	int rc;

	if ((rc = scratch_any_stands(Q->prefix, Q->token)) != 0)
		return (rc < 0 ? -1 : say_refused("%s: another view of it stands", Q->name));
	if ((rc = end_stale_job(W)) != 0 || (rc = scratch_bury_all(Q->prefix)) != 0 ||
	    (rc = watch_begin(&watch, Q, WATCH_END)) != 0)
		return (rc);
	if ((rc = scratch_open(&W->S, Q->token, W->live->uid, W->live->gid)) == 0) {
		tidy(W->D, W->live, Q->prefix, Q->since);
		rc = take_and_stand(W);
		scratch_close(W->S);
	}
	/* Until here it would do what we could not. */
	watch_end(watch);
	return (rc);
}

int
view_answer(virConnectPtr C, const struct question *Q)
{
	struct view W = { .Q = Q, .C = C };
	int rc;

	if ((rc = check_local(Q)) != 0 || (rc = connect_need(C, Q->name, &W.D)) != 0)
		return (rc);
	if (Q->token[0] == '\0' || Q->ndisks == 0 || Q->ndisks > LIMIT_DISKS)
		rc = say_refused("%s: a view wants a token, and one to %u disks", Q->name, LIMIT_DISKS);
	else if ((W.V = calloc(1, sizeof *W.V)) == NULL)
		rc = say_failed("out of memory");
	else if ((rc = check_active(W.D)) == 0 && (rc = live_read(&W.live, W.D)) == 0 &&
	         (rc = find_disks(&W)) == 0)
		rc = run(&W);
	live_free(W.live);
	free(W.V);
	connect_free(W.D);
	connect_close(W.again);
	return (rc);
}

/* --- and is forgotten ------------------------------------------------------------------------------------------------ */

int
view_forget(virConnectPtr C, const struct question *Q)
{
	struct live *L;
	virDomainPtr D;
	int rc = connect_find(C, Q->name, &D);

	if (rc != 0)
		return (rc < 0 ? -1 : 0);
	if (Q->prefix[0] == '\0')
		rc = say_refused("%s: which views are to be forgotten is not said", Q->name);
	else if ((rc = scratch_any_stands(Q->prefix, "")) > 0)
		rc = say_refused("%s: a view of it stands", Q->name);
	else if (rc == 0 && (rc = live_read(&L, D)) == 0) {
		tidy(D, L, Q->prefix, "");
		rc = scratch_bury_all(Q->prefix);
		live_free(L);
	}
	connect_free(D);
	return (rc);
}
