#include "medium/medium.h"

#include <errno.h>
#include <libgen.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "name.h"

struct medium {
	char folder[PATH_MAX];
	int fd;   /* of the folder */
	int lock; /* -1: none */
	int can_write;
	struct identity identity;
};

/* The last component of dir, if it is a name. */
static void
label_of(char out[LIMIT_NAME + 1], const char *dir)
{
	char real[PATH_MAX], *last = NULL;

	if (realpath(dir, real) != NULL)
		last = basename(real);
	if (last == NULL || strlen(last) > LIMIT_NAME || name_check(last) != NULL)
		last = "medium";
	memmove(out, last, strlen(last) + 1);
}

static int
make_identity(struct medium *M)
{
	char text[IDENTITY_MAX];
	uint8_t id[(IDENTITY_ID - 1) / 2];

	randombytes_buf(id, sizeof id);
	sodium_bin2hex(M->identity.id, IDENTITY_ID, id, sizeof id);
	M->identity.made = (int64_t)time(NULL);
	return (medium_put(M, "medium", text, identity_encode(text, &M->identity)));
}

int
medium_rename(struct medium *M, const char *label)
{
	const char *why = name_check(label);
	char text[IDENTITY_MAX];

	if (why != NULL)
		return (say_refused("'%s': %s", label, why));
	if (!M->can_write)
		return (say_refused("%s: cannot be written to", M->folder));
	if (strcmp(M->identity.label, label) == 0)
		return (0);
	memcpy(M->identity.label, label, strlen(label) + 1);
	return (medium_put(M, "medium", text, identity_encode(text, &M->identity)));
}

static int
identify(struct medium *M, const char *dir, enum medium_use use, const char *label)
{
	struct identity I;
	const char *why = NULL;
	char *text;
	size_t n;
	int rc = medium_read(M, "medium", IDENTITY_MAX, &text, &n);

	if (rc == 0) {
		why = identity_decode(&I, text, n);
		free(text);
	}
	if (rc == 0 && why == NULL) {
		M->identity = I;
		return (0);
	}
	/* One that cannot be read is no reason to leave what the medium holds. */
	if (why != NULL)
		say_note("%s/medium: %s", M->folder, why);
	label_of(M->identity.label, dir);
	if (label != NULL)
		memcpy(M->identity.label, label, strlen(label) + 1);
	return (use == MEDIUM_WRITE ? make_identity(M) : 0);
}

/* DIR/vmferry itself. */
static int
open_folder(struct medium *M, const char *dir, enum medium_use use)
{
	int there;

	if ((there = io_exists(dir)) < 0)
		return (-1);
	if (!there)
		return (say_refused("%s: there is no such folder; is the medium mounted?", dir));
	if ((there = io_exists(M->folder)) < 0)
		return (-1);
	if (!there && use != MEDIUM_WRITE)
		return (say_refused("%s: there is no folder 'vmferry' on it; is it the right one?", dir));
	if (!there && io_mkdir(M->folder, 0755) != 0)
		return (-1);
	return ((M->fd = io_open_dir(M->folder)) < 0 ? -1 : 0);
}

static int
lock(struct medium *M, enum medium_use use)
{
	char path[PATH_MAX];

	if (use == MEDIUM_READ)
		return (0);
	M->can_write = io_can_write(M->folder);
	if (!M->can_write && use == MEDIUM_WRITE)
		return (say_refused("%s: cannot be written to", M->folder));
	if (!M->can_write) {
		say_note("%s: cannot be written to, so nothing is left there", M->folder);
		return (0);
	}
	if (medium_path(M, "lock", path) != 0)
		return (-1);
	if ((M->lock = io_lock(path)) == -2)
		return (
		    say_refused("%s: another vmferry is writing to it; run the command again when it is done",
		        M->folder));
	return (M->lock < 0 ? -1 : 0);
}

int
medium_open(struct medium **out, const char *dir, enum medium_use use, const char *label)
{
	const char *why = label == NULL ? NULL : name_check(label);
	struct medium *M;
	int rc;

	*out = NULL;
	if (why != NULL)
		return (say_refused("'%s': %s", label, why));
	if ((M = calloc(1, sizeof *M)) == NULL)
		return (say_failed("out of memory"));
	M->fd = M->lock = -1;
	rc = io_path(M->folder, "%s/vmferry", dir);
	if (rc == 0 && (rc = open_folder(M, dir, use)) == 0 && (rc = lock(M, use)) == 0)
		rc = identify(M, dir, use, label);
	if (rc != 0) {
		medium_close(M);
		return (rc);
	}
	*out = M;
	return (0);
}

void
medium_close(struct medium *M)
{
	if (M == NULL)
		return;
	io_close(M->lock);
	io_close(M->fd);
	free(M);
}

const char *
medium_folder(const struct medium *M)
{
	return (M->folder);
}

const struct identity *
medium_identity(const struct medium *M)
{
	return (&M->identity);
}

int
medium_can_write(const struct medium *M)
{
	return (M->can_write);
}

int
medium_path(const struct medium *M, const char *name, char out[PATH_MAX])
{
	return (io_path(out, "%s/%s", M->folder, name));
}

int
medium_file(const struct medium *M, const char *name)
{
	return (strchr(name, '/') != NULL ? -2 : io_open_in(M->fd, M->folder, name));
}

int
medium_read(const struct medium *M, const char *name, size_t max, char **text, size_t *size)
{
	char path[PATH_MAX];
	int fd;

	if (medium_path(M, name, path) != 0)
		return (-1);
	if ((fd = medium_file(M, name)) < 0)
		return (fd == -2 ? 2 : -1);
	*text = io_slurp_fd(fd, path, max, size);
	io_close(fd);
	return (*text == NULL ? -1 : 0);
}

int
medium_put(const struct medium *M, const char *name, const char *text, size_t size)
{
	char path[PATH_MAX];

	return (medium_path(M, name, path) != 0 ? -1 : io_replace(path, text, size, 0644));
}

int
medium_remove(const struct medium *M, const char *name)
{
	char path[PATH_MAX];

	return (medium_path(M, name, path) != 0 ? -1 : io_remove(path));
}

int
medium_each(
    const struct medium *M, const char *suffix, int (*each)(void *context, const char *name), void *context)
{
	char **names = io_names(M->fd, M->folder, suffix, MEDIUM_FILES);
	int rc = 0;

	if (names == NULL)
		return (-1);
	for (size_t i = 0; rc == 0 && names[i] != NULL; i++)
		rc = each(context, names[i]);
	io_names_free(names);
	return (rc);
}

int
medium_free_bytes(const struct medium *M, uint64_t *bytes)
{
	return (io_free(M->folder, bytes));
}
