#ifndef HOST_PROGRAM_H_
#define HOST_PROGRAM_H_

#include <jansson.h>

#include "host/host.h"

/* Of the kinds of hosts that are a program: what its verbs and its views share. */
#define HOST_PROGRAM_QUICK 120u /* seconds for it to do what takes no time of a guest's */

struct host_program {
	char path[PATH_MAX];
	char *host;        /* of ours: what it is told behind the colon of --host; NULL: another's program */
	int knows_running; /* it knows a VM that runs, and no others: to define and start one is a person's */
	struct program_talk
	    *talk; /* one of ours that has said what a VM is, and may be asked for a view of it; or NULL */
};

/* Ask it a question, which is taken, and talk on with it: 0; -1, said. */
int host_program_talk(const struct host_program *E, const char *verb, const char *name, json_t *question,
    struct program_talk **T);

/* As host_keep. */
void host_program_keep(const struct host_program *E);

/* The disks of a VM as the host is to have it, as other programs are told of them; NULL if there is no memory. */
json_t *host_program_disks(const struct host_vm *vm);

/* What every question has; NULL if there is no memory. */
json_t *host_program_question(const struct host_program *E, const char *verb, const char *name);

/* The question, which is taken, as text on one line: the caller's to free; NULL, said. */
char *host_program_text(json_t *question, const char *name, size_t *size);

/* Its answer is not as it should be: 1, said. */
int host_program_bad(const struct host_program *E, const char *verb, const char *name, const char *why);

/* As host_view_begin. */
int host_program_view(void *state, const char *name, struct host_view *V);

#endif
