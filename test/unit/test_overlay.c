#include "place.h"

#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bounds.h"
#include "base/program.h"
#include "disk/overlay.h"

TestSuite(overlay, .init = place_make, .fini = place_remove);

#define SIZE (8u << 20)
#define ROUNDS 24u
#define MOST 64u /* extents in a round */

/* The base, and what the overlay is to read as; both longer than any disk here. */
static uint8_t base[6 * SIZE], model[6 * SIZE];

static void
random_bytes(uint8_t *p, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)dice(seed);
}

/* A program of QEMU's, by its arguments. */
static int
tool(const char *const *argv)
{
	const struct program P = { .argv = argv };
	struct program_result R;
	int status;

	cr_assert_eq(program_run(&P, &R), 0);
	status = R.status;
	program_release(&R);
	return (status);
}

/* What QEMU reads from the overlay is the model. */
static void
expect_model(const char *name, size_t size)
{
	const char *argv[] = { "qemu-img", "convert", "-f", "qcow2", "-O", "raw", at(name), at("flat"),
		NULL };
	uint8_t *got;
	size_t n;

	cr_assert_eq(tool(argv), 0);
	got = place_get("flat", &n);
	cr_expect_eq(n, size);
	for (size_t i = 0; i < size && i < n; i++)
		if (got[i] != model[i]) {
			cr_expect(0, "%s: first other byte at %zu of %zu", name, i, size);
			break;
		}
	free(got);
}

static void
expect_file(const char *name, const uint8_t *want, size_t size)
{
	size_t n;
	uint8_t *got = place_get(name, &n);

	cr_expect_eq(n, size);
	cr_expect(n == size && memcmp(got, want, n) == 0, "%s is not what it should be", name);
	free(got);
}

/* A random base of that size, an overlay of another, and the model of it. */
static void
make(size_t base_size, size_t size, uint64_t *seed)
{
	random_bytes(base, base_size, seed);
	memset(model, 0, sizeof model);
	memcpy(model, base, base_size < size ? base_size : size);
	place_put("base", base, base_size);
	cr_assert_eq(overlay_create(at("over"), at("base"), size), 0);
}

/* Random extents of all kinds, in order, as a segment has them; the last one may end inside a block. */
static void
apply_some(struct overlay *O, size_t size, uint64_t *seed)
{
	static uint8_t data[LIMIT_DATA];
	struct extent e[MOST];
	uint64_t offset = dice(seed) % 2 * (dice(seed) % (size / LIMIT_BLOCK) * LIMIT_BLOCK), filled = 0;
	uint32_t n = 0;

	while (n < MOST) {
		uint64_t length = LIMIT_BLOCK * (1 + dice(seed) % (dice(seed) % 8 == 0 ? 64 : 4));

		offset += LIMIT_BLOCK * (dice(seed) % 64);
		if (offset >= size || filled + length > sizeof data)
			break;
		if (length > size - offset)
			length = size - offset;
		e[n] = (struct extent){ offset, length, (enum extent_kind)(1 + dice(seed) % 3) };
		memset(model + offset, 0, length);
		if (e[n].kind == EXTENT_DATA) {
			random_bytes(data + filled, length, seed);
			memcpy(model + offset, data + filled, length);
			filled += length;
		}
		offset += length;
		n++;
	}
	cr_assert_eq(overlay_apply(O, e, n, data), 0);
}

