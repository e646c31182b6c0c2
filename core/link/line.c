#include "link/line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"
#include "base/stop.h"

#define SLICE 1000 /* ms between two looks at whether we are to stop */

int
line_broken(struct line *L, const char *why)
{
	L->is_broken = 1;
	return (say_failed("%s: %s", L->who, why));
}

int
line_open(struct line *L, int in, int out)
{
	L->in = in;
	L->out = out;
	L->heard = L->said = clock_ms();
	L->in_flags = fcntl(in, F_GETFL);
	L->out_flags = fcntl(out, F_GETFL);
	if (L->in_flags < 0 || L->out_flags < 0 || fcntl(in, F_SETFL, L->in_flags | O_NONBLOCK) != 0 ||
	    fcntl(out, F_SETFL, L->out_flags | O_NONBLOCK) != 0)
		return (line_broken(L, strerror(errno)));
	return (0);
}

void
line_close(struct line *L)
{
	/* Others may have them too, such as the shell that started us. */
	if (L->in_flags >= 0)
		fcntl(L->in, F_SETFL, L->in_flags);
	if (L->out_flags >= 0)
		fcntl(L->out, F_SETFL, L->out_flags);
}

size_t
line_here(const struct line *L)
{
	return (L->end - L->first);
}

/* Make room behind what is here: how much. */
static size_t
make_room(struct line *L)
{
	if (L->first == L->end) {
		L->first = L->end = 0;
	} else if (L->first > 0 && L->room - L->end < L->room / 2) {
		memmove(L->input, L->input + L->first, L->end - L->first);
		L->end -= L->first;
		L->first = 0;
	}
	return (L->room - L->end);
}

/* Take what has come: 0, also if that is nothing or the end; -1, said. */
static int
take(struct line *L)
{
	ssize_t n = read(L->in, L->input + L->end, L->room - L->end);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return (0);
	if (n < 0)
		return (line_broken(L, strerror(errno)));
	if (n == 0)
		L->is_ended = 1;
	else
		L->heard = clock_ms();
	L->end += (size_t)n;
	L->received += (uint64_t)n;
	return (0);
}

/* Poll until then, but not for long: what poll gives, and 0 if interrupted; -1, said. */
static int
wait_for(struct line *L, struct pollfd *p, nfds_t n, int64_t until)
{
	int64_t left = until - clock_ms();
	int got;

	if (stop_check() != 0)
		return (-1);
	got = poll(p, n, (int)(left < 0 ? 0 : left > SLICE ? SLICE : left));
	if (got < 0 && errno == EINTR)
		return (0);
	return (got < 0 ? line_broken(L, strerror(errno)) : got);
}

int
line_more(struct line *L, int64_t until)
{
	struct pollfd p = { .fd = L->in, .events = POLLIN };
	size_t had = L->end - L->first;
	int got;

	make_room(L);
	do {
		/* Never read without poll: a named pipe to which nobody has come yet reads as one that has ended. */
		if (!L->is_ended && (got = wait_for(L, &p, 1, until)) != 0 && (got < 0 || take(L) != 0))
			return (-1);
		if (L->is_ended)
			return (line_broken(L, "the line was cut"));
		if (L->end - L->first > had)
			return (0);
	} while (clock_ms() < until);
	return (1);
}

/* Wait until something can be written, and take what comes: 0; -1, said. */
static int
wait_to_write(struct line *L, int64_t until)
{
	struct pollfd p[2] = { { .fd = L->out, .events = POLLOUT }, { .fd = -1, .events = POLLIN } };
	int64_t last = L->heard > L->said ? L->heard : L->said, now;

	if (!L->is_ended && make_room(L) > 0)
		p[1].fd = L->in;
	if (until > last + L->silence)
		until = last + L->silence;
	switch (wait_for(L, p, 2, until)) {
	case -1:
		return (-1);
	case 0:
		now = clock_ms();
		return (now < until ? 0 : line_broken(L, "the line is dead: nothing can be sent"));
	default:
		return (p[1].revents != 0 ? take(L) : 0);
	}
}

int
line_write(struct line *L, const uint8_t *p, size_t n, int64_t until)
{
	/* A rest before this was our own. */
	L->said = clock_ms();
	while (n > 0) {
		ssize_t put = write(L->out, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno != EAGAIN)
			return (line_broken(L, errno == EPIPE ? "the line was cut" : strerror(errno)));
		if (put < 0) {
			if (wait_to_write(L, until) != 0)
				return (-1);
			continue;
		}
		p += put;
		n -= (size_t)put;
		L->sent += (uint64_t)put;
		L->said = clock_ms();
	}
	return (0);
}

int
line_has_room(const struct line *L)
{
	struct pollfd p = { .fd = L->out, .events = POLLOUT };

	return (poll(&p, 1, 0) == 1);
}
