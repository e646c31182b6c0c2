#include "base/stop.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/say.h"

static volatile sig_atomic_t wanted;

static void
handler(int sig)
{
	(void)sig;
	wanted = 1;
}

void
stop_init(void)
{
	struct sigaction a = { .sa_handler = handler };

	sigemptyset(&a.sa_mask);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
}

int
stop_check(void)
{
	return (wanted ? say_failed("interrupted; what was begun is left as it was before") : 0);
}

int
stop_wanted(void)
{
	return (wanted != 0);
}

int
stop_nap(int64_t ms)
{
	int64_t until = clock_ms() + ms, left;

	while ((left = until - clock_ms()) > 0) {
		if (stop_check() != 0)
			return (-1);
		poll(NULL, 0, left < 200 ? (int)left : 200);
	}
	return (0);
}
