#include <stdio.h>
#include <string.h>

#include "args.h"
#include "base/say.h"
#include "hyper/question.h"
#include "libvirt/verbs.h"

static const struct args_tool tool = { "vmferry-libvirt",
	"usage: vmferry-libvirt VERB NAME\n"
	"\n"
	"Answers for virtual machines of libvirt what vmferry asks of a host.\n"
	"The question is read from standard input; see vmferry-host(7).\n" };

int
main(int argc, char *argv[])
{
	struct question *Q = NULL;
	int rc;

	say_init(tool.name);
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(tool.usage, stdout);
		return (say_exit(0));
	}
	if (argc != 3 || argv[1][0] == '-')
		args_misuse(&tool, "a verb and a name are wanted");
	if ((rc = question_read(&Q, argc, argv)) == 0)
		rc = verbs_answer(Q);
	question_free(Q);
	return (say_exit(rc));
}
