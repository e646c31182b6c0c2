#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <libgen.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/say.h"

static int
failed(const char *path, const char *what)
{
	const char *hint =
	    errno == ENOSPC || errno == EDQUOT ? "; free some space and run the command again" : "";

	return (say_failed("%s: cannot %s: %s%s", path, what, strerror(errno), hint));
}

int
io_path(char out[PATH_MAX], const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(out, PATH_MAX, format, ap);
	va_end(ap);
	return (n >= 0 && n < PATH_MAX ? 0 : say_failed("%.60s...: the path is too long", out));
}

static int
open_retry(const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return (fd);
}

int
io_open_read(const char *path)
{
	int fd = open_retry(path, O_RDONLY, 0);

	return (fd >= 0 ? fd : failed(path, "open"));
}

int
io_open_write(const char *path)
{
	int fd = open_retry(path, O_RDWR, 0);

	return (fd >= 0 ? fd : failed(path, "open for writing"));
}

int
io_open_disk(const char *path)
{
	struct stat st;
	int is_device = stat(path, &st) == 0 && S_ISBLK(st.st_mode);
	int fd = open_retry(path, is_device ? O_RDWR | O_EXCL : O_RDWR, 0);

	if (fd >= 0)
		return (fd);
	return (errno == EBUSY ? say_failed("%s: the system uses it: it is mounted, perhaps", path)
	                       : failed(path, "open for writing"));
}

int
io_is_device(int fd)
{
	struct stat st;

	return (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode));
}

int
io_create(const char *path)
{
	int fd = open_retry(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	return (fd >= 0 ? fd : failed(path, "create"));
}

int
io_temporary(const char *dir)
{
	char path[PATH_MAX];
	int fd = open_retry(dir, O_RDWR | O_TMPFILE, 0600);

	if (fd >= 0)
		return (fd);
	if (io_path(path, "%s/tmp.XXXXXX", dir) != 0)
		return (-1);
	if ((fd = mkostemp(path, O_CLOEXEC)) < 0)
		return (failed(path, "create"));
	unlink(path);
	return (fd);
}

static int
sync_parent(const char *path)
{
	char copy[PATH_MAX];

	if (io_path(copy, "%s", path) != 0)
		return (-1);
	return (io_sync_dir(dirname(copy)));
}

int
io_mkdir(const char *path, mode_t mode)
{
	int is_there = mkdir(path, mode) != 0;
	char copy[PATH_MAX];

	if (is_there && errno != EEXIST)
		return (failed(path, "create the folder"));
	/*
	 * One that is there may be from a run that was interrupted before it was durable; but not where its parent
	 * is another's, which can be passed through and not be opened.
	 */
	if (is_there && (io_path(copy, "%s", path) != 0 || access(dirname(copy), R_OK) != 0))
		return (0);
	return (sync_parent(path));
}

int
io_mkdir_all(const char *path, mode_t mode)
{
	char part[PATH_MAX];

	for (const char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/'))
		if (io_path(part, "%.*s", (int)(p - path), path) != 0 || io_mkdir(part, 0755) != 0)
			return (-1);
	return (io_mkdir(path, mode));
}

int
io_link_to(const char *target, const char *path)
{
	if (symlink(target, path) != 0)
		return (failed(path, "create the link"));
	return (sync_parent(path));
}

int
io_exists(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return (1);
	return (errno == ENOENT || errno == ENOTDIR ? 0 : failed(path, "look at"));
}

int
io_is_writable(const char *dir)
{
	return (access(dir, W_OK | X_OK) == 0);
}

enum io_kind
io_kind(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0) {
		if (errno == ENOENT)
			return (IO_NOTHING);
		failed(path, "look at");
		return (IO_UNKNOWN);
	}
	return (S_ISREG(st.st_mode)   ? IO_FILE
	        : S_ISDIR(st.st_mode) ? IO_FOLDER
	        : S_ISLNK(st.st_mode) ? IO_LINK
	        : S_ISBLK(st.st_mode) ? IO_DEVICE
	                              : IO_OTHER);
}

int
io_read_link(const char *path, char out[PATH_MAX])
{
	ssize_t n = readlink(path, out, PATH_MAX - 1);

	if (n < 0)
		return (failed(path, "read the link"));
	out[n] = '\0';
	return (0);
}

int
io_absolute(const char *path, char out[PATH_MAX])
{
	return (realpath(path, out) != NULL ? 0 : failed(path, "find"));
}

int
io_absolute_name(const char *path, char out[PATH_MAX])
{
	char copy[PATH_MAX], name[PATH_MAX], dir[PATH_MAX];

	if (io_path(copy, "%s", path) != 0 || io_path(name, "%s", basename(copy)) != 0 ||
	    io_path(copy, "%s", path) != 0 || io_absolute(dirname(copy), dir) != 0)
		return (-1);
	return (io_path(out, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name));
}

int
io_is_same_device(const char *a, const char *b)
{
	struct stat one, two;

	return (stat(a, &one) == 0 && stat(b, &two) == 0 && S_ISBLK(one.st_mode) && S_ISBLK(two.st_mode) &&
	        one.st_rdev == two.st_rdev);
}

int
io_allocated(const char *path, uint64_t *bytes)
{
	struct stat st;
	int fd, rc;

	if (stat(path, &st) != 0)
		return (failed(path, "look at"));
	*bytes = (uint64_t)st.st_blocks * 512;
	if (!S_ISBLK(st.st_mode))
		return (0);
	if ((fd = io_open_read(path)) < 0)
		return (-1);
	rc = io_size(fd, path, bytes);
	close(fd);
	return (rc);
}

int
io_is_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return (0);
	if (!S_ISREG(st.st_mode)) {
		errno = EACCES;
		return (0);
	}
	return (access(path, X_OK) == 0);
}

