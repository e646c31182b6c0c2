#include "qmp/fleece.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/program.h"
#include "base/say.h"
#include "base/stop.h"
#include "hyper/answer.h"
#include "hyper/scratch.h"
#include "hyper/watchdog.h"
#include "qmp/agent.h"
#include "qmp/drives.h"
#include "qmp/hardware.h"
#include "qmp/stopped.h"
#include "qmp/sweep.h"

/*
 * The content at one instant: by one transaction over all disks QEMU begins to copy what the guest is about to overwrite to a
 * scratch image of each disk, adds a bitmap of the token's name, which records from then on, and makes a copy of the
 * bitmap of `since` as it is then, which records nothing.  The scratch images, with the disks behind them, are exported
 * with these copies.  All bitmaps that record go on, so that nothing is to be put back if a point is not taken.
 *
 * The copies are made in the guest's way: without room for them it is stopped.  So scratch.h watches the room, and the
 * view is given up before that.  (A filter that gives the view up by itself can be put in only while the VM stands
 * still, with all that it wrote being brought to the disk: that has no bound.)
 */
#define SAFE_WITH_IOTHREADS 900u /* QEMU 9.0 */

struct view_disk {
	char node[64], dir[PATH_MAX], scratch[PATH_MAX];
	uint64_t size;
	int keeps_bitmaps, has_since;
};

struct view {
	const struct endpoint *E;
	const struct question *Q;
	struct monitor *M;
	struct agent *A; /* or NULL */
	struct scratch *S;
	struct watchdog dog;
	int was_running;
	char mark[SWEEP_MARK], frozen[HOST_TOKEN + sizeof SWEEP_FROZEN];
	struct host_view answer;
	struct view_disk disks[LIMIT_DISKS];
};

/* --- may it be? ----------------------------------------------------------------------------------------------- */

/*
 * Before 9.0, QEMU aborts when an NBD client leaves an export of a disk that has an iothread ("nbd_blockdev_client_closed:
 * Assertion `qemu_in_main_thread()' failed"): no reading of disks is worth that.
 */
static int
check_iothreads(const struct view *W)
{
	json_t *a = NULL;
	int rc = 0;

	if (monitor_version(W->M) >= SAFE_WITH_IOTHREADS)
		return (0);
	if (monitor_must(W->M, "query-iothreads", NULL, &a) != 0)
		return (-1);
	if (json_array_size(a) > 0)
		rc = say_refused(
		    "%s: this QEMU (%u.%u) would crash when a disk with an iothread is read: start it "
		    "without -object iothread, use QEMU 9.0 or newer, or export while the VM is off",
		    W->Q->name, monitor_version(W->M) / 100, monitor_version(W->M) % 100);
	json_decref(a);
	return (rc);
}

static int
check_status(struct view *W)
{
	static const char *const fine[] = { "running", "paused", "suspended", "prelaunch", "watchdog",
		"debug" };
	char status[32];

	if (endpoint_status(W->M, status) != 0)
		return (-1);
	W->was_running = strcmp(status, "running") == 0;
	for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
		if (strcmp(status, fine[i]) == 0)
			return (0);
	return (say_refused(
	    "%s: QEMU says that the VM is '%s': its disks cannot be frozen now", W->Q->name, status));
}

/*
 * QEMU has one NBD server for all.  It does not say whether it runs; but what it says to an export of a name that is too
 * long, on a node of ours without content, tells.
 */
static int
check_server(struct view *W)
{
	char name[8192], node[SWEEP_MARK + 8];
	int rc;

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	snprintf(node, sizeof node, "probe-%s", W->mark);
	node[strlen(node) - 1] = '\0';
	monitor_ask(W->M, "blockdev-del", json_pack("{s:s}", "node-name", node), NULL);
	if (monitor_must(W->M, "blockdev-add",
	        json_pack("{s:s,s:s,s:i}", "driver", "null-co", "node-name", node, "size", 512), NULL) != 0)
		return (-1);
	rc = monitor_ask(W->M, "block-export-add",
	    json_pack("{s:s,s:s,s:s,s:s}", "type", "nbd", "id", node, "node-name", node, "name", name), NULL);
	if (rc == 1)
		rc = strstr(monitor_words(W->M), "not running") != NULL ? 0 : 1;
	if (monitor_must(W->M, "blockdev-del", json_pack("{s:s}", "node-name", node), NULL) != 0)
		rc = -1;
	return (rc == 1
	            ? say_refused(
	                  "%s: the NBD server of this QEMU runs for somebody else, and it has only one: end "
	                  "that with nbd-server-stop, or wait until it is done",
	                  W->Q->name)
	            : rc);
}

