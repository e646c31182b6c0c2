#include "replica/definitions.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "bundle/vmtext.h"

#define OWN "own"

static int
file_path(const struct replica *R, const uint8_t digest[HEADER_DIGEST], char out[PATH_MAX])
{
	char hex[2 * HEADER_DIGEST + 1];

	sodium_bin2hex(hex, sizeof hex, digest, HEADER_DIGEST);
	return (io_path(out, "%s/definitions/%s", R->dir, hex));
}

static int
write_file(const struct replica *R, const char *path, const char *text)
{
	char dir[PATH_MAX];

	if (io_path(dir, "%s/definitions", R->dir) != 0 || io_mkdir(dir, 0700) != 0)
		return (-1);
	return (io_replace(path, text, strlen(text), 0600));
}

int
definitions_keep(const struct replica *R, const struct header *H, const struct segment_crypt *K,
    const struct segment_crypt parts[LIMIT_PARTS])
{
	char path[PATH_MAX], *text;
	const char *why;
	int rc, there;

	if (H->definition.size == 0)
		return (0);
	if (file_path(R, H->definition.digest, path) != 0 || (there = io_exists(path)) < 0)
		return (-1);
	if (there)
		return (0);
	/* It was looked at when it came in. */
	if ((why = vmtext_open(&text, H, K, parts, R->leaf_seed)) != NULL) {
		say_note("%s: %s; the one before it stays", R->vm, why);
		return (0);
	}
	rc = write_file(R, path, text);
	free(text);
	return (rc);
}

void
definitions_mark(const struct replica *R, const struct header *H, struct replica_point *p)
{
	const struct replica_point *last = replica_last(R);
	char path[PATH_MAX];

	if (H->definition.is_known && file_path(R, H->definition.digest, path) == 0 && io_exists(path) == 1) {
		p->has_definition = 1;
		memcpy(p->definition, H->definition.digest, HEADER_DIGEST);
		return;
	}
	if (H->definition.is_known)
		say_note("%s: the VM's definition as of point %" PRIu64 " did not come along", R->vm,
		    p->point.seq);
	p->has_definition = last != NULL && last->has_definition;
	if (p->has_definition)
		memcpy(p->definition, last->definition, HEADER_DIGEST);
}

int
definitions_read(const struct replica *R, const struct replica_point *at, char **text)
{
	uint8_t digest[HEADER_DIGEST];
	char path[PATH_MAX];
	size_t n;
	int there;

	*text = NULL;
	if (at == NULL || !at->has_definition)
		return (0);
	if (file_path(R, at->definition, path) != 0 || (there = io_exists(path)) < 0)
		return (-1);
	if (there && (*text = io_slurp(path, LIMIT_DEFINITION, &n)) == NULL)
		return (-1);
	if (*text != NULL && vmtext_check(*text, n) == NULL) {
		vmtext_digest(digest, R->leaf_seed, *text);
		if (memcmp(digest, at->definition, HEADER_DIGEST) == 0)
			return (0);
	}
	say_note("%s: the VM's definition is lost or damaged; the next seed brings it again", path);
	free(*text);
	*text = NULL;
	return (0);
}

void
definitions_name(const struct replica *R, const char *text, struct replica_point *p)
{
	vmtext_digest(p->definition, R->leaf_seed, text);
	p->has_definition = 1;
}

int
definitions_put_own(const struct replica *R, const char *text)
{
	uint8_t digest[HEADER_DIGEST];
	char path[PATH_MAX];

	vmtext_digest(digest, R->leaf_seed, text);
	if (file_path(R, digest, path) != 0 || write_file(R, path, text) != 0)
		return (-1);
	return (io_path(path, "%s/definitions/" OWN, R->dir) != 0 ? -1 : write_file(R, path, text));
}

static int
is_named(const struct replica *R, const char *name)
{
	char hex[2 * HEADER_DIGEST + 1];

	if (strcmp(name, OWN) == 0)
		return (1);
	for (unsigned i = 0; i < R->npoints; i++) {
		sodium_bin2hex(hex, sizeof hex, R->points[i].definition, HEADER_DIGEST);
		if (R->points[i].has_definition && strcmp(hex, name) == 0)
			return (1);
	}
	return (0);
}

int
definitions_tidy(const struct replica *R)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	if (io_path(dir, "%s/definitions", R->dir) != 0)
		return (-1);
	if ((d = opendir(dir)) == NULL)
		return (errno == ENOENT ? 0 : say_failed("%s: cannot open: %s", dir, strerror(errno)));
	while (rc == 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !is_named(R, e->d_name))
			rc = io_path(path, "%s/%s", dir, e->d_name) != 0 ? -1 : io_remove(path);
	closedir(d);
	return (rc);
}