int
io_is_link(const char *path)
{
	struct stat st;

	return (lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
}

void
io_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

ssize_t
io_read(int fd, const char *path, void *buf, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, (char *)buf + got, n - got);

		if (r == 0)
			break;
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return (failed(path, "read"));
		got += (size_t)r;
	}
	return ((ssize_t)got);
}

ssize_t
io_pread(int fd, const char *path, void *buf, size_t n, uint64_t offset)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = pread(fd, (char *)buf + got, n - got, (off_t)(offset + got));

		if (r == 0)
			break;
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return (say_failed(
			    "%s: cannot read at byte %" PRIu64 ": %s", path, offset + got, strerror(errno)));
		got += (size_t)r;
	}
	return ((ssize_t)got);
}

ssize_t
io_read_worn(int fd, const char *path, void *buf, size_t n, uint64_t offset, int *is_worn)
{
	size_t got = 0;

	*is_worn = 0;
	while (got < n) {
		char *to = (char *)buf + got;
		ssize_t r = offset == IO_STREAM ? read(fd, to, n - got)
		                                : pread(fd, to, n - got, (off_t)(offset + got));

		if (r == 0)
			break;
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && (errno == EIO || errno == EILSEQ || errno == ENODATA)) {
			*is_worn = 1;
			break;
		}
		if (r < 0)
			return (failed(path, "read"));
		got += (size_t)r;
	}
	return ((ssize_t)got);
}

int
io_can_seek(int fd)
{
	return (lseek(fd, 0, SEEK_CUR) >= 0);
}

int
io_seek(int fd, const char *path, uint64_t offset)
{
	return (lseek(fd, (off_t)offset, SEEK_SET) >= 0 ? 0 : failed(path, "seek in"));
}

ssize_t
io_read_start(const char *path, void *buf, size_t n)
{
	int is_standard = strcmp(path, "-") == 0, fd = is_standard ? STDIN_FILENO : io_open_read(path);
	ssize_t got = fd < 0 ? -1 : io_read(fd, path, buf, n);

	if (!is_standard)
		io_close(fd);
	return (got);
}

int
io_skip(int fd, uint64_t n)
{
	return (lseek(fd, (off_t)n, SEEK_CUR) >= 0);
}