/* --- the disks ------------------------------------------------------------------------------------------------ */

static int
choose_dir(const struct view *W, struct view_disk *v, const char *path)
{
	const char *home = getenv("VMFERRY_HOME"), *end;
	char real[PATH_MAX] = "";

	if (W->E->scratch[0] != '\0')
		return (io_path(v->dir, "%s", W->E->scratch));
	if (path[0] != '\0' && io_absolute(path, real) != 0)
		return (-1);
	end = strrchr(real, '/');
	if (end != NULL && io_kind(real) == IO_FILE)
		return (io_path(v->dir, "%.*s", (int)(end == real ? 1 : end - real), real));
	return (io_path(v->dir, "%s", home == NULL ? "/var/tmp" : home));
}

static int
choose_disks(struct view *W)
{
	const struct question *Q = W->Q;
	struct drives *D = NULL;
	int rc = drives_read(W->M, &D);

	if (rc == 0 && (Q->ndisks == 0 || Q->ndisks > LIMIT_DISKS))
		rc = say_refused("%s: a view has 1 to %u disks", Q->name, LIMIT_DISKS);
	for (unsigned i = 0; rc == 0 && i < Q->ndisks; i++) {
		const struct drive *d = drives_find(D, Q->disks[i].id, Q->disks[i].where);
		struct view_disk *v = &W->disks[i];

		if (d == NULL)
			rc = say_refused("%s: its QEMU has no disk '%s'; see vmferry-qmp(1) on their names",
			    Q->name, Q->disks[i].id);
		else if (d->why[0] != '\0')
			rc = say_refused("%s: its disk '%s' %s", Q->name, d->id, d->why);
		else
			rc = choose_dir(W, v, d->path);
		if (rc != 0)
			break;
		snprintf(v->node, sizeof v->node, "%s", d->node);
		v->size = d->size;
		v->keeps_bitmaps = d->keeps_bitmaps;
	}
	free(D);
	return (rc);
}

/* --- what is known from before -------------------------------------------------------------------------------- */

/* Can this bitmap be believed?  NULL, or why not. */
static const char *
judge_bitmap(const json_t *b, int keeps_bitmaps)
{
	if (b == NULL && keeps_bitmaps)
		return ("QEMU has no dirty bitmap of that point: it did not end cleanly since, or the disk "
		        "is another");
	if (b == NULL)
		return ("QEMU was started since that point, and a disk of this format keeps no dirty bitmap "
		        "then");
	if (json_is_true(json_object_get(b, "inconsistent")))
		return ("the dirty bitmap of that point was not saved: QEMU did not end cleanly");
	if (json_is_true(json_object_get(b, "busy")))
		return ("the dirty bitmap of that point is in use by another job");
	if (!json_is_true(json_object_get(b, "recording")))
		return ("the dirty bitmap of that point was switched off by somebody");
	return (NULL);
}

static const json_t *
find_bitmap(const json_t *nodes, const char *node, const char *name)
{
	const json_t *one, *b;
	size_t i, k;

	json_array_foreach (nodes, i, one) {
		const char *s = json_string_value(json_object_get(one, "node-name"));

		if (s == NULL || strcmp(s, node) != 0)
			continue;
		json_array_foreach (json_object_get(one, "dirty-bitmaps"), k, b) {
			s = json_string_value(json_object_get(b, "name"));
			if (s != NULL && strcmp(s, name) == 0)
				return (b);
		}
	}
	return (NULL);
}

static int
find_since(struct view *W)
{
	json_t *a = NULL;
	const char *why;

	if (W->Q->since[0] == '\0')
		return (0);
	if (monitor_must(W->M, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), &a) != 0)
		return (-1);
	for (unsigned i = 0; i < W->Q->ndisks; i++) {
		struct view_disk *v = &W->disks[i];

		why = judge_bitmap(find_bitmap(a, v->node, W->Q->since), v->keeps_bitmaps);
		v->has_since = why == NULL;
		if (why != NULL)
			snprintf(W->answer.disks[i].why, sizeof W->answer.disks[i].why, "%s", why);
	}
	json_decref(a);
	return (0);
}

