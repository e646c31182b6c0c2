#include "place.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/sandbox.h"

/* The statuses of a child: what it was to show held, did not, or the kernel has no such walls. */
enum { HELD = 0, BROKEN = 1, NO_WALLS = 77 };

TestSuite(sandbox, .init = place_make, .fini = place_remove);

/* Enter the sandbox in a child, and see there whether a promise holds: it gives 0, or what is wrong. */
static void
in_sandbox(enum sandbox_work work, int (*look)(void))
{
	struct sandbox B = { .work = work, .insist = 1 };
	int status, rc;
	pid_t pid;

	if (work == SANDBOX_STORE) {
		cr_assert_eq(sandbox_add_look(&B, at("home")), 0);
		cr_assert_eq(sandbox_add(&B, at("store")), 0);
	}
	if ((pid = fork()) == 0) {
		if ((rc = sandbox_enter(&B)) != 0)
			_exit(rc == 1 ? NO_WALLS : BROKEN);
		_exit(look() == 0 ? HELD : BROKEN);
	}
	sandbox_free(&B);
	cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
	cr_assert(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == NO_WALLS)
		cr_skip_test("this kernel has no sandbox");
	cr_expect_eq(WEXITSTATUS(status), HELD);
}

/* A file that was opened outside, and paths made there. */
static int fd = -1;
static char inside[PATH_MAX], outside[PATH_MAX], beside[PATH_MAX], looked_at[PATH_MAX], new_there[PATH_MAX],
    by_dots[PATH_MAX], moved[PATH_MAX];

static void
prepare(void)
{
	cr_assert_eq(mkdir(at("store"), 0700), 0);
	cr_assert_eq(mkdir(at("home"), 0700), 0);
	place_put("home/routes", "words", 5);
	strcpy(looked_at, at("home/routes"));
	strcpy(new_there, at("home/hook"));
	place_put("outside", "words", 5);
	place_put("store/there", "words", 5);
	strcpy(inside, at("store/new"));
	strcpy(moved, at("store/moved"));
	strcpy(outside, at("outside"));
	strcpy(beside, at("beside"));
	strcpy(by_dots, at("store/../outside"));
	cr_assert((fd = open(outside, O_RDONLY)) >= 0);
}

/* Not even asked for: the call is refused, whatever Landlock says of the file. */
static int
opens(const char *path, int flags)
{
	return (open(path, flags, 0600) >= 0 || errno != EPERM);
}

static int
opens_nothing(void)
{
	return (opens(outside, O_RDONLY) || opens(inside, O_RDWR | O_CREAT) || opens("/dev/null", O_RDONLY) ||
	        opens("/proc/self/status", O_RDONLY));
}

Test(sandbox, of_a_reader_opens_no_file)
{
	prepare();
	in_sandbox(SANDBOX_READ, opens_nothing);
}

static int
reads_what_is_open(void)
{
	char text[8];
	void *p = malloc(1 << 24);

	return (p == NULL || read(fd, text, sizeof text) != 5 || memcmp(text, "words", 5) != 0);
}

Test(sandbox, of_a_reader_reads_what_is_open)
{
	prepare();
	in_sandbox(SANDBOX_READ, reads_what_is_open);
}

static int
touches_nobody(void)
{
	char *const argv[] = { "true", NULL };
	pid_t parent = getppid();

	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		return (1);
	if (ptrace(PTRACE_ATTACH, parent, NULL, NULL) == 0 || kill(parent, 0) == 0)
		return (1);
	execv("/bin/true", argv);
	return (errno != EPERM);
}

Test(sandbox, makes_no_socket_runs_no_program_and_touches_no_process)
{
	prepare();
	in_sandbox(SANDBOX_READ, touches_nobody);
	in_sandbox(SANDBOX_STORE, touches_nobody);
}

static int
only_looks(void)
{
	return (open(looked_at, O_RDONLY) < 0 || open(looked_at, O_WRONLY) >= 0 ||
	        open(new_there, O_WRONLY | O_CREAT, 0700) >= 0 || rename(looked_at, new_there) == 0 ||
	        unlink(looked_at) == 0);
}

Test(sandbox, of_a_store_writes_nothing_where_it_only_looks)
{
	prepare();
	in_sandbox(SANDBOX_STORE, only_looks);
}

static int
writes_inside(void)
{
	int new = open(inside, O_RDWR | O_CREAT | O_EXCL, 0600);

	return (new < 0 || write(new, "x", 1) != 1 || fsync(new) != 0 || rename(inside, moved) != 0 ||
	        unlink(moved) != 0);
}

Test(sandbox, of_a_store_makes_moves_and_removes_files_in_its_folder)
{
	prepare();
	in_sandbox(SANDBOX_STORE, writes_inside);
}

static int
reaches_nothing_outside(void)
{
	if (open(beside, O_RDWR | O_CREAT, 0600) >= 0 || open(outside, O_RDONLY) >= 0 ||
	    open(by_dots, O_RDONLY) >= 0 || unlink(outside) == 0 || rename(outside, inside) == 0)
		return (1);
	/* A link inside that leads out. */
	return (symlink(outside, inside) == 0 && open(inside, O_RDONLY) >= 0);
}

Test(sandbox, of_a_store_reaches_nothing_outside_it_not_even_by_a_link)
{
	prepare();
	in_sandbox(SANDBOX_STORE, reaches_nothing_outside);
	cr_expect_eq(access(outside, F_OK), 0);
}

static int
makes_nothing_odd(void)
{
	return (mknod(inside, S_IFCHR | 0600, 0x103) == 0 || chmod(moved, 04755) == 0 ||
	        mkfifo(inside, 0600) == 0);
}

Test(sandbox, of_a_store_makes_no_device)
{
	prepare();
	in_sandbox(SANDBOX_STORE, makes_nothing_odd);
}

static void *
thread(void *arg)
{
	*(int *)arg = opens_nothing();
	return (NULL);
}

static int
binds_threads(void)
{
	int opened = 1;
	pthread_t t;

	if (pthread_create(&t, NULL, thread, &opened) != 0 || pthread_join(t, NULL) != 0)
		return (1);
	return (opened);
}

Test(sandbox, binds_threads_that_start_later)
{
	prepare();
	in_sandbox(SANDBOX_READ, binds_threads);
}

Test(sandbox, takes_a_folder_once_and_no_more_than_it_can_hold)
{
	static struct sandbox B;
	char name[32];

	for (unsigned i = 0; i < 2 * SANDBOX_DIRS; i++) {
		snprintf(name, sizeof name, "/%u", i / 2);
		cr_assert_eq(sandbox_add(&B, name), 0);
	}
	cr_expect_eq(B.ndirs, SANDBOX_DIRS);
	cr_expect_eq(sandbox_add(&B, "/one more"), -1);
	cr_expect(said("too many"));
	sandbox_free(&B);
	cr_expect_eq(B.ndirs, 0);
}