int
io_write(int fd, const char *path, const void *buf, size_t n)
{
	const struct io_part part = { buf, n };

	return (io_write_parts(fd, path, &part, 1));
}

int
io_pwrite(int fd, const char *path, const void *buf, size_t n, uint64_t offset)
{
	for (size_t done = 0; done < n;) {
		ssize_t w = pwrite(fd, (const char *)buf + done, n - done, (off_t)(offset + done));

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return (failed(path, "write"));
		done += (size_t)w;
	}
	return (0);
}

#define PARTS_MAX 8

/* 0; an errno; -1: the descriptor takes no more. */
static int
write_all(int fd, const struct io_part *parts, unsigned n)
{
	struct iovec v[PARTS_MAX];
	unsigned i = 0;

	for (unsigned k = 0; k < n && k < PARTS_MAX; k++)
		v[k] = (struct iovec){ (void *)(uintptr_t)parts[k].data, parts[k].size };
	while (i < n) {
		ssize_t w = writev(fd, v + i, (int)(n - i));

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return (errno);
		if (w == 0 && v[i].iov_len > 0)
			return (-1);
		while (i < n && (size_t)w >= v[i].iov_len)
			w -= (ssize_t)v[i++].iov_len;
		if (i < n) {
			v[i].iov_base = (char *)v[i].iov_base + w;
			v[i].iov_len -= (size_t)w;
		}
	}
	return (0);
}

static int
say_write(int error, const char *path)
{
	if (error == 0)
		return (0);
	if (error < 0)
		return (say_failed("%s: nothing more can be written", path));
	errno = error;
	return (failed(path, "write"));
}

int
io_write_parts(int fd, const char *path, const struct io_part *parts, unsigned n)
{
	return (say_write(write_all(fd, parts, n), path));
}

/* EFBIG: the file system's files end here, as those of FAT do at 4 GiB. */
static int
is_full(int error)
{
	return (error == ENOSPC || error == EDQUOT || error == EFBIG);
}

int
io_fill_parts(int fd, const char *path, const struct io_part *parts, unsigned n)
{
	int error = write_all(fd, parts, n);

	return (is_full(error) ? 2 : say_write(error, path));
}

int
io_is_regular(int fd)
{
	struct stat st;

	return (fstat(fd, &st) == 0 && S_ISREG(st.st_mode));
}

void
io_start_writing(int fd, uint64_t offset, uint64_t length)
{
	sync_file_range(fd, (off_t)offset, (off_t)length, SYNC_FILE_RANGE_WRITE);
}

int
io_open_direct(const char *path)
{
	int fd = open_retry(path, O_RDONLY | O_DIRECT | O_NOFOLLOW, 0);

	if (fd >= 0)
		return (fd);
	return (errno == EINVAL || errno == EOPNOTSUPP ? -2 : failed(path, "open for reading back"));
}

int
io_open_fifo(const char *path, int is_written)
{
	int fd = open_retry(path, O_NONBLOCK | (is_written ? O_WRONLY : O_RDONLY), 0);
	struct stat st;

	if (fd < 0 && errno == ENXIO && is_written)
		return (-2);
	if (fd < 0)
		return (failed(path, "open"));
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && fcntl(fd, F_SETFL, 0) == 0)
		return (fd);
	io_close(fd);
	return (say_failed("%s: is no named pipe; make one with mkfifo(1)", path));
}

int
io_forget(int fd, const char *path, uint64_t offset, uint64_t length)
{
	const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	if (sync_file_range(fd, (off_t)offset, (off_t)length, all) != 0 && errno == EIO)
		return (failed(path, "write back"));
	posix_fadvise(fd, (off_t)offset, (off_t)length, POSIX_FADV_DONTNEED);
	return (0);
}

