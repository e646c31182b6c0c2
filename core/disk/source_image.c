#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "disk/imageinfo.h"
#include "disk/nbdlinks.h"
#include "disk/overlay_server.h"
#include "disk/source.h"
#include "base/io.h"
#include "base/program.h"
#include "base/say.h"

/*
 * An image of a format that QEMU knows.  qemu-nbd, which we start and which ends with us, reads it; it is told the
 * format and never guesses it.  The files that the image consists of are held open here as raw ones are, so that a
 * program that has them open for writing is found, whether it knows of QEMU's locks or not.
 */
struct image_source {
	struct nbdlinks *links;
	struct program_server *program;
	enum source_use use;
	unsigned nfiles;
	void **files; /* states of source_file */
	int is_alone; /* the first of them is all */
	const char *no_bitmap;
};

/* --- formats ------------------------------------------------------------------------------------------ */

#define END_OF_FILE UINT64_MAX /* 512 bytes before it */

static const struct format {
	const char *name, *alias; /* as QEMU calls it; as others do, or NULL */
	const char *suffix;       /* of a file's name */
	struct {
		uint64_t at;
		const char *bytes;
		size_t size; /* 0: there are no more */
	} magic[3];
} formats[] = {
	{ "raw", NULL, NULL, { { 0 } } },
	{ "qcow2", NULL, ".qcow2", { { 0, "QFI\xfb", 4 } } },
	{ "vhdx", NULL, ".vhdx", { { 0, "vhdxfile", 8 } } },
	{ "vpc", "vhd", ".vhd", { { 0, "conectix", 8 }, { END_OF_FILE, "conectix", 8 } } },
	{ "vmdk", NULL, ".vmdk", { { 0, "KDMV", 4 }, { 0, "COWD", 4 }, { 0, "# Disk DescriptorFile", 21 } } },
	{ "vdi", NULL, ".vdi", { { 64, "\x7f\x10\xda\xbe", 4 } } },
	{ "qed", NULL, ".qed", { { 0, "QED", 4 } } },
	{ "parallels", NULL, ".hdd", { { 0, "WithoutFreeSpace", 16 }, { 0, "WithouFreSpacExt", 16 } } },
};
#define FORMATS (sizeof formats / sizeof formats[0])

static int
has_name(const char *where, size_t n, const char *name)
{
	return (name != NULL && strlen(name) == n && memcmp(where, name, n) == 0);
}

const char *
source_image_format(const char *where, const char **path)
{
	const char *colon = strchr(where, ':');
	size_t n = colon == NULL ? 0 : (size_t)(colon - where);

	for (size_t i = 0; colon != NULL && i < FORMATS; i++)
		if (has_name(where, n, formats[i].name) || has_name(where, n, formats[i].alias)) {
			*path = colon + 1;
			return (formats[i].name);
		}
	return (NULL);
}

static int
has_suffix(const char *path, const char *suffix)
{
	size_t n = strlen(path), k = suffix == NULL ? 0 : strlen(suffix);

	return (k > 0 && n > k && strcasecmp(path + n - k, suffix) == 0);
}

/* What cannot be read is none: whoever reads it next says why. */
static int
has_magic(int fd, const char *path, const struct format *f)
{
	uint64_t size;
	char got[32];

	if (io_size(fd, path, &size) != 0)
		return (0);
	for (size_t i = 0; i < sizeof f->magic / sizeof f->magic[0] && f->magic[i].size > 0; i++) {
		uint64_t at = f->magic[i].at != END_OF_FILE ? f->magic[i].at : size > 512 ? size - 512 : 0;

		if (io_pread(fd, path, got, f->magic[i].size, at) == (ssize_t)f->magic[i].size &&
		    memcmp(got, f->magic[i].bytes, f->magic[i].size) == 0)
			return (1);
	}
	return (0);
}

const char *
source_image_guess(const char *path)
{
	const char *found = NULL;
	struct stat st;
	int fd;

	for (size_t i = 0; i < FORMATS; i++) {
		if (!has_suffix(path, formats[i].suffix) || stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
		    (fd = io_open_read(path)) < 0)
			continue;
		if (has_magic(fd, path, &formats[i]))
			found = formats[i].name;
		io_close(fd);
	}
	return (found);
}

/* --- opening ------------------------------------------------------------------------------------------ */

static void
image_close(void *state)
{
	struct image_source *s = state;

	nbdlinks_close(s->links);
	program_served(s->program, NULL);
	for (unsigned i = 0; i < s->nfiles; i++)
		source_file.close(s->files[i]);
	free(s->files);
	free(s);
}

static int
open_file(struct image_source *s, const char *path)
{
	uint64_t size;
	int rc = source_file_open(&s->files[s->nfiles], &size, path, s->use);

	if (rc == 0)
		s->nfiles++;
	return (rc);
}

