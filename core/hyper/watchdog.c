#include "hyper/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/say.h"

/* Whoever waits for the end of our output must not wait for this process too. */
static void
let_go(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static _Noreturn void
watch(int fd, void (*rescue)(void *arg), void *arg)
{
	char c;
	ssize_t n;

	let_go();
	while ((n = read(fd, &c, 1)) < 0 && errno == EINTR)
		;
	if (n == 0)
		rescue(arg);
	_exit(0);
}

int
watchdog_start(struct watchdog *W, void (*rescue)(void *arg), void *arg)
{
	int p[2];

	*W = WATCHDOG_NONE;
	if (pipe2(p, O_CLOEXEC) != 0)
		return (say_failed("cannot make a pipe: %s", strerror(errno)));
	if ((W->pid = fork()) == 0) {
		close(p[1]);
		watch(p[0], rescue, arg);
	}
	close(p[0]);
	W->fd = p[1];
	if (W->pid > 0)
		return (0);
	close(p[1]);
	*W = WATCHDOG_NONE;
	return (say_failed("cannot start a process: %s", strerror(errno)));
}

void
watchdog_end(struct watchdog *W)
{
	if (W->pid < 0)
		return;
	/* If it is dead, nobody reads that; nor needs to. */
	while (write(W->fd, "e", 1) < 0 && errno == EINTR)
		;
	close(W->fd);
	while (waitpid(W->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*W = WATCHDOG_NONE;
}
