#include "disk/overlay_server.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"

#define REQUESTS 64u                   /* under way at a time */
#define DATA_MAX (1u << 20)            /* bytes in one of them */
#define CLEAR_MAX UINT64_C(0x40000000) /* the same where no bytes travel */

int
overlay_server_in_use(const char *path)
{
	return (say_refused("%s: a VM or another program has it open; shut the VM down first", path));
}

int
overlay_server_is_locked_out(const char *words)
{
	return (strstr(words, "Failed to get") != NULL && strstr(words, "lock") != NULL);
}

int
overlay_server_failed(const struct overlay_server *V, const char *what)
{
	return (say_failed("%s: cannot %s: %s", V->path, what, nbd_get_error()));
}

/* It ends with its connection, and what it said tells why it did. */
static int
not_served(struct overlay_server *V)
{
	char words[PROGRAM_WORDS], why[256];

	snprintf(why, sizeof why, "%s", nbd_get_error());
	nbd_close(V->h);
	V->h = NULL;
	program_served(V->program, words);
	V->program = NULL;
	if (overlay_server_is_locked_out(words))
		return (overlay_server_in_use(V->path));
	return (say_failed("%s: cannot open it with qemu-nbd: %s", V->path, words[0] != '\0' ? words : why));
}

/* The image as QEMU takes it with all that is to be known of it; the caller's to free; NULL: no memory. */
static char *
without_base(const char *path)
{
	json_t *o = json_pack("{s:s,s:n,s:{s:s,s:s}}", "driver", "qcow2", "backing", "file", "driver", "file",
	    "filename", path);
	char *text = o == NULL ? NULL : json_dumps(o, JSON_COMPACT), *out = NULL;
	size_t n;

	if (text != NULL && (out = malloc(n = strlen(text) + sizeof "json:")) != NULL)
		snprintf(out, n, "json:%s", text);
	free(text);
	json_decref(o);
	return (out);
}

/*
 * qemu-nbd has our end of a socket as its only client, and ends when that closes.  It need not keep its metadata in
 * order on the medium with a flush here and there (that is half of the time to fill): until overlay_flush, which has it
 * write all that it has, and then makes the file durable, nothing is promised.
 */
static int
serve(struct overlay_server *V, const char *path, int is_alone, int *fd)
{
	char *alone = is_alone ? without_base(path) : NULL;
	const char *argv[] = { "qemu-nbd", "--allocation-depth", "--cache=unsafe", "--discard=unmap",
		"--aio=threads", NULL, NULL, NULL, NULL };
	const struct program P = { .argv = argv, .package = OVERLAY_PACKAGE };
	int rc;

	if (is_alone) {
		argv[5] = alone;
	} else {
		argv[5] = "-f";
		argv[6] = "qcow2";
		argv[7] = path;
	}
	rc = is_alone && alone == NULL ? say_failed("out of memory") : program_serve(&P, &V->program, fd);
	free(alone);
	return (rc);
}

int
overlay_server_open(struct overlay_server *V, const char *path, int is_alone)
{
	int64_t size;
	int fd;

	*V = (struct overlay_server){ 0 };
	if (io_path(V->path, "%s", path) != 0)
		return (-1);
	if ((V->h = nbd_create()) == NULL || nbd_add_meta_context(V->h, OVERLAY_DEPTH) == -1 ||
	    nbd_add_meta_context(V->h, OVERLAY_ZERO) == -1)
		return (overlay_server_failed(V, "prepare"));
	if (serve(V, path, is_alone, &fd) != 0)
		return (-1);
	/* Takes fd, also when it fails. */
	if (nbd_connect_socket(V->h, fd) == -1)
		return (not_served(V));
	if ((size = nbd_get_size(V->h)) < 0)
		return (overlay_server_failed(V, "learn the size"));
	V->size = (uint64_t)size;
	return (0);
}

void
overlay_server_close(struct overlay_server *V)
{
	if (V->h != NULL) {
		nbd_shutdown(V->h, 0);
		nbd_close(V->h);
	}
	program_served(V->program, NULL);
	V->h = NULL;
	V->program = NULL;
}

static int
completed(void *user, int *error)
{
	struct overlay_server *V = user;

	V->under_way--;
	if (*error != 0)
		V->error = *error;
	return (1);
}

int
overlay_server_drain(struct overlay_server *V, unsigned most)
{
	while (V->under_way > most)
		if (nbd_poll(V->h, -1) == -1)
			return (overlay_server_failed(V, "read or write"));
	if (V->error != 0)
		return (say_failed("%s: cannot read or write: %s%s", V->path, strerror(V->error),
		    V->error == ENOSPC ? "; free some space and run the command again" : ""));
	return (0);
}

static int
begin_one(
    struct overlay_server *V, enum overlay_request what, uint8_t *data, uint64_t length, uint64_t offset)
{
	nbd_completion_callback cb = { .callback = completed, .user_data = V };
	int64_t cookie;

	if (overlay_server_drain(V, REQUESTS - 1) != 0)
		return (-1);
	V->under_way++;
	if (what == OVERLAY_READ)
		cookie = nbd_aio_pread(V->h, data, (size_t)length, offset, cb, 0);
	else if (what == OVERLAY_WRITE)
		cookie = nbd_aio_pwrite(V->h, data, (size_t)length, offset, cb, 0);
	else
		cookie = nbd_aio_zero(V->h, length, offset, cb, 0);
	if (cookie != -1)
		return (0);
	V->under_way--;
	return (overlay_server_failed(V, "read or write"));
}

int
overlay_server_begin(
    struct overlay_server *V, enum overlay_request what, uint8_t *data, uint64_t length, uint64_t offset)
{
	uint64_t most = what == OVERLAY_CLEAR ? CLEAR_MAX : DATA_MAX, k;

	if (length > V->size || offset > V->size - length)
		return (say_failed("%s: the disk ends before byte %" PRIu64, V->path, offset + length));
	for (uint64_t done = 0; done < length; done += k) {
		k = length - done < most ? length - done : most;
		if (begin_one(V, what, what == OVERLAY_CLEAR ? NULL : data + done, k, offset + done) != 0)
			return (-1);
	}
	return (0);
}
