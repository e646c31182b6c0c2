#include "medium/speed.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"

#define STEP (UINT64_C(4) << 20)
#define MOST (UINT64_C(256) << 20)
#define LONGEST 2000 /* milliseconds */

/* Write until it is enough, one step ahead of what the medium has taken. */
static int
fill(int fd, const char *path, const uint8_t *noise, uint64_t most, uint64_t *done)
{
	int64_t started = clock_ms();

	for (*done = 0; *done < most && clock_ms() - started < LONGEST; *done += STEP) {
		if (io_write(fd, path, noise, STEP) != 0)
			return (-1);
		io_start_writing(fd, *done, STEP);
		if (*done >= STEP && io_forget(fd, path, *done - STEP, STEP) != 0)
			return (-1);
	}
	return (io_sync(fd, path));
}

int
speed_measure(const struct medium *M, uint64_t *bytes_per_second)
{
	uint64_t bytes, done;
	int64_t started, took;
	uint8_t *noise;
	int fd, rc;

	if (medium_free_bytes(M, &bytes) != 0)
		return (-1);
	if (bytes / 4 < STEP)
		return (say_refused("%s: has no room left to try how fast it is", medium_folder(M)));
	if ((noise = malloc(STEP)) == NULL)
		return (say_failed("out of memory"));
	randombytes_buf(noise, STEP);
	if ((fd = io_temporary(medium_folder(M))) < 0) {
		free(noise);
		return (-1);
	}
	started = clock_ms();
	rc = fill(fd, medium_folder(M), noise, bytes / 4 < MOST ? bytes / 4 : MOST, &done);
	took = clock_ms() - started;
	*bytes_per_second = done * 1000 / (uint64_t)(took > 0 ? took : 1);
	io_close(fd);
	free(noise);
	return (rc);
}
