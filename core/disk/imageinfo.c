#include "disk/imageinfo.h"

#include <jansson.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/program.h"
#include "base/say.h"

static const char *
text(const json_t *o, const char *key)
{
	return (json_string_value(json_object_get(o, key)));
}

/* What only images of one format have. */
static const json_t *
own_data(const json_t *image)
{
	return (json_object_get(json_object_get(image, "format-specific"), "data"));
}

/* --- its files ---------------------------------------------------------------------------------------- */

/* What is not a path is a disk elsewhere, behind NBD for instance, which nobody can watch from here. */
static int
add_file(struct imageinfo *I, const char *path)
{
	if (path == NULL || path[0] != '/')
		return (0);
	for (unsigned i = 0; i < I->nfiles; i++)
		if (strcmp(I->files[i], path) == 0)
			return (0);
	if (I->nfiles == IMAGEINFO_FILES)
		return (say_refused("%s: it consists of more than %u files; make one of them with 'qemu-img "
		                    "convert'",
		    I->files[0], IMAGEINFO_FILES));
	if ((I->files[I->nfiles] = strdup(path)) == NULL)
		return (say_failed("out of memory"));
	I->nfiles++;
	return (0);
}

/* The file with the data of a qcow2 image that has no more than the metadata; its name may count from there. */
static int
add_data_file(struct imageinfo *I, const char *image, const char *name)
{
	char folder[PATH_MAX], path[PATH_MAX];

	if (image == NULL || name == NULL)
		return (0);
	I->is_alone = 0;
	if (name[0] == '/' || strchr(name, ':') != NULL)
		return (add_file(I, name));
	if (io_path(folder, "%s", image) != 0 || io_path(path, "%s/%s", dirname(folder), name) != 0)
		return (-1);
	return (add_file(I, path));
}

static int
add_image(struct imageinfo *I, const json_t *image)
{
	const json_t *data = own_data(image), *extent;
	const char *name = text(image, "filename");
	size_t i;
	int rc = add_file(I, name);

	json_array_foreach (json_object_get(data, "extents"), i, extent)
		if (rc == 0)
			rc = add_file(I, text(extent, "filename"));
	if (rc == 0)
		rc = add_data_file(I, name, text(data, "data-file"));
	return (rc);
}

/*
 * A file of which nobody has written down the format would be taken for what its first bytes look like, and those may
 * be a guest's.
 */
static int
check_backing(const json_t *image)
{
	const char *name = text(image, "backing-filename"), *format = text(image, "format");

	if (name == NULL || text(image, "backing-filename-format") != NULL ||
	    (format != NULL && strcmp(format, "vmdk") == 0))
		return (0);
	return (
	    say_refused("%s: does not say in which format '%s' is, on which it is based; write it down with "
	                "'qemu-img rebase -u -f %s -F FORMAT -b %s %s'",
	        text(image, "filename"), name, format, name, text(image, "filename")));
}

/* --- its bitmap --------------------------------------------------------------------------------------- */

static int
has_flag(const json_t *bitmap, const char *flag)
{
	const json_t *f;
	size_t i;

	json_array_foreach (json_object_get(bitmap, "flags"), i, f)
		if (json_is_string(f) && strcmp(json_string_value(f), flag) == 0)
			return (1);
	return (0);
}

/* Of the image itself: those of the images that it is based on know nothing of what was written to it. */
static const char *
why_no_bitmap(const json_t *image, const char *wanted)
{
	const json_t *bitmap;
	size_t i;

	json_array_foreach (json_object_get(own_data(image), "bitmaps"), i, bitmap) {
		const char *name = text(bitmap, "name");

		if (name == NULL || strcmp(name, wanted) != 0)
			continue;
		if (has_flag(bitmap, "in-use"))
			return ("the image was not closed in order, so its bitmaps lack something");
		return (has_flag(bitmap, "auto") ? NULL : "it is switched off, and records nothing");
	}
	return ("the image has no such bitmap");
}

/* Of the image itself, those that lack something; of more than there is room for, the first ones. */
static int
add_lost(struct imageinfo *I, const json_t *image)
{
	const json_t *bitmap;
	size_t i;

	json_array_foreach (json_object_get(own_data(image), "bitmaps"), i, bitmap) {
		const char *name = text(bitmap, "name");

		if (name == NULL || !has_flag(bitmap, "in-use") || I->nlost == IMAGEINFO_LOST)
			continue;
		if ((I->lost[I->nlost] = strdup(name)) == NULL)
			return (say_failed("out of memory"));
		I->nlost++;
	}
	return (0);
}

/* --- asking ------------------------------------------------------------------------------------------- */

static int
understand(struct imageinfo *I, const json_t *chain, const char *path, const char *bitmap)
{
	const json_t *image;
	size_t i;
	int rc = 0;

	if (!json_is_array(chain) || json_array_size(chain) == 0)
		return (say_failed("%s: cannot understand what qemu-img says of it", path));
	json_array_foreach (chain, i, image) {
		if (rc == 0)
			rc = check_backing(image);
		if (rc == 0)
			rc = add_image(I, image);
	}
	image = json_array_get(chain, 0);
	I->is_alone &=
	    json_array_size(chain) == 1 && text(image, "backing-filename") == NULL && I->nfiles == 1;
	if (bitmap != NULL)
		I->no_bitmap = why_no_bitmap(image, bitmap);
	return (rc == 0 ? add_lost(I, image) : rc);
}

static int
ask(struct program_result *R, const char *format, const char *path)
{
	const char *argv[] = { "qemu-img", "info", "--output=json", "--backing-chain", "--force-share", "-f",
		format, path, NULL };
	const struct program P = { .argv = argv, .package = IMAGEINFO_PACKAGE };

	if (program_run(&P, R) != 0)
		return (-1);
	if (R->status == 0)
		return (0);
	return (say_refused("%s: cannot be opened as %s: %s", path, format, R->words));
}

int
imageinfo_read(struct imageinfo **out, const char *format, const char *path, const char *bitmap)
{
	struct imageinfo *I = calloc(1, sizeof *I);
	struct program_result R = { 0 };
	json_t *chain = NULL;
	int rc;

	*out = NULL;
	if (I == NULL)
		return (say_failed("out of memory"));
	I->is_alone = 1;
	if ((rc = add_file(I, path)) == 0 && (rc = ask(&R, format, path)) == 0) {
		chain = json_loadb(R.output, R.size, 0, NULL);
		rc = understand(I, chain, path, bitmap);
	}
	json_decref(chain);
	program_release(&R);
	if (rc != 0) {
		imageinfo_free(I);
		return (rc);
	}
	*out = I;
	return (0);
}

void
imageinfo_free(struct imageinfo *I)
{
	if (I == NULL)
		return;
	for (unsigned i = 0; i < I->nfiles; i++)
		free(I->files[i]);
	for (unsigned i = 0; i < I->nlost; i++)
		free(I->lost[i]);
	free(I);
}
