#include "base/jot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 200u
#define PAUSE 1000000L /* nanoseconds: what is done under the lock takes less */

static int
open_regular(const char *path, int flags)
{
	struct stat st;
	int fd;

	do
		fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return (-1);
	}
	return (fd);
}

int
jot_open(const char *path)
{
	return (open_regular(path, O_RDONLY));
}

int
jot_open_alone(const char *path)
{
	const struct timespec pause = { .tv_nsec = PAUSE };
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open_regular(path, O_RDWR | O_CREAT);

	for (unsigned i = 0; fd >= 0 && i < TRIES; i++) {
		/* A file system without locks has nothing to wait for. */
		if (fcntl(fd, F_OFD_SETLK, &l) == 0 || errno == ENOLCK || errno == EOPNOTSUPP ||
		    errno == ENOSYS)
			return (fd);
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			break;
		nanosleep(&pause, NULL);
	}
	if (fd >= 0)
		close(fd);
	return (-1);
}

size_t
jot_read(int fd, void *buf, size_t n, uint64_t offset)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = pread(fd, (char *)buf + got, n - got, (off_t)(offset + got));

		if (r == 0 || (r < 0 && errno != EINTR))
			break;
		got += r < 0 ? 0 : (size_t)r;
	}
	return (got);
}

size_t
jot_write(int fd, const void *buf, size_t n, uint64_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t w = pwrite(fd, (const char *)buf + done, n - done, (off_t)(offset + done));

		if (w == 0 || (w < 0 && errno != EINTR))
			break;
		done += w < 0 ? 0 : (size_t)w;
	}
	return (done);
}