/* --- scratch images ------------------------------------------------------------------------------------------- */

/* An empty image, that QEMU will not need to keep in order: it is of no use without this QEMU. */
static int
make_image(const struct view *W, const struct view_disk *v)
{
	char size[32];
	const char *argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", v->scratch, size, NULL };
	const struct program P = { .argv = argv, .package = "qemu-utils", .seconds = 60 };
	struct program_result R;
	int rc = 0;

	snprintf(size, sizeof size, "%llu", (unsigned long long)v->size);
	if (program_run(&P, &R) != 0)
		return (-1);
	if (R.status != 0)
		rc = say_failed("%s: cannot make a scratch image at %s: %s", W->Q->name, v->scratch, R.words);
	program_release(&R);
	return (rc);
}

/* QEMU may be another user, or see other folders: it gets the file itself. */
static int
add_node(const struct view *W, unsigned i)
{
	const struct view_disk *v = &W->disks[i];
	char node[SWEEP_MARK + 16], set[64];
	int number = (int)(7000000u + i), fd, rc;

	snprintf(node, sizeof node, "%ss%u", W->mark, i);
	snprintf(set, sizeof set, "/dev/fdset/%d", number);
	if ((fd = io_open_write(v->scratch)) < 0)
		return (-1);
	rc = monitor_give(W->M, "add-fd", json_pack("{s:i}", "fdset-id", number), fd);
	io_close(fd);
	if (rc == 1)
		return (say_failed(
		    "%s: QEMU does not take a scratch image: %s", W->Q->name, monitor_words(W->M)));
	if (rc == 0)
		rc = monitor_must(W->M, "blockdev-add",
		    json_pack("{s:s,s:s,s:s,s:{s:b},s:{s:s,s:s,s:{s:b}}}", "driver", "qcow2", "node-name",
		        node, "backing", v->node, "cache", "no-flush", 1, "file", "driver", "file",
		        "filename", set, "cache", "no-flush", 1),
		    NULL);
	/* It has it open now, or does not want it. */
	monitor_ask(W->M, "remove-fd", json_pack("{s:i}", "fdset-id", number), NULL);
	return (rc);
}

static int
make_scratch(struct view *W)
{
	const struct question *Q = W->Q;
	struct client_peer peer;
	int rc;

	if (monitor_peer(W->M, &peer) != 0)
		return (-1);
	if ((rc = scratch_open(&W->S, Q->token, peer.uid, peer.gid)) != 0)
		return (rc);
	for (unsigned i = 0; i < Q->ndisks && rc == 0; i++) {
		struct view_disk *v = &W->disks[i];

		/* At most all of it is overwritten; and the image has a table of that. */
		rc = scratch_file(
		    W->S, v->dir, Q->disks[i].id, Q->prefix, v->size + v->size / 1024, v->scratch);
		if (rc == 0)
			rc = make_image(W, v);
	}
	return (rc);
}

/* --- the instant ---------------------------------------------------------------------------------------------- */

static void
add_action(json_t *actions, const char *type, json_t *data, int *bad)
{
	*bad |= json_array_append_new(actions, json_pack("{s:s,s:o}", "type", type, "data", data));
}

static json_t *
make_actions(const struct view *W)
{
	json_t *a = json_array();
	char node[SWEEP_MARK + 16], job[SWEEP_MARK + 16];
	int bad = 0;

	for (unsigned i = 0; i < W->Q->ndisks; i++) {
		const struct view_disk *v = &W->disks[i];

		snprintf(node, sizeof node, "%ss%u", W->mark, i);
		snprintf(job, sizeof job, "%sj%u", W->mark, i);
		add_action(a, "block-dirty-bitmap-add",
		    json_pack("{s:s,s:s,s:b}", "node", v->node, "name", W->Q->token, "persistent",
		        v->keeps_bitmaps),
		    &bad);
		if (v->has_since) {
			add_action(a, "block-dirty-bitmap-add",
			    json_pack("{s:s,s:s,s:b}", "node", v->node, "name", W->frozen, "disabled", 1),
			    &bad);
			add_action(a, "block-dirty-bitmap-merge",
			    json_pack("{s:s,s:s,s:[s]}", "node", v->node, "target", W->frozen, "bitmaps",
			        W->Q->since),
			    &bad);
		}
		add_action(a, "blockdev-backup",
		    json_pack("{s:s,s:s,s:s,s:s}", "device", v->node, "target", node, "sync", "none",
		        "job-id", job),
		    &bad);
	}
	if (!bad)
		return (a);
	json_decref(a);
	return (NULL);
}

