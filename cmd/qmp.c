#include "args.h"
#include "qmp/qmp.h"

static const struct args_tool tool = { "vmferry-qmp",
	"usage: vmferry-qmp VERB NAME\n"
	"\n"
	"Answers for a running QEMU, by its QMP socket, what vmferry asks of a host.\n"
	"The question is read from standard input; see vmferry-host(7).\n" };

int
main(int argc, char *argv[])
{
	return (args_answer(&tool, argc, argv, qmp_answer));
}
