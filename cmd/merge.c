#include <stdio.h>

#include "args.h"
#include "replica/guest.h"
#include "replica/merge.h"
#include "base/say.h"

static const struct args_tool tool = { "vmferry-merge",
	"usage: vmferry merge VM [--home DIR]\n"
	"\n"
	"Bring a replica to the newest recovery point that is staged in its inbox.\n" };

/* By a person's word: then that it cannot be now is the answer. */
static int
merge(struct replica *R, const struct site *S)
{
	char words[ROLE_WORDS];
	const char *why = merge_waits(R, words);
	int rc;

	if (why != NULL)
		return (say_refused("%s: merges wait: %s", R->vm, why));
	if ((rc = merge_all(R, S)) == 0)
		guest_tell(R, S);
	return (rc);
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = { ARGS_COMMON, { 0 } };
	const char *home = NULL;
	struct replica *R = NULL;
	struct site *S;
	int rc = -1;

	say_init(tool.name);
	args_next(&tool, argc, argv, "h", longs, &home);
	args_words(&tool, argc, 1, 1);
	if ((S = site_open(home)) != NULL && (rc = replica_open(&R, S, argv[optind])) == 0)
		rc = merge(R, S);
	replica_close(R);
	site_close(S);
	return (say_exit(rc));
}
