#include "args.h"
#include "qmp/qmp.h"

static const struct args_tool tool = { "vmferry-qmp",
	"usage: vmferry-qmp VERB NAME\n"
	"       vmferry-qmp --stay\n"
	"\n"
	"Answers for a running QEMU, by its QMP socket, what vmferry asks of a host.\n"
	"The question is read from standard input; see vmferry-host(7).  With --stay it is kept ready,\n"
	"and asked through a socket.\n" };

int
main(int argc, char *argv[])
{
	return (args_answer(&tool, argc, argv, qmp_answer));
}