/* The guest is asked to hold still; that it will not is no reason to take no point. */
static void
freeze(struct view *W)
{
	struct host_view *V = &W->answer;
	char why[AGENT_WHY] = "";

	if (!W->Q->quiesce)
		return;
	if (W->E->agent[0] == '\0')
		snprintf(why, sizeof why, "no agent is named: --host qmp:SOCKET,agent=SOCKET");
	else if (W->A == NULL)
		snprintf(why, sizeof why, "%.*s", (int)sizeof why - 1, V->not_quiesced);
	else
		V->is_quiesced = agent_freeze(W->A, why) == 0;
	snprintf(V->not_quiesced, sizeof V->not_quiesced, "%s", why);
}

static void
thaw(struct view *W)
{
	struct host_view *V = &W->answer;
	char why[AGENT_WHY] = "";

	if (!W->Q->quiesce || W->A == NULL || agent_thaw(W->A, why) == 0 || !V->is_quiesced)
		return;
	/* It may have gone on by itself in front of the instant. */
	V->is_quiesced = 0;
	snprintf(V->not_quiesced, sizeof V->not_quiesced, "%s", why);
	say_note("%s: %s", W->Q->name, why);
}

static int
take_instant(struct view *W)
{
	json_t *actions = make_actions(W);
	int rc;

	if (actions == NULL)
		return (say_failed("out of memory"));
	freeze(W);
	rc = monitor_ask(W->M, "transaction", json_pack("{s:o}", "actions", actions), NULL);
	thaw(W);
	if (rc == 1)
		return (say_refused("%s: QEMU cannot freeze its disks: %s", W->Q->name, monitor_words(W->M)));
	return (rc);
}

/* --- exports -------------------------------------------------------------------------------------------------- */

static int
start_server(struct view *W)
{
	int rc = monitor_ask(W->M, "nbd-server-start",
	    json_pack("{s:{s:s,s:{s:s}}}", "addr", "type", "unix", "data", "path", scratch_socket(W->S)),
	    NULL);

	if (rc == 1)
		return (say_refused("%s: QEMU cannot serve its disks: %s", W->Q->name, monitor_words(W->M)));
	return (rc);
}

static int
add_export(struct view *W, unsigned i)
{
	struct view_disk *v = &W->disks[i];
	struct host_view_disk *d = &W->answer.disks[i];
	char node[SWEEP_MARK + 16], id[SWEEP_MARK + 16];
	json_t *o;

	snprintf(node, sizeof node, "%ss%u", W->mark, i);
	snprintf(id, sizeof id, "%se%u", W->mark, i);
	o = json_pack(
	    "{s:s,s:s,s:s,s:s}", "type", "nbd", "id", id, "node-name", node, "name", W->Q->disks[i].id);
	if (o != NULL && v->has_since)
		json_object_set_new(
		    o, "bitmaps", json_pack("[{s:s,s:s}]", "node", v->node, "name", W->frozen));
	if (monitor_must(W->M, "block-export-add", o, NULL) != 0)
		return (-1);
	snprintf(d->id, sizeof d->id, "%s", W->Q->disks[i].id);
	if (v->has_since) {
		snprintf(d->bitmap, sizeof d->bitmap, "%s", W->frozen);
		snprintf(d->how, sizeof d->how, "dirty bitmap");
	}
	return (0);
}

/* An NBD URI of that export; the socket's path is shown as a URI takes it. */
static int
put_where(const struct view *W, struct host_view_disk *d)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
	char path[3 * PATH_MAX];
	size_t n = 0;

	for (const char *s = scratch_socket(W->S); *s != '\0'; s++)
		n += (size_t)snprintf(path + n, sizeof path - n, strchr(plain, *s) != NULL ? "%c" : "%%%02X",
		    (unsigned char)*s);
	return (io_path(d->where, "nbd+unix:///%s?socket=%s", d->id, path));
}