ssize_t
io_read_back(int fd, const char *path, void *buf, size_t n, uint64_t offset)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = pread(fd, (char *)buf + got, n - got, (off_t)(offset + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno == EINVAL && got == 0)
			return (-2);
		if (r < 0)
			return (say_failed("%s: cannot read back what was written at byte %" PRIu64 ": %s",
			    path, offset + got, strerror(errno)));
		got += (size_t)r;
		/* The end of the file; there is nothing aligned behind it to ask for. */
		if (r % IO_ALIGN != 0 || r == 0)
			break;
	}
	return ((ssize_t)got);
}

int
io_sync(int fd, const char *path)
{
	return (fsync(fd) == 0 ? 0 : failed(path, "make durable"));
}

int
io_sync_filled(int fd, const char *path)
{
	if (fsync(fd) == 0)
		return (0);
	return (is_full(errno) ? 2 : failed(path, "make durable"));
}

int
io_sync_dir(const char *path)
{
	int fd = open_retry(path, O_RDONLY | O_DIRECTORY, 0), rc = 0;

	if (fd < 0)
		return (failed(path, "open"));
	if (fsync(fd) != 0) {
		if (errno != EINVAL)
			rc = failed(path, "make durable");
		else
			say_note("%s: this file system does not say when a folder is durable", path);
	}
	close(fd);
	return (rc);
}

int
io_size(int fd, const char *path, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return (failed(path, "look at"));
	if (S_ISBLK(st.st_mode))
		return (ioctl(fd, BLKGETSIZE64, size) == 0 ? 0 : failed(path, "ask for the size"));
	*size = (uint64_t)st.st_size;
	return (0);
}

int
io_resize(int fd, const char *path, uint64_t size)
{
	int rc;

	do
		rc = ftruncate(fd, (off_t)size);
	while (rc != 0 && errno == EINTR);
	return (rc == 0 ? 0 : failed(path, "resize"));
}

int
io_zero(int fd, const char *path, uint64_t offset, uint64_t length)
{
	static const char zeroes[65536];
	int rc;

	if (length == 0)
		return (0);
	do
		rc = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length);
	while (rc != 0 && errno == EINTR);
	if (rc == 0)
		return (0);
	/* A device does this in multiples of its own blocks only, which may be larger than ours. */
	if (errno != EOPNOTSUPP && errno != ENOSYS && !(errno == EINVAL && io_is_device(fd)))
		return (failed(path, "punch a hole"));
	while (length > 0) {
		size_t n = length < sizeof zeroes ? (size_t)length : sizeof zeroes;

		if (io_pwrite(fd, path, zeroes, n, offset) != 0)
			return (-1);
		offset += n;
		length -= n;
	}
	return (0);
}

int
io_stretch(int fd, const char *path, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole)
{
	off_t data = lseek(fd, (off_t)offset, SEEK_DATA), hole;

	*is_hole = 0;
	*length = end - offset;
	if (data < 0 && errno == ENXIO) {
		*is_hole = 1;
		return (0);
	}
	if (data < 0)
		return (errno == EINVAL || errno == EOPNOTSUPP ? 0 : failed(path, "look for data"));
	if ((uint64_t)data > offset) {
		*is_hole = 1;
		*length = ((uint64_t)data < end ? (uint64_t)data : end) - offset;
		return (0);
	}
	if ((hole = lseek(fd, data, SEEK_HOLE)) < 0)
		return (failed(path, "look for holes"));
	if ((uint64_t)hole > offset && (uint64_t)hole < end)
		*length = (uint64_t)hole - offset;
	return (0);
}

int
io_clone(int to, int from)
{
	return (ioctl(to, FICLONE, from) == 0);
}

static int
has_no_modes(void)
{
	return (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS);
}

int
io_allocate(int fd, const char *path, uint64_t n)
{
	int rc;

	do
		rc = fallocate(fd, 0, 0, (off_t)n);
	while (rc != 0 && errno == EINTR);
	if (rc == 0)
		return (0);
	return (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EOPNOTSUPP ||
	                errno == ENOSYS || errno == EINVAL
	            ? 2
	            : failed(path, "take room for"));
}

/* As many extents as are asked for in one call. */
#define EXTENTS 256u