static void
fill(size_t size, uint64_t *seed)
{
	struct overlay *O;

	cr_assert_eq(overlay_open(&O, at("over")), 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		apply_some(O, size, seed);
	cr_assert_eq(overlay_flush(O), 0);
	overlay_close(O);
}

static const struct {
	size_t base, size;
} sizes[] = {
	{ SIZE, SIZE }, { SIZE + 512, SIZE + 512 }, { SIZE - 1536, SIZE + 2560 }, /* the disk grew */
	{ SIZE + 2560, SIZE - 1536 },                                             /* it shrank */
	{ SIZE / 2 + 512, SIZE + 4096 + 512 }                                     /* it grew by much */
};

Test(overlay, reads_as_what_was_applied_and_else_as_its_base_and_ends_up_in_it)
{
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uint64_t seed = i;
		struct overlay_head head;

		make(sizes[i].base, sizes[i].size, &seed);
		expect_model("over", sizes[i].size);
		fill(sizes[i].size, &seed);
		expect_model("over", sizes[i].size);
		expect_file("base", base, sizes[i].base);
		cr_expect(overlay_head(at("over"), &head) == 0 && head.size == sizes[i].size);
		cr_expect_str_eq(head.base, at("base"));
		for (unsigned again = 0; again < 2; again++) {
			cr_expect_eq(overlay_commit(at("over"), at("base")), 0);
			expect_file("base", model, sizes[i].size);
			expect_model("over", sizes[i].size);
		}
		unlink(at("over"));
	}
}

/* What the file holds at the end of overlay_flush is all, with nothing left in qemu-nbd, or a crash would lose it. */
Test(overlay, flushed_is_whole_while_it_is_still_open)
{
	uint64_t seed = 7;
	struct overlay *O;

	make(SIZE, SIZE, &seed);
	cr_assert_eq(overlay_open(&O, at("over")), 0);
	for (unsigned i = 0; i < 4; i++) {
		const char *argv[] = { "cp", at("over"), at("copy"), NULL };

		apply_some(O, SIZE, &seed);
		cr_assert_eq(overlay_flush(O), 0);
		cr_assert_eq(tool(argv), 0);
		expect_model("copy", SIZE);
	}
	overlay_close(O);
}

Test(overlay, is_known_to_be_in_use_and_left_alone)
{
	uint64_t seed = 8;
	struct overlay *O, *other;

	make(SIZE, SIZE, &seed);
	cr_expect_eq(overlay_is_used(at("over")), 0);
	cr_assert_eq(overlay_open(&O, at("over")), 0);
	cr_expect_eq(overlay_is_used(at("over")), 1);
	cr_expect_eq(overlay_is_used(at("base")), 1);
	cr_expect_eq(overlay_open(&other, at("over")), 1);
	cr_expect(said("shut the VM down first"));
	cr_expect_eq(overlay_commit(at("over"), at("base")), 1);
	cr_expect(said("shut the VM down first"));
	overlay_close(O);
	cr_expect_eq(overlay_is_used(at("over")), 0);
	cr_expect_eq(overlay_is_used(at("base")), 0);
	expect_file("base", base, SIZE);
}

Test(overlay, is_let_go_when_the_one_that_fills_it_is_killed)
{
	uint64_t seed = 15;
	int ready[2];
	pid_t pid;
	char c;

	make(SIZE, SIZE, &seed);
	cr_assert_eq(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		struct overlay *O;

		if (overlay_open(&O, at("over")) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &c, 1), 1);
	cr_expect_eq(overlay_is_used(at("over")), 1);
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	while (overlay_is_used(at("over")) == 1)
		;
	close(ready[0]);
}

Test(overlay, that_qemu_cannot_read_is_refused_with_its_words)
{
	uint64_t seed = 16;
	struct overlay *O;

	make(SIZE, SIZE, &seed);
	cr_assert_eq(unlink(at("base")), 0);
	cr_expect_eq(overlay_open(&O, at("over")), -1);
	cr_expect(said("Could not open backing file"));
}

/* QEMU's own shell holds the image at path; it ends when *in is closed. */
static pid_t
hold(const char *format, const char *path, int *in)
{
	int a[2], b[2];
	char c;
	pid_t pid;

	cr_assert(pipe2(a, O_CLOEXEC) == 0 && pipe2(b, O_CLOEXEC) == 0);
	if ((pid = fork()) == 0) {
		dup2(a[0], 0);
		dup2(b[1], 1);
		execlp("qemu-io", "qemu-io", "-f", format, path, (char *)NULL);
		_exit(127);
	}
	close(a[0]);
	close(b[1]);
	cr_assert(pid > 0 && write(a[1], "length\n", 7) == 7);
	do
		cr_assert_eq(read(b[0], &c, 1), 1);
	while (c != '\n');
	close(b[0]);
	*in = a[1];
	return (pid);
}