static int
export_all(struct view *W)
{
	int rc = start_server(W);

	for (unsigned i = 0; rc == 0 && i < W->Q->ndisks; i++)
		if ((rc = add_export(W, i)) == 0)
			rc = put_where(W, &W->answer.disks[i]);
	return (rc);
}

/* --- the end -------------------------------------------------------------------------------------------------- */

/* If our scratch images had the VM stopped after all, it goes on. */
static int
let_go_on(struct view *W)
{
	char status[32];

	if (!W->was_running)
		return (0);
	if (endpoint_status(W->M, status) != 0)
		return (-1);
	if (strcmp(status, "io-error") != 0)
		return (0);
	say_note("%s: was stopped for want of room for what it overwrites; goes on", W->Q->name);
	return (monitor_must(W->M, "cont", NULL, NULL));
}

/* We are dead.  What is there is ended, and both tokens are kept. */
static void
rescue(void *arg)
{
	struct view *W = arg;
	char why[AGENT_WHY];

	monitor_take_over(W->M);
	if (W->A != NULL) {
		agent_take_over(W->A);
		agent_thaw(W->A, why);
	}
	if (sweep_view(W->M, W->Q->prefix) == 0)
		let_go_on(W);
	scratch_close(W->S);
}

static int
end(struct view *W)
{
	int rc = sweep_view(W->M, W->Q->prefix);

	if (rc == 0)
		rc = let_go_on(W);
	return (rc);
}

/* Do all jobs still copy?  If one of them ended, what was read since may be of another instant. */
static int
check_jobs(struct view *W)
{
	json_t *a = NULL, *one;
	size_t i;
	unsigned n = 0;

	if (monitor_must(W->M, "query-block-jobs", NULL, &a) != 0)
		return (-1);
	json_array_foreach (a, i, one) {
		const char *id = json_string_value(json_object_get(one, "device"));
		const char *status = json_string_value(json_object_get(one, "io-status"));

		if (id != NULL && strncmp(id, W->mark, strlen(W->mark)) == 0)
			n += status == NULL || strcmp(status, "ok") == 0;
	}
	json_decref(a);
	return (n == W->Q->ndisks ? 0
	                          : say_refused("%s: the view was ended by another program, or an error of "
	                                        "QEMU's: nothing that was read counts",
	                                W->Q->name));
}

/* Wait for the word: 0 with the word, or 1 or -1, said, if the view cannot be kept. */
static int
hold(struct view *W, enum question_end *word)
{
	int rc;

	do {
		if ((rc = monitor_listen(W->M, 0)) == MONITOR_OFF)
			return (say_refused("%s: QEMU ended", W->Q->name));
		if (rc != 0 || stop_check() != 0)
			return (-1);
		if (monitor_seen(W->M)->is_disk_full)
			return (say_refused(
			    "%s: the VM ran out of space on a disk's file system: the view is given up",
			    W->Q->name));
		if ((rc = scratch_check(W->S)) != 0)
			return (rc);
	} while ((*word = question_wait(SCRATCH_PAUSE)) == QUESTION_WAIT);
	return (*word == QUESTION_KEEP ? check_jobs(W) : 0);
}

static int
settle(struct view *W, enum question_end word)
{
	const struct question *Q = W->Q;

	if (word == QUESTION_KEEP)
		return (sweep_bitmaps(W->M, Q->prefix, Q->token, Q->since));
	return (word == QUESTION_DROP ? sweep_bitmaps(W->M, Q->prefix, Q->since, "") : 0);
}

/* --- the verbs ------------------------------------------------------------------------------------------------ */

/* Everything is ended that a dead predecessor left, and everything made that takes time. */
static int
prepare(struct view *W)
{
	const struct question *Q = W->Q;
	char why[AGENT_WHY];
	int rc;

	if ((rc = check_status(W)) != 0 || (rc = check_iothreads(W)) != 0)
		return (rc);
	if (W->E->agent[0] != '\0') {
		if (agent_open(&W->A, W->E->agent, W->answer.not_quiesced) == 0 && agent_is_frozen(W->A))
			agent_thaw(W->A, why);
	}
	if (sweep_view(W->M, Q->prefix) != 0 || sweep_bitmaps(W->M, Q->prefix, Q->since, "") != 0)
		return (-1);
	/* Now there is no filter between the disks and their devices. */
	if ((rc = choose_disks(W)) != 0 || (rc = check_server(W)) != 0 || (rc = find_since(W)) != 0)
		return (rc);
	return (make_scratch(W));
}