static struct io_extent
extent_of(const struct fiemap_extent *e)
{
	const unsigned vague = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_DATA_INLINE |
	                       FIEMAP_EXTENT_DATA_TAIL;

	return ((struct io_extent){ .offset = e->fe_logical,
	    .place = e->fe_physical,
	    .length = e->fe_length,
	    .is_zero = (e->fe_flags & FIEMAP_EXTENT_UNWRITTEN) != 0,
	    .is_packed = (e->fe_flags & (FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_NOT_ALIGNED)) != 0,
	    .is_vague = (e->fe_flags & vague) != 0 });
}

int
io_extents(int fd, const char *path, uint64_t offset, struct io_extent *out, unsigned n)
{
	union {
		struct fiemap head;
		char room[sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent)];
	} m;

	memset(&m.head, 0, sizeof m.head);
	m.head.fm_start = offset;
	m.head.fm_length = ~UINT64_C(0) - offset;
	m.head.fm_flags = FIEMAP_FLAG_SYNC;
	m.head.fm_extent_count = n < EXTENTS ? n : EXTENTS;
	if (ioctl(fd, FS_IOC_FIEMAP, &m) != 0)
		return (errno == EOPNOTSUPP || errno == ENOTTY || errno == EBADR || errno == EINVAL
		            ? -2
		            : failed(path, "ask where the data lies of"));
	for (unsigned i = 0; i < m.head.fm_mapped_extents; i++)
		out[i] = extent_of(&m.head.fm_extents[i]);
	return ((int)m.head.fm_mapped_extents);
}

int
io_may_pass(const char *dir)
{
	struct stat st;

	return (stat(dir, &st) != 0 ? failed(dir, "look at") : (st.st_mode & S_IXOTH) != 0);
}

int
io_let_pass(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) != 0)
		return (failed(dir, "look at"));
	if ((st.st_mode & S_IXOTH) != 0 || chmod(dir, (st.st_mode & 07777) | S_IXGRP | S_IXOTH) == 0)
		return (0);
	return (failed(dir, "set the mode of"));
}

uint64_t
io_stamp(const char *path)
{
	struct stat st;
	uint64_t stamp;

	if (stat(path, &st) != 0)
		return (0);
	/* A record is replaced whole, so its inode may be told apart where its time cannot. */
	stamp = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec +
	        st.st_ino * 0x9e3779b97f4a7c15;
	return (stamp == 0 ? 1 : stamp);
}

int
io_let_read(int fd, const char *path)
{
	return (fchmod(fd, 0644) == 0 || has_no_modes() ? 0 : failed(path, "set the mode of"));
}

int
io_replace(const char *path, const void *data, size_t n, mode_t mode)
{
	char new[PATH_MAX];
	int fd, rc;

	if (io_path(new, "%s.new", path) != 0)
		return (-1);
	if ((fd = open_retry(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600)) < 0)
		return (failed(new, "create"));
	rc = fchmod(fd, mode) == 0 || (mode != 0600 && has_no_modes()) ? io_write(fd, new, data, n)
	                                                               : failed(new, "set the mode of");
	if (rc == 0)
		rc = io_sync(fd, new);
	if (close(fd) != 0 && rc == 0)
		rc = failed(new, "close");
	if (rc == 0 && rename(new, path) != 0)
		rc = failed(path, "replace");
	if (rc != 0) {
		unlink(new);
		return (-1);
	}
	return (sync_parent(path));
}

