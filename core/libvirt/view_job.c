#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "libvirt/backup.h"
#include "libvirt/checkpoint.h"
#include "libvirt/connect.h"
#include "libvirt/quiet.h"
#include "libvirt/view_kinds.h"

/* --- its beginning --------------------------------------------------------------------------------------------- */

#define QCOW2_MAGIC "QFI\xfb"

/* NULL if the disk can note what changes, or why it cannot. */
static const char *
why_no_bitmap(const struct live_disk *d)
{
	unsigned char head[8];

	if (strcmp(d->format, "qcow2") != 0)
		return ("a raw image keeps no dirty bitmap");
	if (d->path[0] != '\0' && io_read_start(d->path, head, sizeof head) == sizeof head &&
	    memcmp(head, QCOW2_MAGIC, 4) == 0 && head[7] < 3)
		return (
		    "a qcow2 image of version 2 keeps no dirty bitmap; see 'qemu-img amend -o compat=1.1'");
	return (NULL);
}

static int
plan_disk(struct view *W, unsigned i, struct backup_disk *b)
{
	virDomainBlockInfo info = { 0 };
	char dir[PATH_MAX];
	const char *why = why_no_bitmap(W->disks[i]);

	b->disk = W->disks[i];
	b->keeps_bitmap = why == NULL;
	snprintf(b->why, sizeof b->why, "%s",
	    why != NULL              ? why
	    : W->Q->since[0] == '\0' ? "nothing earlier was asked for"
	                             : "its dirty bitmap is missing or broken");
	if (virDomainGetBlockInfo(W->D, b->disk->id, &info, 0) != 0)
		return (say_failed("%s: libvirt does not tell the size of %s: %s", W->Q->name, b->disk->id,
		    connect_words()));
	if (backup_scratch_dir(b->disk, dir) != 0)
		return (-1);
	return (scratch_file(
	    W->S, dir, b->disk->id, W->Q->prefix, info.capacity + info.capacity / 1024, b->scratch));
}

/* Which of the wanted disks have whole bitmaps since then. */
static int
plan_since(struct view *W, struct backup *B)
{
	unsigned char is_whole[HOST_DISKS];

	if (W->Q->since[0] == '\0')
		return (0);
	if (checkpoint_usable(W->D, W->live, W->Q->since, is_whole) != 0)
		return (-1);
	for (unsigned i = 0; i < B->ndisks; i++)
		if (B->disks[i].keeps_bitmap && is_whole[B->disks[i].disk - W->live->disks]) {
			B->disks[i].is_incremental = 1;
			B->disks[i].why[0] = '\0';
		}
	return (0);
}

static int
plan(struct view *W, struct backup *B)
{
	int rc = 0;

	B->token = W->Q->token;
	B->since = W->Q->since;
	B->socket = scratch_socket(W->S);
	B->live = W->live;
	B->ndisks = W->Q->ndisks;
	for (unsigned i = 0; i < B->ndisks && rc == 0; i++)
		rc = plan_disk(W, i, &B->disks[i]);
	return (rc != 0 ? rc : plan_since(W, B));
}

