#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "hook.h"
#include "base/io.h"
#include "base/say.h"

#define DEFINITION (1u << 20) /* bytes that are looked at; the UUID stands in front */

static const struct args_tool tool = { "vmferry-hook",
	"usage: vmferry hook NAME OPERATION PHASE EXTRA [--home DIR]\n"
	"\n"
	"To be run by libvirt's hook for QEMU, with the arguments that it gets and the VM's definition on\n"
	"standard input: refuses, by its exit status, to start a VM that may not run at this site now.  See\n"
	"vmferry-hook(1) for how it is installed.\n" };

/* What is on standard input, to its end, since whoever writes there waits for that: the first of it. */
static char *
read_definition(void)
{
	char *text = malloc(DEFINITION + 1), rest[4096];
	ssize_t n;

	if (text == NULL || (n = io_read(STDIN_FILENO, "standard input", text, DEFINITION)) < 0) {
		free(text);
		return (NULL);
	}
	text[n] = '\0';
	while (n == (ssize_t)DEFINITION && read(STDIN_FILENO, rest, sizeof rest) > 0)
		;
	return (text);
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { 0 } };
	struct hook_question q = { 0 };
	char *text;
	int rc = -1;

	say_init(tool.name);
	args_next(&tool, argc, argv, "h", longs, &q.home);
	args_words(&tool, argc, 4, 4);
	q.name = argv[optind];
	q.operation = argv[optind + 1];
	q.phase = argv[optind + 2];
	if ((text = read_definition()) != NULL) {
		q.definition = text;
		rc = hook(&q);
	}
	free(text);
	return (say_exit(rc));
}