char *
io_slurp_fd(int fd, const char *path, size_t max, size_t *size)
{
	uint64_t n;
	char *text;
	ssize_t got;

	if (io_size(fd, path, &n) != 0)
		return (NULL);
	if (n > max) {
		say_failed("%s: has %" PRIu64 " bytes, more than the %zu it may have", path, n, max);
		return (NULL);
	}
	if ((text = malloc((size_t)n + 1)) == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	if ((got = io_read(fd, path, text, (size_t)n)) < 0) {
		free(text);
		return (NULL);
	}
	text[got] = '\0';
	*size = (size_t)got;
	return (text);
}

char *
io_slurp(const char *path, size_t max, size_t *size)
{
	int fd = io_open_read(path);
	char *text = fd < 0 ? NULL : io_slurp_fd(fd, path, max, size);

	io_close(fd);
	return (text);
}

int
io_open_dir(const char *path)
{
	int fd = open_retry(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	return (fd >= 0 ? fd : failed(path, "open"));
}

int
io_open_in(int dirfd, const char *dir, const char *name)
{
	struct stat st;
	int fd;

	do
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return (fd);
	if (fd >= 0) {
		close(fd);
		return (-2);
	}
	if (errno == ENOENT || errno == ELOOP || errno == ENXIO || errno == ENODEV)
		return (-2);
	return (say_failed("%s/%s: cannot open: %s", dir, name, strerror(errno)));
}

struct names {
	char **list;
	size_t n, room;
};

static int
add_name(struct names *N, const char *name)
{
	if (N->n + 1 >= N->room) {
		size_t room = N->room == 0 ? 64 : 2 * N->room;
		char **more = reallocarray(N->list, room, sizeof *more);

		if (more == NULL)
			return (-1);
		N->list = more;
		N->room = room;
	}
	N->list[N->n] = strdup(name);
	return (N->list[N->n] == NULL ? -1 : (N->n++, 0));
}

static int
by_bytes(const void *a, const void *b)
{
	return (strcmp(*(char *const *)a, *(char *const *)b));
}

static int
has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return (n > m && strcmp(name + n - m, suffix) == 0);
}

static int
read_names(DIR *d, const char *dir, const char *suffix, size_t max, struct names *N)
{
	struct dirent *e;

	while (errno = 0, (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    !has_suffix(e->d_name, suffix))
			continue;
		if (N->n == max)
			return (say_failed("%s: has more than %zu files", dir, max));
		if (add_name(N, e->d_name) != 0)
			return (say_failed("out of memory"));
	}
	return (errno == 0 ? 0 : failed(dir, "list"));
}

void
io_names_free(char **names)
{
	for (size_t i = 0; names != NULL && names[i] != NULL; i++)
		free(names[i]);
	free(names);
}

char **
io_names(int dirfd, const char *dir, const char *suffix, size_t max)
{
	struct names N = { NULL, 0, 0 };
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d == NULL) {
		failed(dir, "list");
		io_close(fd);
		return (NULL);
	}
	rc = read_names(d, dir, suffix, max, &N);
	closedir(d);
	if (rc == 0 && N.list == NULL && (N.list = calloc(1, sizeof *N.list)) == NULL)
		rc = say_failed("out of memory");
	if (N.list != NULL)
		N.list[N.n] = NULL;
	if (rc != 0) {
		io_names_free(N.list);
		return (NULL);
	}
	if (N.n > 0)
		qsort(N.list, N.n, sizeof *N.list, by_bytes);
	return (N.list);
}

int
io_second_name(const char *path, const char *name)
{
	if (link(path, name) == 0)
		return (0);
	return (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP || errno == ENOSYS
	            ? 1
	            : failed(name, "make"));
}

int
io_publish(const char *from, const char *to, const char *dir)
{
	if (rename(from, to) != 0)
		return (failed(to, "put in place"));
	return (io_sync_dir(dir));
}

int
io_publish_new(const char *from, const char *to, const char *dir)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return (io_sync_dir(dir));
	if (errno == EEXIST)
		return (say_refused("%s: is there already", to));
	if (errno != EINVAL && errno != ENOSYS)
		return (failed(to, "put in place"));
	/* A file system without that: a hard link does the same. */
	if (link(from, to) != 0)
		return (
		    errno == EEXIST ? say_refused("%s: is there already", to) : failed(to, "put in place"));
	return (io_remove(from) != 0 ? -1 : io_sync_dir(dir));
}

int
io_exchange(const char *a, const char *b, const char *dir)
{
	if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0)
		return (io_sync_dir(dir));
	if (errno == EINVAL || errno == ENOSYS)
		return (say_refused("%s: its file system cannot exchange two names in one step", dir));
	return (failed(a, "exchange"));
}