static void
let_go(pid_t pid, int in)
{
	close(in);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(overlay, commit_is_refused_while_another_program_has_one_of_the_two)
{
	const char *formats[] = { "qcow2", "raw" }, *names[] = { "over", "base" };
	uint64_t seed = 9;

	make(SIZE, SIZE, &seed);
	fill(SIZE, &seed);
	for (unsigned i = 0; i < 2; i++) {
		int in;
		pid_t pid = hold(formats[i], at(names[i]), &in);

		cr_expect_eq(overlay_is_used(at(names[i])), 1);
		cr_expect_eq(overlay_commit(at("over"), at("base")), 1);
		cr_expect(said("shut the VM down first"));
		let_go(pid, in);
		expect_file("base", base, SIZE);
	}
	cr_expect_eq(overlay_commit(at("over"), at("base")), 0);
	expect_file("base", model, SIZE);
}

Test(overlay, commit_that_was_killed_is_completed_by_the_next)
{
	struct inotify_event event = { 0 };
	const size_t size = 5 * SIZE;
	uint64_t seed = 10;

	make(size, size + 512, &seed);
	fill(size + 512, &seed);
	for (unsigned i = 0; i < 4; i++) {
		int fd = inotify_init1(IN_CLOEXEC);
		pid_t pid;

		place_put("base", base, size);
		cr_assert(fd >= 0 && inotify_add_watch(fd, at("base"), IN_MODIFY | IN_CLOSE_WRITE) >= 0);
		if ((pid = fork()) == 0)
			_exit(overlay_commit(at("over"), at("base")) == 0 ? 0 : 1);
		/* At one of the first changes, in the middle of the work, or when there are no more. */
		event.mask = 0;
		for (unsigned k = 0; k <= i && event.mask != IN_CLOSE_WRITE; k++)
			cr_assert_eq(read(fd, &event, sizeof event), (ssize_t)sizeof event);
		close(fd);
		kill(pid, SIGKILL);
		cr_assert_eq(waitpid(pid, NULL, 0), pid);
		/* The program that it ran goes with it, in a moment. */
		while (overlay_is_used(at("over")) == 1 || overlay_is_used(at("base")) == 1)
			;
		cr_expect_eq(overlay_commit(at("over"), at("base")), 0);
		expect_file("base", model, size + 512);
	}
}

/* Where we may make a device of the base: its path, with a newline cut off, or "". */
static void
make_device(char out[64])
{
	const char *argv[] = { "losetup", "-f", "--show", at("base"), NULL };
	const struct program P = { .argv = argv };
	struct program_result R;

	cr_assert_eq(program_run(&P, &R), 0);
	snprintf(out, 64, "%.*s", (int)strcspn(R.output, "\n"), R.status == 0 ? R.output : "");
	program_release(&R);
}

Test(overlay, on_a_block_device_is_the_same_as_long_as_the_device_is_large_enough)
{
	const char *detach[] = { "losetup", "-d", NULL, NULL };
	uint64_t seed = 14;
	struct overlay *O;
	char device[64];
	int fd;

	make(SIZE, SIZE, &seed);
	unlink(at("over"));
	make_device(device);
	if (device[0] == '\0')
		cr_skip_test("no loop device can be made here");
	/* Given up now, it goes when we close it, or end in whatever way. */
	detach[2] = device;
	cr_expect_geq(fd = open(device, O_RDONLY | O_CLOEXEC), 0);
	cr_assert_eq(tool(detach), 0);
	cr_expect_eq(overlay_create(at("over"), device, SIZE), 0);
	fill(SIZE, &seed);
	expect_model("over", SIZE);
	cr_expect(overlay_open(&O, at("over")) == 0 && overlay_is_used(device) == 1);
	overlay_close(O);
	cr_expect_eq(overlay_commit(at("over"), device), 0);
	cr_expect_eq(overlay_create(at("more"), device, 2 * SIZE), 0);
	cr_expect_eq(overlay_commit(at("more"), device), 1);
	cr_expect(said("and the disk needs"));
	close(fd);
	expect_file("base", model, SIZE);
}

static int
is_sparse(const char *name)
{
	struct stat st;

	return (stat(at(name), &st) == 0 && st.st_blocks * 512 < SIZE / 4);
}

/* Nothing is copied but the blocks that were applied, neither into the overlay nor into the base. */
Test(overlay, costs_what_was_applied_and_leaves_the_holes_of_its_base)
{
	static uint8_t data[LIMIT_BLOCK];
	struct overlay *O;

	memset(data, 'd', sizeof data);
	place_put("base", data, sizeof data);
	cr_assert_eq(truncate(at("base"), SIZE), 0);
	if (!is_sparse("base"))
		cr_skip_test("there are no holes on this file system");
	cr_assert_eq(overlay_create(at("over"), at("base"), SIZE), 0);
	cr_assert_eq(overlay_open(&O, at("over")), 0);
	for (uint64_t at_byte = LIMIT_BLOCK; at_byte < SIZE; at_byte += 65536) {
		const struct extent e = { at_byte, LIMIT_BLOCK, EXTENT_DATA };

		cr_assert_eq(overlay_apply(O, &e, 1, data), 0);
	}
	cr_assert_eq(overlay_flush(O), 0);
	overlay_close(O);
	cr_expect(is_sparse("over"));
	cr_expect_eq(overlay_commit(at("over"), at("base")), 0);
	cr_expect(is_sparse("base"));
}

Test(overlay, needs_its_own_base_and_an_image)
{
	uint64_t seed = 11;
	struct overlay_head head;
	struct overlay *O;

	make(SIZE, SIZE, &seed);
	place_put("other", base, SIZE);
	cr_expect_eq(overlay_commit(at("over"), at("other")), 1);
	cr_expect(said("is an overlay on"));
	cr_expect_eq(overlay_open(&O, at("other")), 1);
	cr_expect(said("is not an overlay"));
	cr_expect_eq(overlay_head(at("other"), &head), 1);
	place_put("short", base, 31);
	cr_expect_eq(overlay_head(at("short"), &head), 1);
}

Test(overlay, is_never_made_over_something_and_leaves_nothing_when_it_fails)
{
	uint64_t seed = 12;

	make(SIZE, SIZE, &seed);
	cr_expect_eq(overlay_create(at("over"), at("base"), SIZE), -1);
	expect_model("over", SIZE);
	hush();
	cr_expect_eq(overlay_create(at("new"), at("no-base"), SIZE), -1);
	cr_expect(said("cannot make the overlay"));
	cr_expect_eq(overlay_create(at("new"), "base", SIZE), 1);
	cr_expect_eq(overlay_create(at("new"), at("base"), 100), 1);
	cr_expect_eq(access(at("new"), F_OK), -1);
}

Test(overlay, without_the_programs_names_the_package)
{
	uint64_t seed = 13;
	struct overlay *O;

	make(SIZE, SIZE, &seed);
	setenv("PATH", place, 1);
	cr_expect_eq(overlay_create(at("new"), at("base"), SIZE), -1);
	cr_expect(said("qemu-img: there is no such program; install the package qemu-utils"));
	cr_expect_eq(overlay_open(&O, at("over")), -1);
	cr_expect(said("qemu-nbd: there is no such program; install the package qemu-utils"));
	cr_expect_eq(overlay_commit(at("over"), at("base")), -1);
	cr_expect(said("qemu-utils"));
}
