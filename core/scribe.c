#include "scribe.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "medium/logbook.h"
#include "medium/medium.h"

struct note {
	uint32_t file;
	uint8_t bundle[RECORD_ID];
	char what[CUSTODY_WHAT];
	char result[CUSTODY_RESULT];
};

struct scribe {
	int to, done; /* pipes: what we tell it, and the end of that it is done */
};

/* The folder of the medium on which a file lies, if its name and its folder are such; else -1, unsaid. */
static int
medium_of(const char *path, char dir[PATH_MAX], char stem[FILENAME_STEM])
{
	char copy[PATH_MAX], real[PATH_MAX];
	size_t n;

	if (strlen(path) >= sizeof copy)
		return (-1);
	strcpy(copy, path);
	if (filename_split(stem, basename(copy)) == 0)
		return (-1);
	strcpy(copy, path);
	if (realpath(dirname(copy), real) == NULL || (n = strlen(real)) < strlen("/vmferry") ||
	    strcmp(real + n - strlen("/vmferry"), "/vmferry") != 0 || !io_can_write(real))
		return (-1);
	real[n - strlen("vmferry")] = '\0';
	strcpy(dir, real);
	return (0);
}

static void
write_note(const struct site *S, const char *path, struct note *t)
{
	char dir[PATH_MAX], stem[FILENAME_STEM];
	struct medium *M;

	t->what[sizeof t->what - 1] = t->result[sizeof t->result - 1] = '\0';
	if (medium_of(path, dir, stem) != 0 || medium_open(&M, dir, MEDIUM_LEAVE, NULL) != 0)
		return;
	logbook_add(M, S, stem, t->bundle, t->what, t->result);
	medium_close(M);
}

static void
serve(int from, const struct site *S, char *const *paths, unsigned n)
{
	struct note t;

	while (io_read(from, "pipe", &t, sizeof t) == (ssize_t)sizeof t)
		if (t.file < n)
			write_note(S, paths[t.file], &t);
}

static int
is_any_on_medium(char *const *paths, unsigned n)
{
	char dir[PATH_MAX], stem[FILENAME_STEM];

	for (unsigned i = 0; i < n; i++)
		if (medium_of(paths[i], dir, stem) == 0)
			return (1);
	return (0);
}

int
scribe_start(struct scribe **out, const struct site *S, char *const *paths, unsigned n)
{
	int a[2] = { -1, -1 }, b[2] = { -1, -1 };
	struct scribe *s;
	pid_t child;

	*out = NULL;
	if (!is_any_on_medium(paths, n))
		return (0);
	if ((s = calloc(1, sizeof *s)) == NULL)
		return (say_failed("out of memory"));
	fflush(stdout);
	if (pipe(a) != 0 || pipe(b) != 0 || (child = fork()) < 0) {
		say_failed("cannot start another process: %s", strerror(errno));
		for (int i = 0; i < 2; i++) {
			io_close(a[i]);
			io_close(b[i]);
		}
		free(s);
		return (-1);
	}
	if (child == 0) {
		close(a[1]);
		close(b[0]);
		serve(a[0], S, paths, n);
		_exit(0);
	}
	close(a[0]);
	close(b[1]);
	s->to = a[1];
	s->done = b[0];
	*out = s;
	return (0);
}

void
scribe_note(struct scribe *s, unsigned file, const uint8_t bundle[RECORD_ID], const char *what, int rc)
{
	char why[SAY_LAST];
	struct note t;

	if (s == NULL)
		return;
	memset(&t, 0, sizeof t);
	t.file = file;
	memcpy(t.bundle, bundle, RECORD_ID);
	snprintf(t.what, sizeof t.what, "%s", what);
	say_last(why);
	if (rc == 0)
		strcpy(t.result, "ok");
	else
		snprintf(t.result, sizeof t.result, "%s: %.180s", rc == 1 ? "refused" : "failed", why);
	/* No more than a pipe takes at once; and that no line can be written does not change the answer. */
	if (io_write(s->to, "pipe", &t, sizeof t) != 0)
		say_note("no line is written into the custody log");
}

void
scribe_end(struct scribe *s)
{
	char c;

	if (s == NULL)
		return;
	close(s->to);
	while (io_read(s->done, "pipe", &c, 1) > 0)
		;
	close(s->done);
	free(s);
}
