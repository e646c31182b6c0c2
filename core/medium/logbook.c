#include "medium/logbook.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"

static void
log_name(char out[FILENAME_SIZE], const char *stem)
{
	snprintf(out, FILENAME_SIZE, "%.*s.log", (int)FILENAME_STEM, stem);
}

/* The start of the last line of n bytes of text, which ends in a newline. */
static size_t
last_line(const char *text, size_t n)
{
	size_t i = n - 1;

	while (i > 0 && text[i - 1] != '\n')
		i--;
	return (i);
}

static size_t
make_line(char line[CUSTODY_LINE], const struct site *S, const uint8_t *bundle, const char *what,
    const char *result, const uint8_t prev[RECORD_DIGEST])
{
	struct custody C = { .time = (int64_t)time(NULL) };

	snprintf(C.what, sizeof C.what, "%s", what);
	snprintf(C.result, sizeof C.result, "%s", result);
	if (S != NULL)
		strcpy(C.site, site_card(S)->name);
	memcpy(C.prev, prev, RECORD_DIGEST);
	return (custody_encode(line, &C, bundle, S == NULL ? NULL : site_secret(S)));
}

int
logbook_add(const struct medium *M, const struct site *S, const char *stem, const uint8_t bundle[RECORD_ID],
    const char *what, const char *result)
{
	char name[FILENAME_SIZE], line[CUSTODY_LINE], *text = NULL, *new;
	uint8_t prev[RECORD_DIGEST] = { 0 };
	size_t n = 0, start, m;
	int rc;

	if (!medium_can_write(M))
		return (0);
	log_name(name, stem);
	if (medium_read(M, name, CUSTODY_FILE, &text, &n) < 0)
		return (-1);
	if (n + 2 * CUSTODY_LINE > CUSTODY_FILE) {
		say_note("%s/%s: is full, so nothing is added to it", medium_folder(M), name);
		free(text);
		return (0);
	}
	if ((new = realloc(text, n + 1 + CUSTODY_LINE)) == NULL) {
		free(text);
		return (say_failed("out of memory"));
	}
	/* A line that was cut short by others stays, as one that is none. */
	if (n > 0 && new[n - 1] != '\n')
		new[n++] = '\n';
	if (n > 0) {
		start = last_line(new, n);
		custody_hash(prev, new + start, n - start);
	}
	m = make_line(line, S, bundle, what, result, prev);
	memcpy(new + n, line, m);
	rc = medium_put(M, name, new, n + m);
	free(new);
	return (rc);
}

int
logbook_each(const char *text, size_t n, const uint8_t bundle[RECORD_ID],
    int (*each)(void *context, const struct custody *C, const char *why, int is_linked), void *context)
{
	uint8_t prev[RECORD_DIGEST] = { 0 };
	size_t i = 0;
	int rc = 0;

	while (rc == 0 && i < n) {
		const char *nl = memchr(text + i, '\n', n - i);
		size_t len = nl == NULL ? n - i : (size_t)(nl - text) - i + 1;
		struct custody C;
		const char *why = custody_decode(&C, text + i, len, bundle);

		rc = each(context, &C, why, why == NULL && memcmp(C.prev, prev, RECORD_DIGEST) == 0);
		custody_hash(prev, text + i, len);
		i += len;
	}
	return (rc);
}

int
logbook_beside(const char *path, char **text, size_t *n)
{
	char stem[FILENAME_STEM], name[FILENAME_SIZE], dir[PATH_MAX], copy[PATH_MAX];
	int dirfd, fd;

	if (io_path(copy, "%s", path) != 0)
		return (-1);
	if (filename_split(stem, basename(copy)) == 0)
		return (2);
	log_name(name, stem);
	if (io_path(dir, "%s/.", dirname(copy)) != 0 || (dirfd = io_open_dir(dir)) < 0)
		return (-1);
	fd = io_open_in(dirfd, dir, name);
	io_close(dirfd);
	if (fd < 0)
		return (fd == -2 ? 2 : -1);
	*text = io_slurp_fd(fd, name, CUSTODY_FILE, n);
	io_close(fd);
	return (*text == NULL ? -1 : 0);
}
