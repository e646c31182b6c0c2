#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "disk/qemu_locks.h"
#include "disk/source.h"
#include "base/io.h"
#include "base/say.h"
#include "disk/relay.h"

/*
 * A raw file or a block device.  That nobody writes to a file while we read it is made sure by a read lease:
 * the kernel grants it only while no program has the file open for writing, and it is gone as soon as one
 * opens it.  Where there are no leases, and for block devices, /proc is searched for writers.
 *
 * Neither sees another host, but QEMU's own locks do.  Without a lease we take such a one too, which keeps a VM from
 * starting meanwhile.
 */

struct file {
	int fd;
	enum source_use use;
	int leased;
	int is_block;
	uint64_t size;
	char path[PATH_MAX];
};

int
source_file_in_use(const char *path, const char *by)
{
	return (say_refused("%s: %s has it open for writing; shut the VM down (an export can be one of a "
	                    "snapshot, too, or say --live-unsafe)",
	    path, by));
}

static int
in_use(const struct file *f, const char *by)
{
	return (source_file_in_use(f->path, by));
}

/* Is the descriptor at /proc/PID/fd/N open for writing on the file st? */
static int
is_writer(const char *pid, const char *n, const struct stat *st)
{
	char path[PATH_MAX], text[256];
	struct stat other;
	unsigned flags = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%s/fd/%s", pid, n);
	if (stat(path, &other) != 0)
		return (0);
	if (S_ISBLK(st->st_mode) ? !S_ISBLK(other.st_mode) || other.st_rdev != st->st_rdev
	                         : other.st_dev != st->st_dev || other.st_ino != st->st_ino)
		return (0);
	snprintf(path, sizeof path, "/proc/%s/fdinfo/%s", pid, n);
	if ((f = fopen(path, "re")) == NULL)
		return (0);
	while (fgets(text, sizeof text, f) != NULL)
		if (sscanf(text, "flags: %o", &flags) == 1)
			break;
	fclose(f);
	return ((flags & O_ACCMODE) != O_RDONLY);
}

/* Does process pid have the file st open for writing? */
static int
process_writes(const char *pid, const struct stat *st)
{
	char path[PATH_MAX];
	struct dirent *e;
	int found = 0;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	if ((d = opendir(path)) == NULL)
		return (0);
	while (!found && (e = readdir(d)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]))
			found = is_writer(pid, e->d_name, st);
	closedir(d);
	return (found);
}

int
source_file_search(const char *path)
{
	struct stat st;
	struct dirent *e;
	char by[64];
	int rc = 0;
	DIR *d;

	if (stat(path, &st) != 0 || (d = opendir("/proc")) == NULL)
		return (say_failed("%s: cannot tell who uses it: %s", path, strerror(errno)));
	while (rc == 0 && (e = readdir(d)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]) || !process_writes(e->d_name, &st))
			continue;
		snprintf(by, sizeof by, "process %.32s", e->d_name);
		rc = source_file_in_use(path, by);
	}
	closedir(d);
	return (rc);
}

static int
search_writers(const struct file *f)
{
	return (relay_is_on() ? relay_search(f->path) : source_file_search(f->path));
}

/* Does a QEMU write to it, wherever that runs? */
static int
ask_qemu(const struct file *f)
{
	int rc = io_is_locked(f->fd, f->path, QEMU_LOCK_WRITES, 1);

	return (rc == 1 ? in_use(f, "a VM") : rc);
}

/* Make sure that nobody writes, now and, where there are leases, as long as the file is open. */
static int
make_quiet(struct file *f)
{
	int rc = ask_qemu(f);

	if (rc != 0)
		return (rc);
	if (!f->is_block) {
		signal(SIGIO, SIG_IGN);
		if (fcntl(f->fd, F_SETLEASE, F_RDLCK) == 0) {
			f->leased = 1;
			return (0);
		}
		/* Where other hosts write too the kernel may not grant any. */
		if (errno == EAGAIN && !io_is_shared(f->fd))
			return (in_use(f, "a program"));
	}
	if (io_share_lock(f->fd, f->path, QEMU_LOCK_NO_WRITERS, 1) != 0)
		return (-1);
	return (search_writers(f));
}

static void
file_close(void *state)
{
	struct file *f = state;

	io_close(f->fd);
	free(f);
}

