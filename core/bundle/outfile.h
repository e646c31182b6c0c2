#ifndef OUTFILE_H_
#define OUTFILE_H_

/*
 * Where a bundle is written to: a file, which has its name only once it is whole and durable, or standard
 * output, or a pipe or device that is there already.
 */
struct outfile;

/* path NULL or "-": standard output, which must not be a terminal.  0; 1, said; -1. */
int outfile_open(struct outfile **F, const char *path);

int outfile_fd(const struct outfile *F);
const char *outfile_name(const struct outfile *F);

/* All is written: make it durable and give it its name.  0 or -1. */
int outfile_commit(struct outfile *F);

/* Close; what was not committed goes.  Accepts NULL. */
void outfile_free(struct outfile *F);

#endif