int
io_move(const char *from, const char *from_dir, const char *to, const char *to_dir)
{
	if (rename(from, to) != 0)
		return (failed(to, "move to here"));
	return (io_sync_dir(to_dir) != 0 ? -1 : io_sync_dir(from_dir));
}

int
io_remove(const char *path)
{
	return (unlink(path) == 0 || errno == ENOENT ? 0 : failed(path, "remove"));
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return (remove(path) == 0 || errno == ENOENT ? 0 : failed(path, "remove"));
}

int
io_remove_folder(const char *path)
{
	return (rmdir(path) == 0 || errno == ENOENT ? 0 : failed(path, "remove"));
}

int
io_give(const char *path, uid_t uid, gid_t gid)
{
	return (lchown(path, uid, gid) == 0 ? 0 : failed(path, "change the owner of"));
}

int
io_remove_tree(const char *path)
{
	if (io_exists(path) == 0)
		return (0);
	return (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : -1);
}

static int
has_no_locks(void)
{
	return (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS);
}

int
io_is_shared(int fd)
{
	/* From linux/magic.h, and where that has none, from the file systems themselves. */
	static const uint32_t kinds[] = { NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, 0xff534d42 /* cifs */,
		0xfe534d42 /* smb2 */, CEPH_SUPER_MAGIC, 0x01161970 /* gfs2 */, OCFS2_SUPER_MAGIC,
		AFS_SUPER_MAGIC, V9FS_MAGIC, 0x0bd00bd0 /* lustre */, 0x47504653 /* gpfs */ };
	struct statfs st;

	if (fstatfs(fd, &st) != 0)
		return (0);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if ((uint32_t)st.f_type == kinds[i])
			return (1);
	return (0);
}

int
io_lock(const char *path)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat mine, there;
	int fd = open_retry(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);

	if (fd < 0)
		return (failed(path, "open the lock"));
	if (fcntl(fd, F_OFD_SETLK, &l) == 0 || (has_no_locks() && !io_is_shared(fd))) {
		/* Whoever had it may have moved the folder away meanwhile, and this would be a lock on nothing. */
		if (fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
		    mine.st_dev == there.st_dev)
			return (fd);
		close(fd);
		return (-2);
	}
	if (errno == EAGAIN || errno == EACCES) {
		close(fd);
		return (-2);
	}
	failed(path, "lock");
	close(fd);
	return (-1);
}

int
io_share_lock(int fd, const char *path, uint64_t offset, uint64_t length)
{
	struct flock l = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = (off_t)length
	};

	return (fcntl(fd, F_OFD_SETLK, &l) == 0 || has_no_locks() ? 0 : failed(path, "lock"));
}

int
io_is_locked(int fd, const char *path, uint64_t offset, uint64_t length)
{
	struct flock l = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = (off_t)length
	};

	if (fcntl(fd, F_OFD_GETLK, &l) == 0)
		return (l.l_type != F_UNLCK);
	return (
	    errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS ? 0 : failed(path, "ask for locks on"));
}

int
io_can_write(const char *dir)
{
	return (access(dir, W_OK | X_OK) == 0);
}

int
io_space(const char *path, uint64_t *free, uint64_t *all)
{
	struct statvfs v;

	if (statvfs(path, &v) != 0)
		return (failed(path, "ask for the free space of"));
	*free = (uint64_t)v.f_bavail * v.f_frsize;
	*all = (uint64_t)v.f_blocks * v.f_frsize;
	return (0);
}

int
io_free(const char *path, uint64_t *bytes)
{
	uint64_t all;

	return (io_space(path, bytes, &all));
}

int
io_link_of(const char *path, char out[PATH_MAX])
{
	ssize_t n = readlink(path, out, PATH_MAX - 1);

	if (n < 0 && errno == EINVAL)
		return (io_path(out, "%s", path));
	if (n < 0)
		return (failed(path, "read the link"));
	out[n] = '\0';
	return (0);
}
