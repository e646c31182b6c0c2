#include "disk/folder.h"

#include <limits.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/image.h"

#define DEPTH 4u         /* folders in folders */
#define NAMES (1u << 24) /* files in one folder */

/* A walk over a folder; to is NULL where nothing is copied. */
struct walk {
	const char *except;
	uint64_t bytes;
};

static int
copy_file(const char *from, const char *to)
{
	struct image *I = image_create(to, 0);
	int rc = -1;

	if (I != NULL && image_copy(I, from, UINT64_MAX) == 0)
		rc = image_settle(I);
	image_free(I);
	return (rc);
}

static int visit_folder(struct walk *w, const char *from, const char *to, unsigned depth);

static int
visit(struct walk *w, const char *from, const char *to, unsigned depth)
{
	enum io_kind kind = io_kind(from);
	uint64_t bytes;

	if (kind == IO_UNKNOWN)
		return (-1);
	if (kind == IO_FOLDER && depth < DEPTH)
		return (to != NULL && io_mkdir(to, 0700) != 0 ? -1 : visit_folder(w, from, to, depth + 1));
	if (kind != IO_FILE)
		return (say_refused("%s: is neither a file nor a folder of ours; take it away", from));
	if (to != NULL)
		return (copy_file(from, to));
	if (io_allocated(from, &bytes) != 0)
		return (-1);
	w->bytes += bytes;
	return (0);
}

static int
visit_folder(struct walk *w, const char *from, const char *to, unsigned depth)
{
	char one[PATH_MAX], two[PATH_MAX];
	int fd = io_open_dir(from), rc = 0;
	char **names = fd < 0 ? NULL : io_names(fd, from, "", NAMES);

	io_close(fd);
	if (names == NULL)
		return (-1);
	for (size_t i = 0; rc == 0 && names[i] != NULL; i++) {
		if (w->except != NULL && depth == 0 && strcmp(names[i], w->except) == 0)
			continue;
		if (io_path(one, "%s/%s", from, names[i]) != 0 ||
		    (to != NULL && io_path(two, "%s/%s", to, names[i]) != 0))
			rc = -1;
		else
			rc = visit(w, one, to == NULL ? NULL : two, depth);
	}
	io_names_free(names);
	return (rc == 0 && to != NULL ? io_sync_dir(to) : rc);
}

int
folder_bytes(const char *dir, uint64_t *bytes)
{
	struct walk w = { NULL, 0 };
	int rc = visit_folder(&w, dir, NULL, 0);

	*bytes = w.bytes;
	return (rc);
}

int
folder_copy(const char *from, const char *to, const char *except)
{
	struct walk w = { except, 0 };

	return (visit_folder(&w, from, to, 0));
}
