#include "link/channel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "place.h"
#include "base/clock.h"

/* Two sites that know one another, and a third that knows both, and that neither knows. */
static struct site *hq, *dr, *stranger;

static struct site *
make_site(const char *name)
{
	struct site *S;

	cr_assert_eq(site_init(at(name), name), 0);
	cr_assert_not_null(S = site_open(at(name)));
	return (S);
}

static void
trusts(struct site *S, const struct site *other)
{
	struct trust_entry e;

	memset(&e, 0, sizeof e);
	e.card = *site_card(other);
	cr_assert_eq(site_trust_add(S, &e), 0);
}

static void
make(void)
{
	place_make();
	signal(SIGPIPE, SIG_IGN);
	hq = make_site("hq");
	dr = make_site("dr");
	stranger = make_site("stranger");
	trusts(hq, dr);
	trusts(dr, hq);
	trusts(stranger, hq);
	trusts(stranger, dr);
}

static void
drop(void)
{
	site_close(hq);
	site_close(dr);
	site_close(stranger);
	place_remove();
}

TestSuite(channel, .init = make, .fini = drop);

static const struct trust_entry *
entry(const struct site *S, const char *name)
{
	const struct trust_entry *e;

	cr_assert_eq(site_find(S, name, &e), 0);
	return (e);
}

/* The two ends of a line; [0] is the caller's. */
static void
make_line(int fd[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

/* A process that is called on fd, and gives back what it gets until the caller says goodbye. */
static pid_t
echo(const struct site *S, const int fd[2], const struct channel_times *T)
{
	const struct trust_entry *e;
	enum session_kind kind;
	const uint8_t *body;
	struct channel *C;
	pid_t pid = fork();
	size_t n;
	int rc;

	if (pid != 0) {
		close(fd[1]);
		return (pid);
	}
	close(fd[0]);
	rc = channel_answer_timed(&C, S, &e, fd[1], fd[1], T);
	while (rc == 0 && (rc = channel_next(C, &kind, &body, &n, -1)) == 0 && kind != SESSION_BYE)
		rc = channel_send(C, kind, body, n);
	channel_free(rc == 0 || C != NULL ? C : NULL);
	_exit(rc == 0 ? 0 : rc == 1 ? 1 : 3);
}

/* How it ended. */
static int
end(pid_t pid)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	return (WEXITSTATUS(status));
}

Test(channel, carries_frames_of_every_size_both_ways)
{
	static uint8_t much[SESSION_BODY];
	static const size_t sizes[] = { 0, 1, 1000, SESSION_BODY - 1, SESSION_BODY };
	enum session_kind kind;
	const uint8_t *body;
	struct channel *C;
	int fd[2];
	pid_t pid;
	size_t n;

	randombytes_buf(much, sizeof much);
	make_line(fd);
	pid = echo(dr, fd, &channel_times);
	cr_assert_eq(channel_call(&C, hq, entry(hq, "dr"), fd[0], fd[0]), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		cr_assert_eq(channel_send(C, SESSION_DATA, much, sizes[i]), 0);
		cr_assert_eq(channel_next(C, &kind, &body, &n, -1), 0);
		cr_expect(kind == SESSION_DATA && n == sizes[i] && memcmp(body, much, n) == 0);
	}
	cr_expect_eq(channel_next(C, &kind, &body, &n, 0), 1);
	cr_assert_eq(channel_send(C, SESSION_BYE, NULL, 0), 0);
	channel_free(C);
	cr_expect_eq(fcntl(fd[0], F_GETFL) & O_NONBLOCK, 0);
	close(fd[0]);
	cr_expect_eq(end(pid), 0);
}

Test(channel, gives_a_stranger_no_byte)
{
	struct channel *C;
	int fd[2];
	pid_t pid;

	make_line(fd);
	pid = echo(dr, fd, &channel_times);
	cr_expect_eq(channel_call(&C, stranger, entry(stranger, "dr"), fd[0], fd[0]), -1);
	cr_expect(said("said nothing at all"));
	close(fd[0]);
	cr_expect_eq(end(pid), 1);
}
