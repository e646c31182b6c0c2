#include "qmp/stopped.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/say.h"
#include "jsontext.h"
#include "qmp/recall.h"

#define MARK 160u
#define WHAT "stopped"

static int
first_line(const char *path, char *out, size_t size)
{
	size_t n = 0;
	char *text = io_exists(path) == 1 ? io_slurp(path, 4096, &n) : NULL;

	if (text == NULL)
		return (-1);
	snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
	return (0);
}

/* The times of a device do not tell that it was written to; the count of sectors that were does, until the machine starts. */
static int
mark_device(const struct stat *st, char out[MARK])
{
	char path[96], boot[64], stat_line[512];
	unsigned long long written;

	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/stat", major(st->st_rdev), minor(st->st_rdev));
	if (first_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot) != 0 ||
	    first_line(path, stat_line, sizeof stat_line) != 0 ||
	    sscanf(stat_line, "%*u %*u %*u %*u %*u %*u %llu", &written) != 1)
		return (-1);
	snprintf(out, MARK, "%u:%u %.40s %llu", major(st->st_rdev), minor(st->st_rdev), boot, written);
	return (0);
}

/* What is another as soon as anybody writes there: 0 or -1, unsaid. */
static int
mark_disk(const char *path, char out[MARK])
{
	struct stat st;

	if (path[0] == '\0' || stat(path, &st) != 0)
		return (-1);
	if (S_ISBLK(st.st_mode))
		return (mark_device(&st, out));
	snprintf(out, MARK, "%llu %lld %lld.%09ld", (unsigned long long)st.st_ino, (long long)st.st_size,
	    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return (S_ISREG(st.st_mode) ? 0 : -1);
}

int
stopped_note(const char *name, const struct drives *D)
{
	char mark[MARK];
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < D->n; i++) {
		if (D->drive[i].why[0] != '\0')
			continue;
		if (mark_disk(D->drive[i].path, mark) != 0) {
			json_decref(a);
			say_note(
			    "%s: how it was stopped cannot be noted: nobody could tell if %s was written to "
			    "since",
			    name, D->drive[i].where);
			return (0);
		}
		bad |=
		    json_array_append_new(a, json_pack("{s:s,s:s}", "path", D->drive[i].path, "mark", mark));
	}
	return (
	    recall_keep(name, WHAT, jsontext_whole(json_pack("{s:s,s:o}", "name", name, "disks", a), bad)));
}

static int
is_as_noted(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, "name"));
	const json_t *one;
	char mark[MARK];
	size_t i;

	if (s == NULL || strcmp(s, name) != 0)
		return (0);
	json_array_foreach (json_object_get(o, "disks"), i, one) {
		const char *path = json_string_value(json_object_get(one, "path"));
		const char *was = json_string_value(json_object_get(one, "mark"));

		if (path == NULL || was == NULL || mark_disk(path, mark) != 0 || strcmp(mark, was) != 0)
			return (0);
	}
	return (i > 0);
}

int
stopped_by_guest(const char *name)
{
	json_t *o = recall_get(name, WHAT);
	int is = o != NULL && is_as_noted(o, name);

	json_decref(o);
	return (is);
}

int
stopped_forget(const char *name)
{
	return (recall_remove(name, WHAT));
}
