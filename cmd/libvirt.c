#include "args.h"
#include "libvirt/verbs.h"

static const struct args_tool tool = { "vmferry-libvirt",
	"usage: vmferry-libvirt VERB NAME\n"
	"       vmferry-libvirt --stay\n"
	"\n"
	"Answers for virtual machines of libvirt what vmferry asks of a host.\n"
	"The question is read from standard input; see vmferry-host(7).  With --stay it is kept ready,\n"
	"and asked through a socket.\n" };

int
main(int argc, char *argv[])
{
	return (args_answer(&tool, argc, argv, verbs_answer));
}
