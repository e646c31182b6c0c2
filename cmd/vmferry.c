#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/say.h"
#include "version.h"

/* vmferry VERB ...: run vmferry-VERB, which lies beside this program. */

static const char usage[] =
    "usage: vmferry [--home DIR] VERB [ARGUMENT ...]\n"
    "       vmferry VERB --help\n"
    "       vmferry --version\n"
    "\n"
    "Replicates virtual machines between sites over files and pipes.  The verbs:\n"
    "\n"
    "  init      make a site: its home and its keys         card     print this site's card\n"
    "  trust     the sites that this site knows             enable   start protecting a VM\n"
    "  export    cut a recovery point, write its bundle     import   take a bundle or a receipt in\n"
    "  sync      both at once, over one pipe                serve    answer a site that calls\n"
    "  verify    check bundles by a card                    inspect  what a bundle holds\n"
    "  merge     merge what import --no-merge staged        points   the recovery points of a replica\n"
    "  restore   a point's disks as raw images              scrub    prove a replica from its disks\n"
    "  status    what is replicated, and how it is doing    key      change and revoke keys\n"
    "  media     what a USB disk or mailbox folder holds    combine  fold several deltas into one\n"
    "  compare   say what a replica's disks hold            adopt    disks that are here as initial copy\n"
    "  move      take a replica or a disk elsewhere         failover test, planned, unplanned; both sides\n"
    "  reverse   turn the direction after a failover        resync   bring histories that parted together\n"
    "  pause     stop a replication for a while             resume   take it up again\n"
    "  disable   end it, keep or remove what is here        confirm  what you have seen to, such as DNS\n"
    "  extend    one site more to replicate to, or fewer    hook     for libvirt: may a VM be started?\n"
    "  report    how it goes, as a page for a browser       run      all replications, at their frequencies\n"
    "  libvirt   is asked by the others of VMs of libvirt   qmp      the same of a QEMU by its monitor\n"
    "  complete  is asked by shells: what a word may become\n"
    "\n"
    "Exit status: 0 done; 1 refused, nothing changed; 2 misuse; 3 the system failed, safe to repeat.\n";

/* The path of the program for a verb: 0, or -1 if there is none. */
static int
program_of(const char *verb, char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n < 0 || strspn(verb, "abcdefghijklmnopqrstuvwxyz-") != strlen(verb))
		return (-1);
	self[n] = '\0';
	if (snprintf(path, PATH_MAX, "%s/vmferry-%s", dirname(self), verb) >= PATH_MAX)
		return (-1);
	return (access(path, X_OK));
}

static int
run(const char *home, int argc, char *argv[])
{
	char **args = calloc((size_t)argc + 3, sizeof *args), program[PATH_MAX];
	int n = 0;

	if (program_of(argv[0], program) != 0) {
		say_note("'%s' is no verb; see 'vmferry --help'", argv[0]);
		free(args);
		return (2);
	}
	if (args == NULL) {
		say_failed("out of memory");
		return (3);
	}
	args[n++] = program;
	if (home != NULL) {
		args[n++] = (char *)(uintptr_t) "--home";
		args[n++] = (char *)(uintptr_t)home;
	}
	for (int i = 1; i < argc; i++)
		args[n++] = argv[i];
	execv(program, args);
	say_failed("%s: cannot run: %s", program, strerror(errno));
	free(args);
	return (3);
}

int
main(int argc, char *argv[])
{
	const char *home = NULL;
	int i = 1;

	say_init("vmferry");
	while (i < argc && argv[i][0] == '-') {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(usage, stdout);
			return (say_exit(0));
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("vmferry %s\n", VERSION);
			return (say_exit(0));
		}
		if (strcmp(argv[i], "--home") == 0 && i + 1 < argc) {
			home = argv[i + 1];
			i += 2;
		} else if (strncmp(argv[i], "--home=", 7) == 0) {
			home = argv[i++] + 7;
		} else {
			break;
		}
	}
	if (i >= argc || argv[i][0] == '-') {
		say_note("a verb is missing; see 'vmferry --help'");
		return (2);
	}
	return (run(home, argc - i, argv + i));
}