/* The image's own file comes first, so that what is wrong with it is said in our words. */
static int
open_files(struct image_source *s, const char *format, const char *path, const char *bitmap)
{
	struct imageinfo *I = NULL;
	int rc;

	if ((s->files = calloc(IMAGEINFO_FILES, sizeof *s->files)) == NULL)
		return (say_failed("out of memory"));
	if ((rc = open_file(s, path)) == 0 && (rc = imageinfo_read(&I, format, path, bitmap)) == 0) {
		s->is_alone = I->is_alone;
		s->no_bitmap = I->no_bitmap;
		for (unsigned i = 1; rc == 0 && i < I->nfiles; i++)
			rc = open_file(s, I->files[i]);
	}
	imageinfo_free(I);
	return (rc);
}

/*
 * An image that is open for writing, by a VM or, between two merges' writes, by ourselves, is only opened by QEMU if it is
 * told so in this form, where commas are doubled.
 */
static int
live_options(char *out, size_t size, const char *format, const char *path)
{
	struct stat st;
	size_t n;

	if (stat(path, &st) != 0)
		return (-1);
	n = (size_t)snprintf(out, size,
	    "driver=%s,read-only=on,force-share=on,file.driver=%s,file.filename=", format,
	    S_ISBLK(st.st_mode) ? "host_device" : "file");
	for (const char *p = path; *p != '\0' && n + 3 < size; p++) {
		out[n++] = *p;
		if (*p == ',')
			out[n++] = ',';
	}
	out[n] = '\0';
	return (0);
}

/* It has ended, or ends with its connections, and what it said tells why. */
static int
not_served(struct image_source *s, const char *path, const char *why)
{
	char words[PROGRAM_WORDS];

	program_served(s->program, words);
	s->program = NULL;
	if (overlay_server_is_locked_out(words))
		return (source_file_in_use(path, "a VM or another program"));
	return (say_failed("%s: cannot open it with qemu-nbd: %s", path, words[0] != '\0' ? words : why));
}

static int
serve(struct image_source *s, const char *format, const char *path, const char *bitmap)
{
	char options[2 * PATH_MAX + 128], shared[32], why[NBDLINKS_WHY];
	const char *argv[16] = { "qemu-nbd", "--read-only", shared };
	const struct program P = { .argv = argv, .package = IMAGEINFO_PACKAGE };
	int fds[NBDLINKS_MOST], n = 3;
	struct nbdlinks_export e = {
		.name = path, .bitmap = bitmap, .sockets = fds, .nsockets = nbdlinks_wanted()
	};

	snprintf(shared, sizeof shared, "--shared=%u", e.nsockets);
	if (bitmap != NULL) {
		argv[n++] = "--bitmap";
		argv[n++] = bitmap;
	}
	if (s->use != SOURCE_QUIET) {
		if (live_options(options, sizeof options, format, path) != 0)
			return (say_failed("%s: cannot look at it", path));
		argv[n++] = "--image-opts";
		argv[n] = options;
	} else {
		argv[n++] = "--format";
		argv[n++] = format;
		argv[n] = path;
	}
	if (program_serve_many(&P, &s->program, fds, e.nsockets) != 0)
		return (-1);
	return (nbdlinks_open(&s->links, &e, why) == 0 ? 0 : not_served(s, path, why));
}

int
source_image_open(void **state, uint64_t *size, const char *where, enum source_use use, const char *bitmap)
{
	struct image_source *s = calloc(1, sizeof *s);
	const char *path = where, *format = source_image_format(where, &path);
	int rc;

	if (s == NULL)
		return (say_failed("out of memory"));
	s->use = use;
	if ((rc = open_files(s, format, path, bitmap)) == 0)
		rc = serve(s, format, path, s->no_bitmap == NULL ? bitmap : NULL);
	if (rc != 0) {
		image_close(s);
		return (rc);
	}
	*state = s;
	*size = nbdlinks_size(s->links);
	return (0);
}

/* --- the kind ----------------------------------------------------------------------------------------- */

static int
image_read(void *state, void *buf, size_t n, uint64_t offset)
{
	struct image_source *s = state;

	for (unsigned i = 0; i < s->nfiles; i++)
		if (source_file_still(s->files[i]) != 0)
			return (-1);
	return (nbdlinks_read(s->links, buf, n, offset));
}

static int
image_stretch(void *state, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole)
{
	struct image_source *s = state;

	if (s->use != SOURCE_LIVE)
		return (nbdlinks_stretch(s->links, offset, end, length, is_hole));
	*length = end - offset;
	*is_hole = 0;
	return (0);
}

static int
image_dirty(void *state, struct ranges *out, const char **why)
{
	struct image_source *s = state;

	*why = s->no_bitmap != NULL ? s->no_bitmap : "qemu-nbd does not offer it";
	return (s->no_bitmap != NULL ? 1 : nbdlinks_dirty(s->links, out));
}

static int
image_check(void *state)
{
	struct image_source *s = state;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < s->nfiles; i++)
		rc = source_file.check(s->files[i]);
	return (rc == 0 ? nbdlinks_check(s->links) : rc);
}

/* One stamp tells of one file. */
static int
image_stamp(void *state, struct source_stamp *out)
{
	struct image_source *s = state;

	return (s->is_alone ? source_file.stamp(s->files[0], out) : 1);
}

const struct source_kind source_image = { image_read, image_stretch, image_dirty, image_check, image_stamp,
	image_close };
