#ifndef QUESTION_H_
#define QUESTION_H_

#include <limits.h>
#include <stdint.h>

#include "bounds.h"
#include "header.h"
#include "host/host.h"

/*
 * What one of our own host programs (vmferry-libvirt, vmferry-qmp) is asked: vmferry-host(7), seen from the other side.
 * The text is our own tool's, or a person's who tries it by hand; it is held against the bounds as any other.
 */
struct question_disk {
	char id[LIMIT_DISK_ID + 1];
	char path[PATH_MAX];  /* define: absolute, or empty: an empty disk of that size is to be made */
	char uri[PATH_MAX];   /* or not empty: it is this NBD export, raw, at nbd:// or nbd+unix:// */
	char where[PATH_MAX]; /* view: as 'machine' said it */
	enum host_format format;
	uint64_t size; /* bytes */
	int is_excluded;
};

struct question {
	char verb[16];
	char name[LIMIT_NAME + 16]; /* as it is called at the host */
	char vm[LIMIT_NAME + 1];    /* as vmferry knows it; empty: the same */
	char host[PATH_MAX];        /* what is behind the colon of --host */
	char uuid[HEADER_UUID];     /* or empty */
	enum host_purpose purpose;
	int is_isolated, may_start;
	unsigned ndisks;
	struct question_disk disks[HOST_DISKS];
	char *definition; /* or NULL */
	/* of a view: */
	char token[HOST_TOKEN], since[HOST_TOKEN], prefix[HOST_TOKEN]; /* since may be empty */
	int quiesce;
	int more; /* behind the answer another question may come, of the same VM at the same host */
};

/**
 * Read the question from standard input: a JSON object, of a view one line, behind which more may come later.  argv
 * is the program's, PROGRAM VERB NAME, and must say the same.  0, Q being the caller's to free with question_free;
 * 1, said, if it is no question.
 */
int question_read(struct question **Q, int argc, const char *const argv[]);
void question_free(struct question *Q);

/* Answer Q, and what is asked behind it where more may come, as long as that goes well: what answer returned last. */
int question_each(
    const struct question *Q, int (*answer)(void *context, const struct question *Q), void *context);

/* How a view ends. */
enum question_end {
	QUESTION_KEEP,
	QUESTION_DROP,
	QUESTION_GONE, /* whoever asked is not there any more */
	QUESTION_WAIT, /* nothing was said in time */
};

/* Wait at most so many milliseconds (-1: for ever) for the word that ends a view. */
enum question_end question_wait(int milliseconds);

#endif