static int
begin(struct view *W)
{
	int rc;

	if ((rc = prepare(W)) != 0 || (rc = watchdog_start(&W->dog, rescue, W)) != 0)
		return (rc);
	for (unsigned i = 0; i < W->Q->ndisks; i++)
		if ((rc = add_node(W, i)) != 0)
			return (rc);
	if ((rc = take_instant(W)) != 0 || (rc = export_all(W)) != 0)
		return (rc);
	return (answer_view(&W->answer));
}

static int
run(struct view *W)
{
	enum question_end word = QUESTION_GONE;
	int rc = begin(W), ended;

	if (rc == 0)
		rc = hold(W, &word);
	else
		word = QUESTION_DROP; /* nobody was told of it */
	ended = end(W);
	if (ended == 0 && (rc == 0 || word == QUESTION_DROP))
		ended = settle(W, word);
	return (rc == 0 ? ended : rc);
}

static int
check_question(const struct question *Q)
{
	size_t n = strlen(Q->prefix);

	if (n == 0 || strncmp(Q->token, Q->prefix, n) != 0 || strcmp(Q->token, Q->since) == 0 ||
	    (Q->since[0] != '\0' && strncmp(Q->since, Q->prefix, n) != 0))
		return (say_refused(
		    "%s: a view has a token, perhaps another one that it is since, and a prefix that they "
		    "begin with",
		    Q->name));
	return (0);
}

/* A view that was killed with its exporter may have a watchdog at work still. */
static int
wait_for_predecessor(const struct question *Q)
{
	struct timespec t = { .tv_nsec = 100000000 };
	int rc = 0;

	for (int turn = 0; turn < 100; turn++) {
		if ((rc = scratch_any_stands(Q->prefix, Q->token)) == 0)
			rc = scratch_stands(Q->token);
		if (rc <= 0)
			return (rc);
		nanosleep(&t, NULL);
	}
	return (say_refused("%s: another view of it stands: wait until it is done", Q->name));
}

int
fleece_view(const struct endpoint *E, const struct question *Q)
{
	struct view *W = calloc(1, sizeof *W);
	int rc = -1;

	if (W == NULL)
		return (say_failed("out of memory"));
	W->E = E;
	W->Q = Q;
	W->dog = WATCHDOG_NONE;
	W->answer.quiesce = Q->quiesce;
	W->answer.ndisks = Q->ndisks;
	sweep_mark(W->mark, Q->prefix);
	snprintf(W->frozen, sizeof W->frozen, "%s%s", Q->token, SWEEP_FROZEN);
	if ((rc = check_question(Q)) == 0 && (rc = wait_for_predecessor(Q)) == 0 &&
	    (rc = endpoint_must(E, Q, &W->M)) == 0)
		rc = run(W);
	watchdog_end(&W->dog);
	scratch_close(W->S);
	agent_close(W->A);
	monitor_close(W->M);
	free(W);
	return (rc);
}

int
fleece_forget(const struct endpoint *E, const struct question *Q)
{
	struct monitor *M = NULL;
	int rc;

	if (Q->prefix[0] == '\0')
		return (say_refused("%s: nothing can be forgotten without a prefix", Q->name));
	if (hardware_forget(Q) != 0 || stopped_forget(Q->name) != 0)
		return (-1);
	if ((rc = endpoint_open(E, Q, &M)) == MONITOR_OFF) {
		say_note("%s: is off: dirty bitmaps that its images hold stay in them", Q->name);
		return (0);
	}
	if (rc == MONITOR_BUSY)
		return (endpoint_must(E, Q, &M));
	if (rc == 0)
		rc = sweep_view(M, Q->prefix);
	if (rc == 0)
		rc = sweep_bitmaps(M, Q->prefix, "", "");
	monitor_close(M);
	return (rc);
}
