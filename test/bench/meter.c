/*
 * Run one command under equal conditions and say what it cost:
 *
 *	meter RESULT MIB [FILE ...] -- COMMAND [ARGUMENT ...]
 *
 * First, MIB of memory are touched and given back: on virtual machines the first use of a page can cost more
 * than the work to be measured.  Then the FILEs' data is read, so that it is in the page cache.  Then COMMAND
 * runs, and RESULT gets one line: wall seconds, CPU seconds of it and all its descendants, CPU seconds of all
 * else on the machine meanwhile, the largest resident set of any one process in KiB, and the exit status.
 *
 * This is a small C program because a child begins with the memory of the process it was forked from, which
 * for an interpreter is more than many a tool needs.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "meter: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void
touch(size_t mib)
{
	size_t n = mib << 20, at;
	volatile char *p;

	if (n == 0)
		return;
	if ((p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED)
		die("memory");
	for (at = 0; at < n; at += 4096)
		p[at] = 1;
	munmap((void *)(uintptr_t)p, n);
}

static void
warm(const char *path)
{
	static char buf[1 << 20];
	off_t at, end;
	ssize_t n;
	int fd;

	if ((fd = open(path, O_RDONLY)) == -1)
		die(path);
	for (end = 0; (at = lseek(fd, end, SEEK_DATA)) != -1;) {
		end = lseek(fd, at, SEEK_HOLE);
		for (; at < end; at += n) {
			n = pread(
			    fd, buf, end - at < (off_t)sizeof(buf) ? (size_t)(end - at) : sizeof(buf), at);
			if (n <= 0)
				die(path);
		}
	}
	close(fd);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static double
seconds(struct timeval t)
{
	return ((double)t.tv_sec + (double)t.tv_usec / 1e6);
}

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: meter RESULT MIB [FILE ...] -- COMMAND [ARGUMENT ...]\n");
	exit(2);
}

/* CPU seconds that the machine has spent on anything since it started, or that its host took away from it. */
static double
busy(void)
{
	unsigned long long user, nice, sys, idle, iowait, irq, softirq, steal;
	FILE *f;
	int n;

	if ((f = fopen("/proc/stat", "r")) == NULL)
		die("/proc/stat");
	n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys, &idle, &iowait, &irq,
	    &softirq, &steal);
	fclose(f);
	if (n != 8)
		die("/proc/stat");
	return ((double)(user + nice + sys + irq + softirq + steal) / (double)sysconf(_SC_CLK_TCK));
}

int
main(int argc, char *argv[])
{
	struct rusage ru;
	double start, before, own, others, wall = 0;
	int i, status, code = 255;
	pid_t child, pid;
	FILE *f;

	if (argc < 5)
		usage();
	touch((size_t)strtoul(argv[2], NULL, 10));
	for (i = 3; i < argc && strcmp(argv[i], "--") != 0; i++)
		warm(argv[i]);
	if (i + 1 >= argc)
		usage();

	/* Whoever outlives its parent becomes our child: nothing that the command started is missed or left. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	before = busy();
	start = now();
	if ((child = fork()) == -1)
		die("fork");
	if (child == 0) {
		execvp(argv[i + 1], &argv[i + 1]);
		fprintf(stderr, "meter: %s: %s\n", argv[i + 1], strerror(errno));
		_exit(127);
	}
	while ((pid = wait(&status)) != -1) {
		wall = now() - start;
		if (pid == child)
			code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	getrusage(RUSAGE_CHILDREN, &ru);
	own = seconds(ru.ru_utime) + seconds(ru.ru_stime);
	others = busy() - before - own;
	if ((f = fopen(argv[1], "w")) == NULL)
		die(argv[1]);
	fprintf(f, "%.4f %.4f %.4f %ld %d\n", wall, own, others, ru.ru_maxrss, code);
	if (fclose(f) != 0)
		die(argv[1]);
	return (code);
}
