#include "link/frames.h"

#include <string.h>

#include "base/clock.h"

#define PACE 1024 /* bytes a second at least, in which a frame comes that has begun */

_Static_assert(SESSION_OVERHEAD == crypto_secretstream_xchacha20poly1305_ABYTES, "secretstream");

/* The channel is over because of what rc says. */
int
frames_over(struct frames *F, int rc)
{
	F->is_over = 1;
	return (rc);
}

/* It is over because of the line. */
int
frames_cut(struct frames *F, const char *why)
{
	return (frames_over(F, line_broken(&F->line, why)));
}

/* Make the frame of kind and body at out: its length. */
size_t
frames_seal(struct frames *F, enum session_kind kind, const void *body, size_t n, uint8_t *out)
{
	size_t length = 1 + n + SESSION_OVERHEAD;

	F->plain[0] = (uint8_t)kind;
	if (n > 0)
		memcpy(F->plain + 1, body, n);
	for (unsigned i = 0; i < SESSION_LENGTH; i++)
		out[i] = (uint8_t)(length >> (24 - 8 * i));
	crypto_secretstream_xchacha20poly1305_push(&F->push, out + SESSION_LENGTH, NULL, F->plain, 1 + n, out,
	    SESSION_LENGTH, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
	return (SESSION_LENGTH + length);
}

int
frames_put(struct frames *F, size_t n)
{
	return (line_write(&F->line, F->output, n, F->deadline) == 0 ? 0 : frames_over(F, -1));
}

/* How many bytes the frame has that begins here; 0: that is not known yet. */
static size_t
frame_size(const struct frames *F)
{
	const uint8_t *p = F->input + F->line.first;

	if (line_here(&F->line) < SESSION_LENGTH)
		return (0);
	return (SESSION_LENGTH + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]));
}

/* Take the frame that is here: 0; 1: it is not here, or not whole; -1, said. */
static int
take(struct frames *F, enum session_kind *kind, size_t *n)
{
	const uint8_t *p = F->input + F->line.first;
	size_t size = frame_size(F), most = F->deadline != INT64_MAX ? FRAMES_PROOF : FRAMES_SIZE;
	unsigned char tag;

	if (size == 0)
		return (1);
	if (size <= SESSION_LENGTH + SESSION_OVERHEAD || size > most)
		return (frames_cut(
		    F, "sends what is no frame: something else answers than vmferry, or bytes were changed"));
	if (line_here(&F->line) < size)
		return (1);
	if (crypto_secretstream_xchacha20poly1305_pull(&F->pull, F->got, NULL, &tag, p + SESSION_LENGTH,
	        size - SESSION_LENGTH, p, SESSION_LENGTH) != 0 ||
	    tag != crypto_secretstream_xchacha20poly1305_TAG_MESSAGE)
		return (frames_cut(F,
		    "sends a frame that is not its own: something else answers than vmferry, or "
		    "bytes were changed"));
	F->line.first += size;
	F->begun = 0;
	*kind = (enum session_kind)F->got[0];
	*n = size - SESSION_LENGTH - SESSION_OVERHEAD - 1;
	return (0);
}

/* Until when a frame that has begun must be whole: a minute, and what is allowed for its bytes on a slow line. */
static int64_t
frame_due(const struct frames *F)
{
	if (F->begun == 0)
		return (INT64_MAX);
	return (F->begun + F->line.silence + (int64_t)(frame_size(F) * 1000 / PACE));
}

/* Until when the line is waited on at most, for what is to come next. */
static int64_t
patience(struct frames *F)
{
	int64_t until = F->line.heard + F->line.silence;

	if (line_here(&F->line) > 0 && F->begun == 0)
		F->begun = clock_ms();
	if (frame_due(F) < until)
		until = frame_due(F);
	return (F->deadline < until ? F->deadline : until);
}

/* What comes drop by drop is not waited for any longer. */
static int
is_drip(const struct frames *F)
{
	size_t size = frame_size(F);

	return (clock_ms() >= frame_due(F) && (size == 0 || line_here(&F->line) < size));
}

/* No frame is whole: get more of it, until then at most.  0; 1: it is that late; -1, said. */
static int
more(struct frames *F, int64_t until)
{
	int64_t dead = patience(F);
	int rc = line_more(&F->line, until < dead ? until : dead);

	if (rc < 0)
		return (frames_over(F, -1));
	if (clock_ms() >= F->deadline)
		return (frames_cut(F, "the handshake takes too long"));
	if (rc == 0 ? is_drip(F) : clock_ms() >= dead)
		return (frames_cut(F, "the line is dead: nothing comes, or too slowly"));
	return (clock_ms() >= until);
}

/* A sign of life, of which nobody need know.  In the handshake there is none. */
static int
is_wait(const struct frames *F, enum session_kind kind, size_t n)
{
	return (kind == SESSION_WAIT && n == 0 && F->deadline == INT64_MAX);
}

int
frames_next(struct frames *F, enum session_kind *kind, size_t *n, int64_t until)
{
	int rc, late = 0;

	for (;;) {
		rc = take(F, kind, n);
		if (rc < 0 || (rc == 0 && !is_wait(F, *kind, *n)) || (rc == 1 && late))
			return (rc);
		/* Once it is late nothing more is read; or who sends signs of life without end would keep us here. */
		if (rc == 1 && (late = more(F, until)) < 0)
			return (-1);
	}
}

int
frames_want(struct frames *F, size_t n)
{
	while (line_here(&F->line) < n)
		if (more(F, INT64_MAX) < 0)
			return (-1);
	return (0);
}

void
frames_step(struct frames *F, void *out, size_t n)
{
	memcpy(out, F->input + F->line.first, n);
	F->line.first += n;
	F->begun = 0;
}
