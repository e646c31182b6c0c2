#include "base/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/running.h"
#include "base/say.h"
#include "base/stop.h"

int
program_find(char out[PATH_MAX], const char *name, const char *package)
{
	const char *path = getenv("PATH"), *end;

	if (strchr(name, '/') != NULL)
		return (io_path(out, "%s", name));
	for (const char *p = path != NULL ? path : "/usr/bin:/bin"; *p != '\0';
	     p = *end == ':' ? end + 1 : end) {
		int n;

		end = strchrnul(p, ':');
		/* An empty or relative one would be a program from wherever we happen to be. */
		if (*p != '/')
			continue;
		n = snprintf(out, PATH_MAX, "%.*s/%s", (int)(end - p), p, name);
		if (n > 0 && n < PATH_MAX && io_is_program(out))
			return (0);
	}
	if (package != NULL)
		return (say_failed("%s: there is no such program; install the package %s", name, package));
	return (say_failed("%s: there is no such program", name));
}

static int
run(struct running *R, struct program_result *out)
{
	int64_t until = R->P->seconds == 0 ? 0 : clock_ms() + (int64_t)R->P->seconds * 1000;
	int ended = 0;

	while (ended == 0) {
		if ((ended = running_wait(R, until)) < 0 || running_take_output(R, out) != 0 ||
		    running_take_errors(R) != 0)
			return (-1);
	}
	return (running_finish(R, out));
}

int
program_run(const struct program *P, struct program_result *out)
{
	struct running R = running_new(P);
	int rc = -1;

	*out = (struct program_result){ 0 };
	if (stop_check() != 0 || program_find(R.path, P->argv[0], P->package) != 0)
		return (-1);
	if ((out->output = malloc(PROGRAM_OUTPUT + 2)) == NULL)
		return (say_failed("out of memory"));
	if (running_make_ends(&R) == 0 && running_start(&R) == 0)
		rc = run(&R, out);
	running_end(&R);
	if (rc != 0)
		program_release(out);
	return (rc);
}

void
program_release(struct program_result *R)
{
	free(R->output);
	R->output = NULL;
}
