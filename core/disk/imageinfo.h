#ifndef IMAGEINFO_H_
#define IMAGEINFO_H_

#include <limits.h>

/*
 * What an image of a format that QEMU knows consists of, as qemu-img tells: the files that hold its content, with those
 * that it is based on, and whether a bitmap of it can be trusted.
 */
#define IMAGEINFO_PACKAGE "qemu-utils"
#define IMAGEINFO_FILES 512u
#define IMAGEINFO_LOST 64u

struct imageinfo {
	unsigned nfiles;
	char *files[IMAGEINFO_FILES]; /* absolute paths, the image's own first */
	int is_alone;                 /* there is no content of it anywhere but in its own file */
	const char *no_bitmap;        /* NULL: the bitmap can be asked for; else why not, static */
	unsigned nlost;
	char *lost[IMAGEINFO_LOST]; /* bitmaps of it that lack something, if nobody has it open, for good */
};

/**
 * Look at the image at path, which may be in use; bitmap is the one that is wanted, or NULL.  0, *I being the caller's
 * to free; 1, said, if QEMU cannot open it in that format, or would have to guess that of a file that it is based
 * on; -1.
 */
int imageinfo_read(struct imageinfo **I, const char *format, const char *path, const char *bitmap);

void imageinfo_free(struct imageinfo *I);

#endif
