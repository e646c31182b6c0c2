#ifndef SANDBOX_H_
#define SANDBOX_H_

/*
 * Before bytes from outside are parsed, the process gives up what it does not need: with Landlock all files
 * but some folders, with seccomp all system calls but those of its work (no program is run, no socket made,
 * no other process touched).
 */
enum sandbox_work {
	SANDBOX_READ,  /* what is open is read, and words are written */
	SANDBOX_STORE, /* files below the named folders are made, written and removed as well */
};

#define SANDBOX_DIRS 2048u

struct sandbox {
	enum sandbox_work work;
	int insist; /* refuse to go on without it */
	unsigned ndirs;
	char *dirs[SANDBOX_DIRS];                 /* for SANDBOX_STORE; see sandbox_add */
	unsigned char is_looked_at[SANDBOX_DIRS]; /* of each: nothing is written there */
};

/* Allow the files below a folder, or one file or device, which must be there: 0 or -1, said. */
int sandbox_add(struct sandbox *B, const char *dir);

/* The same, but only to read it; where it, or a folder in it, is added by sandbox_add, too, that counts. */
int sandbox_add_look(struct sandbox *B, const char *dir);

/**
 * Enter it, for good and for all threads to come.  0; 1, said, if this kernel cannot and B insists; -1.  What
 * the kernel lacks is said.
 */
int sandbox_enter(const struct sandbox *B);

/* Release what sandbox_add took. */
void sandbox_free(struct sandbox *B);

#endif