/* A path as a part of a URI. */
static void
escape(char *out, size_t size, const char *path)
{
	size_t n = 0;

	for (const char *p = path; *p != '\0' && n + 4 < size; p++)
		if (strchr("/-_.~", *p) != NULL || (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
		    (*p >= 'A' && *p <= 'Z'))
			out[n++] = *p;
		else
			n += (size_t)snprintf(out + n, size - n, "%%%02X", (unsigned char)*p);
	out[n] = '\0';
}

static int
tell(const struct backup *B, const struct backup_disk *b, struct host_view_disk *d)
{
	char socket[3 * sizeof((struct sockaddr_un *)0)->sun_path + 4], id[3 * LIMIT_DISK_ID + 4];

	escape(socket, sizeof socket, B->socket);
	escape(id, sizeof id, b->disk->id);
	if (b->is_incremental) {
		snprintf(d->bitmap, sizeof d->bitmap, BACKUP_BITMAP);
		snprintf(d->how, sizeof d->how, "dirty bitmap");
	} else
		snprintf(d->why, sizeof d->why, "%s", b->why);
	return (io_path(d->where, "nbd+unix:///%s?socket=%s", id, socket));
}

static int
begin(struct view *W, struct backup *B)
{
	struct quiet frozen = { 0 };
	int rc;

	if (W->Q->quiesce)
		quiet_freeze(&frozen, W->D, W->Q, W->live);
	rc = backup_begin(W->D, B);
	quiet_thaw(&frozen, W->D);
	W->V->is_quiesced = frozen.is_quiet;
	snprintf(W->V->not_quiesced, sizeof W->V->not_quiesced, "%s", frozen.why);
	return (rc);
}

/*
 * Before 9.0, QEMU aborts when an NBD client leaves an export of a disk that has an iothread
 * ("nbd_blockdev_client_closed: Assertion qemu_in_main_thread() failed", seen with 7.2): that is the VM's end.
 */
#define QEMU_LEAST 9000000ul /* as virConnectGetVersion has it */

static int
check_iothreads(const struct view *W)
{
	unsigned long version = 0;

	if (!W->live->has_iothreads)
		return (0);
	if (virConnectGetVersion(W->C, &version) != 0)
		version = 0;
	return (
	    version >= QEMU_LEAST
	        ? 0
	        : say_refused("%s: has an iothread, and this QEMU (%lu.%lu) would crash when its disks are "
	                      "read: take the iothreads out of its definition, use QEMU 9.0 or newer, or "
	                      "export while it is off",
	              W->Q->name, version / 1000000, version / 1000 % 1000));
}

static int
take(struct view *W)
{
	struct backup *B;
	int rc = check_iothreads(W);

	if (rc != 0)
		return (rc);
	if ((B = calloc(1, sizeof *B)) == NULL)
		return (say_failed("out of memory"));
	if ((rc = plan(W, B)) == 0)
		rc = begin(W, B);
	for (unsigned i = 0; i < B->ndisks && rc == 0; i++)
		rc = tell(B, &B->disks[i], &W->V->disks[i]);
	free(B);
	return (rc);
}

/* --- while it stands -------------------------------------------------------------------------------------------- */

static int
is_stopped_by_us(const struct view *W)
{
	int state, reason;

	return (virDomainGetState(W->D, &state, &reason, 0) == 0 && state == VIR_DOMAIN_PAUSED &&
	        reason == VIR_DOMAIN_PAUSED_IOERROR);
}

static int
say_lost(const struct view *W)
{
	return (say_refused(
	    "%s: the view is lost: the VM was shut down or moved, or somebody ended its job", W->Q->name));
}

static int
check(struct view *W)
{
	char socket[PATH_MAX];

	/* QEMU serves the view, libvirt or not. */
	if (view_reconnect(W) != 0 || backup_socket(W->D, socket) != 0)
		return (0);
	if (strcmp(socket, scratch_socket(W->S)) != 0)
		return (say_lost(W));
	if (is_stopped_by_us(W))
		return (say_refused("%s: was stopped by an I/O error: the view is given up", W->Q->name));
	return (0);
}

/* --- its end ----------------------------------------------------------------------------------------------------- */

/* Does anybody listen at our socket? */
static int
is_served(const struct view *W)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), is;

	snprintf(a.sun_path, sizeof a.sun_path, "%s", scratch_socket(W->S));
	is = fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
	io_close(fd);
	return (is);
}

/* Our job must not stay, with nobody to look after its room: wait for libvirt as long as QEMU is there. */
static int
wait_for_libvirt(struct view *W)
{
	int is_said = 0;

	while (view_reconnect(W) != 0) {
		if (!is_served(W))
			return (say_failed("%s: libvirt and the VM are gone", W->Q->name));
		if (!is_said)
			say_note("%s: waits for libvirt to come back, to end the view", W->Q->name);
		is_said = 1;
		scratch_check(W->S);
		usleep(200000);
	}
	return (0);
}

static int
end_job(struct view *W, enum question_end how)
{
	char socket[PATH_MAX];
	int rc = 0;

	if (wait_for_libvirt(W) != 0)
		return (-1);
	if (backup_socket(W->D, socket) != 0)
		return (say_failed("%s: its jobs cannot be asked for: %s", W->Q->name, connect_words()));
	if (strcmp(socket, scratch_socket(W->S)) != 0)
		return (how == QUESTION_KEEP ? say_lost(W) : 0);
	rc = backup_end(W->D);
	/* What could not be written waits in QEMU, and is written now. */
	if (is_stopped_by_us(W) && virDomainResume(W->D) != 0)
		say_failure("%s: was stopped by an I/O error and cannot be resumed: %s; see virsh resume",
		    W->Q->name, connect_words());
	return (rc);
}

static int
end(struct view *W, enum question_end how, int given_up)
{
	int rc = end_job(W, how);

	if (rc != 0 || given_up != 0 || how == QUESTION_GONE)
		return (rc);
	/* Of what was kept so far, the next view says what is of use. */
	if (how == QUESTION_DROP)
		checkpoint_remove(W->D, W->live, W->Q->token);
	return (0);
}

const struct view_kind view_job = { take, check, end };