static int
open_and_look(struct file *f, const char *path)
{
	struct stat st;
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

	if (io_path(f->path, "%s", path) != 0)
		return (-1);
	if (stat(path, &st) != 0)
		return (say_failed("%s: cannot look at: %s", path, strerror(errno)));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return (say_refused("%s: is neither a file nor a block device", path));
	f->is_block = S_ISBLK(st.st_mode);
	if (f->is_block && f->use == SOURCE_QUIET)
		flags |= O_EXCL;
	if ((f->fd = open(path, flags)) < 0) {
		if (errno == EBUSY)
			return (in_use(f, "the system (it is mounted, perhaps)"));
		return (say_failed("%s: cannot open: %s", path, strerror(errno)));
	}
	return (io_size(f->fd, path, &f->size));
}

int
source_file_open(void **state, uint64_t *size, const char *path, enum source_use use)
{
	struct file *f = calloc(1, sizeof *f);
	int rc;

	if (f == NULL)
		return (say_failed("out of memory"));
	f->fd = -1;
	f->use = use;
	if ((rc = open_and_look(f, path)) == 0 && use == SOURCE_QUIET)
		rc = make_quiet(f);
	/* What lies dirty in memory has misled file systems about holes before: bring it down first. */
	if (rc == 0 && use == SOURCE_QUIET && !f->is_block)
		rc = io_sync(f->fd, path);
	if (rc != 0) {
		file_close(f);
		return (rc);
	}
	posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*state = f;
	*size = f->size;
	return (0);
}

int
source_file_still(const void *state)
{
	const struct file *f = state;

	/* Whoever opens it for writing now is kept waiting until we let go: do that at once. */
	if (f->leased && fcntl(f->fd, F_GETLEASE) != F_RDLCK)
		return (say_failed(
		    "%s: a program opened it for writing while it was read; the export is given up",
		    f->path));
	return (0);
}

static int
file_read(void *state, void *buf, size_t n, uint64_t offset)
{
	const struct file *f = state;
	ssize_t got = io_pread(f->fd, f->path, buf, n, offset);

	if (got < 0 || source_file_still(f) != 0)
		return (-1);
	if ((size_t)got < n)
		return (say_failed("%s: ends at byte %" PRIu64 ", but had %" PRIu64 " when it was opened",
		    f->path, offset + (uint64_t)got, f->size));
	return (0);
}

static int
file_stretch(void *state, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole)
{
	const struct file *f = state;

	if (f->is_block || f->use == SOURCE_LIVE) {
		*length = end - offset;
		*is_hole = 0;
		return (0);
	}
	return (io_stretch(f->fd, f->path, offset, end, length, is_hole));
}

static int
file_dirty(void *state, struct ranges *out, const char **why)
{
	(void)state;
	(void)out;
	*why = "a raw disk has no bitmaps";
	return (1);
}

static int
file_check(void *state)
{
	const struct file *f = state;
	uint64_t size;
	int rc;

	if (f->use != SOURCE_QUIET)
		return (0);
	if (io_size(f->fd, f->path, &size) != 0)
		return (-1);
	if (size != f->size)
		return (say_refused("%s: was resized while it was read", f->path));
	if (!f->leased)
		return ((rc = ask_qemu(f)) != 0 ? rc : search_writers(f));
	return (fcntl(f->fd, F_GETLEASE) == F_RDLCK ? 0 : in_use(f, "a program, since a moment ago,"));
}

static int64_t
nanoseconds(const struct timespec *t)
{
	return ((int64_t)t->tv_sec * 1000000000 + t->tv_nsec);
}

static int
file_stamp(void *state, struct source_stamp *out)
{
	const struct file *f = state;
	struct timespec now;
	struct stat st;

	if (f->is_block || f->use == SOURCE_LIVE)
		return (1);
	if (fstat(f->fd, &st) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0)
		return (say_failed("%s: cannot look at: %s", f->path, strerror(errno)));
	*out = (struct source_stamp){ (uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
		nanoseconds(&st.st_mtim), nanoseconds(&st.st_ctim) };
	return (nanoseconds(&now) - out->modified < 2000000000);
}

const struct source_kind source_file = { file_read, file_stretch, file_dirty, file_check, file_stamp,
	file_close };
