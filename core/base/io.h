#ifndef IO_H_
#define IO_H_

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The one room in which files are touched.  Each function says its own error, naming the file, and returns
 * -1; none is repeated into success.  A descriptor goes with the path it was opened from, for the words.
 */

/* Put a path together; -1, said, if it would not fit PATH_MAX. */
int io_path(char out[PATH_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Open for reading, for reading and writing, or a new file (0600, which must not exist); the fd or -1. */
int io_open_read(const char *path);
int io_open_write(const char *path);
int io_create(const char *path);

/**
 * Open a named pipe to write to it, or to read from it, without waiting for the other side.  The fd; -2, unsaid, if it is to be
 * written and nobody is there to read; -1.
 */
int io_open_fifo(const char *path, int is_written);

/**
 * Open a disk for reading and writing: a file, or a block device, which nobody else may have claimed (it is mounted,
 * for instance).  The fd or -1.
 */
int io_open_disk(const char *path);

/* Is it a block device? */
int io_is_device(int fd);

/* A file without a name in dir, gone when it is closed. */
int io_temporary(const char *dir);

/* Make a directory of that mode if it is not there; its entry in the parent is durable on return. */
int io_mkdir(const char *path, mode_t mode);

/* The same with the folders above it, which get mode 0755. */
int io_mkdir_all(const char *path, mode_t mode);

/* Make a symbolic link, durably. */
int io_link_to(const char *target, const char *path);

/**
 * Give the file at path a second name, which is not taken: 0; 1, unsaid, where the file system cannot; -1.  io_sync_dir
 * makes it durable.
 */
int io_second_name(const char *path, const char *name);

/* 1 if there is something at path, 0 if not, -1 on error. */
int io_exists(const char *path);

/* May this process make files in that folder? */
int io_is_writable(const char *dir);

/* Is there a file at path that we may run?  If not, errno says why. */
int io_is_program(const char *path);

/* By this it is seen whether the file at path has changed, or is another one: not 0; 0 if there is none, or it cannot be told. */
uint64_t io_stamp(const char *path);

/* What is at path itself? */
enum io_kind { IO_NOTHING, IO_FILE, IO_FOLDER, IO_LINK, IO_DEVICE, IO_OTHER, IO_UNKNOWN };
enum io_kind io_kind(const char *path);

/* Where a symbolic link leads to; 0 or -1. */
int io_read_link(const char *path, char out[PATH_MAX]);

/* An absolute path to the same, through no links at all, or through one at its end at most; 0 or -1. */
int io_absolute(const char *path, char out[PATH_MAX]);
int io_absolute_name(const char *path, char out[PATH_MAX]);

/* Are these two names, which both must be there, of one block device? */
int io_is_same_device(const char *a, const char *b);

/* Bytes that a file takes on its file system, without its holes; of a device, all of it. */
int io_allocated(const char *path, uint64_t *bytes);

/* Is there a symbolic link at path? */
int io_is_link(const char *path);

/* Close, where nothing can be lost any more; accepts -1. */
void io_close(int fd);

/* Bytes read, less than n only at the end of the file; -1 on error. */
ssize_t io_read(int fd, const char *path, void *buf, size_t n);
ssize_t io_pread(int fd, const char *path, void *buf, size_t n, uint64_t offset);

/**
 * The same from a medium that may be worn: what it cannot give back (EIO) is no failure and not said.  Bytes read,
 * less than n at the end of the file or in front of what cannot be read: then *is_worn is set.  offset
 * IO_STREAM: from where the descriptor is.
 */
#define IO_STREAM UINT64_MAX
ssize_t io_read_worn(int fd, const char *path, void *buf, size_t n, uint64_t offset, int *is_worn);

/* Can this descriptor be read at any offset? */
int io_can_seek(int fd);

/* Go on reading or writing at that offset; 0 or -1. */
int io_seek(int fd, const char *path, uint64_t offset);

/* The first n bytes, or all, of the file at path, of standard input for "-": bytes read, or -1. */
ssize_t io_read_start(const char *path, void *buf, size_t n);

/* Step over n bytes: 1 done, 0 if this descriptor cannot. */
int io_skip(int fd, uint64_t n);

/* Write all n bytes; 0 or -1. */
int io_write(int fd, const char *path, const void *buf, size_t n);
int io_pwrite(int fd, const char *path, const void *buf, size_t n, uint64_t offset);

/* Write a bundle's head, tar header, payload and n bytes of zeroes at once; any part may be empty. */
struct io_part {
	const void *data;
	size_t size;
};
int io_write_parts(int fd, const char *path, const struct io_part *parts, unsigned n);

/* The same where a full file system is no failure: 2, unsaid, if not all of it fitted. */
int io_fill_parts(int fd, const char *path, const struct io_part *parts, unsigned n);

/* Is it a regular file? */
int io_is_regular(int fd);

/* Ask the kernel to begin writing a range to the medium now.  A hint: what it cannot do is passed over. */
void io_start_writing(int fd, uint64_t offset, uint64_t length);

/**
 * A second descriptor of the file at path that reads from its medium, past the page cache.  Return -2, unsaid,
 * where the file system refuses that; io_forget in front of each read is then the next best.
 */
int io_open_direct(const char *path);

/* Bring a range to the medium and drop it from the page cache, as far as the kernel does; 0 or -1. */
int io_forget(int fd, const char *path, uint64_t offset, uint64_t length);

/**
 * Read up to n bytes at offset, both multiples of IO_ALIGN, into memory aligned to that: less only at the end
 * of the file; -2, unsaid, where the file system refuses direct reads after all; -1 on error.
 */
#define IO_ALIGN 4096u
ssize_t io_read_back(int fd, const char *path, void *buf, size_t n, uint64_t offset);

/* Make the content durable; 0 or -1, and then nothing is known of what was written since the last time. */
int io_sync(int fd, const char *path);

/* The same where a full file system is no failure: 2, unsaid, if it turns out to be full only now. */
int io_sync_filled(int fd, const char *path);

/* Make the entries of a directory durable.  Where its file system has no such thing, that is noted. */
int io_sync_dir(const char *path);

int io_size(int fd, const char *path, uint64_t *size);
int io_resize(int fd, const char *path, uint64_t size);

/* Turn a range to zeroes, giving its space back where the file system or device can. */
int io_zero(int fd, const char *path, uint64_t offset, uint64_t length);

/**
 * The next stretch of a file from offset on, up to end: set *length, and *is_hole if it is a hole.  Where
 * the file system does not tell, all is data.
 */
int io_stretch(int fd, const char *path, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole);

/* Share the whole content of from with to (reflink): 1 done, 0 not possible here. */
int io_clone(int to, int from);

/* Give a file real blocks for n bytes: 0; 2, unsaid, where there is no room or its file system cannot; -1. */
int io_allocate(int fd, const char *path, uint64_t n);

/**
 * Where the file's data lies, from offset on: up to n extents, what is dirty being written first.  Return how many, 0
 * if there are no more; -2, unsaid, where the file system cannot tell; -1.
 */
struct io_extent {
	uint64_t offset, place, length; /* bytes; place is of use only to be compared */
	int is_zero;                    /* allocated, and reads as zeroes */
	int is_packed;                  /* compressed or so: place is that of its start */
	int is_vague;                   /* place is not known, or not its own */
};
int io_extents(int fd, const char *path, uint64_t offset, struct io_extent *out, unsigned n);

/* Let others read a file that was made with 0600; a file system without modes (FAT) has none to set. */
int io_let_read(int fd, const char *path);

/* Make it that user's and group's, following no link. */
int io_give(const char *path, uid_t uid, gid_t gid);

/**
 * Replace the file at path by n bytes, durably: it is the old one or the new one, whole, at any moment.  A mode
 * other than 0600 is a wish, which a file system without modes does not grant.
 */
int io_replace(const char *path, const void *data, size_t n, mode_t mode);

/* Read a whole file of at most max bytes into memory that the caller frees, with a NUL behind it. */
char *io_slurp(const char *path, size_t max, size_t *size);

/* Open a directory itself, following no link at its end; the fd or -1. */
int io_open_dir(const char *path);

/**
 * Open the regular file of that name in a directory for reading, following no link; dir is its path, for the
 * words.  Return the fd; -2, unsaid, if there is none or it is no regular file; -1.
 */
int io_open_in(int dirfd, const char *dir, const char *name);

/* The same as io_slurp from a descriptor; path is for the words. */
char *io_slurp_fd(int fd, const char *path, size_t max, size_t *size);

/**
 * The names in a directory that end in suffix, in the order of their bytes, NULL behind the last; free them with
 * io_names_free.  NULL, said, on error or if there are more than max.
 */
char **io_names(int dirfd, const char *dir, const char *suffix, size_t max);
void io_names_free(char **names);

/* Rename within one directory, durably. */
int io_publish(const char *from, const char *to, const char *dir);

/* The same where nothing may be overwritten: 0; 1, said, if something is there; -1. */
int io_publish_new(const char *from, const char *to, const char *dir);

/* Exchange two entries of one directory in one step, durably: 0; 1, said, where the file system cannot; -1. */
int io_exchange(const char *a, const char *b, const char *dir);

/* Rename from the folder from_dir to another one, durably: at any moment it is in one of them. */
int io_move(const char *from, const char *from_dir, const char *to, const char *to_dir);

/* Remove a file; that it is gone already is fine. */
int io_remove(const char *path);

/* Remove a folder of ours and the files and folders in it, following no links. */
int io_remove_tree(const char *path);

/* Remove an empty folder; that it is gone already is fine. */
int io_remove_folder(const char *path);

/**
 * Lock the file at path, made if need be, for this process alone until it is closed or dies.  Return the fd;
 * -2 if another process holds it, or has put another one in its place; -1 on error.  A file system without locks has nothing to hold it back, unless other hosts may have it too: that is an error.
 */
int io_lock(const char *path);

/**
 * Has anybody a lock on any of these bytes, one of another open file?  1 or 0; -1, said.  0 where the file system
 * has no locks.
 */
int io_is_locked(int fd, const char *path, uint64_t offset, uint64_t length);

/* Let everybody pass through a folder of ours, as well as they could: 0 or -1, said. */
int io_let_pass(const char *dir);

/* May everybody pass through a folder?  1 or 0; -1, said. */
int io_may_pass(const char *dir);

/* Take a shared lock on these bytes, until fd is closed: 0 or -1, said.  A file system without locks has none to take. */
int io_share_lock(int fd, const char *path, uint64_t offset, uint64_t length);

/* Is it on a file system that other hosts may have mounted too, as far as its kind tells?  1 or 0. */
int io_is_shared(int fd);

/* Can files be made in this folder?  0 on a read-only file system, or where we may not. */
int io_can_write(const char *dir);

/* Bytes free for us on the file system of path, and how many it has at all. */
int io_free(const char *path, uint64_t *bytes);
int io_space(const char *path, uint64_t *free, uint64_t *all);

/* Where the symbolic link at path leads, or path itself if it is none. */
int io_link_of(const char *path, char out[PATH_MAX]);

#endif
