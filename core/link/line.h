#ifndef LINE_H_
#define LINE_H_

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes to and from somebody, through two descriptors that may be one, with the time that it takes bounded.  What has come waits
 * in a buffer, input[first] to input[end], until its owner moves first on.
 */
struct line {
	int in, out;
	int in_flags, out_flags; /* as they were; -1: not known */
	int is_ended;            /* nothing more comes */
	int is_broken;           /* by an error, which was said */
	const char *who;         /* is at the other end, for the words */
	int64_t heard, said;     /* when there last was a byte, in ms */
	int64_t silence;         /* ms without one, before the line counts as dead */
	uint64_t sent, received; /* bytes */
	uint8_t *input;
	size_t room, first, end;
};

/* Use these descriptors, which stay the caller's, and from now on never wait in a call: 0; -1, said. */
int line_open(struct line *L, int in, int out);

/* Put back how the descriptors were. */
void line_close(struct line *L);

/* How many bytes are here. */
size_t line_here(const struct line *L);

/**
 * Wait for more bytes: 0, once some have come; 1, unsaid, if none have until then (a time of clock_ms; one that is over:
 * what has come is taken all the same); -1, said: the end.  There is room for them unless the owner takes none.
 */
int line_more(struct line *L, int64_t until);

/**
 * Write all n bytes, until then at the latest; meanwhile take what comes.  0; -1, said: it failed, or there was no byte
 * in either direction for too long.
 */
int line_write(struct line *L, const uint8_t *p, size_t n, int64_t until);

/* Is there room for a few bytes on the line? */
int line_has_room(const struct line *L);

/* It is over: say why, with who it is about.  Gives -1. */
int line_broken(struct line *L, const char *why);

#endif
