#include "primary/shiplog.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "wire.h"

#define HEAD (8u + 8u + HEADER_CONTENT_KEY)
#define BUFFER 65536u
#define LOGS 256u /* kept for one VM at most */
#define NAME (2 * RECORD_ID + 1)
#define REST (LIMIT_EXTENTS * EXTENT_SIZE) /* more than a text */

static const uint8_t magic[8] = { 'V', 'M', 'F', 'S', 'H', 'I', 'P', '1' };

struct shiplog {
	int fd;
	char path[PATH_MAX];
	uint8_t hash[RECORD_DIGEST]; /* of the record logged last; all zero: none yet, or not known */
	const struct extent *extents;
	uint32_t nextents;
	int is_lost;       /* something is not in it that came before */
	uint64_t position; /* bytes in the file and the buffer */
	size_t n;
	uint8_t buffer[BUFFER];
};

struct shipped {
	int fd;
	char path[PATH_MAX];
	uint64_t size, position;
	enum segment_level level;
	struct segment_crypt crypt;
	struct header header;
	uint8_t key[RECORD_KEY];
	uint8_t rest[REST];
};

static int
path_of(const struct primary *P, const uint8_t id[RECORD_ID], char out[PATH_MAX])
{
	char name[NAME];

	sodium_bin2hex(name, sizeof name, id, RECORD_ID);
	return (io_path(out, "%s/shipped/%s", P->dir, name));
}

/* --- reading ------------------------------------------------------------------------------------------ */

/* Bytes that follow R in the log. */
static size_t
rest_of(const struct record *R)
{
	switch (R->type) {
	case RECORD_HEADER:
	case RECORD_END:
		return ((size_t)R->stored);
	case RECORD_SEGMENT:
		return ((size_t)R->extents * EXTENT_SIZE);
	default:
		return (0);
	}
}

int
shipped_next(struct shipped *S, struct shipped_entry *e)
{
	size_t n;

	if (S->size - S->position < RECORD_SIZE)
		return (1);
	if (io_pread(S->fd, S->path, e->raw, RECORD_SIZE, S->position) != (ssize_t)RECORD_SIZE)
		return (-1);
	if (record_peek(&e->record, e->raw) != 0)
		return (1);
	n = rest_of(&e->record);
	if (S->size - S->position - RECORD_SIZE < n)
		return (1);
	if (n > 0 && io_pread(S->fd, S->path, S->rest, n, S->position + RECORD_SIZE) != (ssize_t)n)
		return (-1);
	e->rest = n == 0 ? NULL : S->rest;
	S->position += RECORD_SIZE + n;
	return (0);
}

/* The head and the header record: 0; 1 if they are not there; -1. */
static int
read_head(struct shipped *S)
{
	uint8_t head[HEAD];
	struct shipped_entry e;
	int rc;

	if (io_size(S->fd, S->path, &S->size) != 0)
		return (-1);
	if (S->size < HEAD)
		return (1);
	if (io_pread(S->fd, S->path, head, HEAD, 0) != (ssize_t)HEAD)
		return (-1);
	if (memcmp(head, magic, sizeof magic) != 0)
		return (1);
	S->level = (enum segment_level)wire_get64(head + 8);
	memcpy(S->crypt.key, head + 16, HEADER_CONTENT_KEY);
	sodium_memzero(head, sizeof head);
	S->position = HEAD;
	if ((rc = shipped_next(S, &e)) != 0)
		return (rc);
	if (e.record.type != RECORD_HEADER ||
	    header_decode(&S->header, (const char *)e.rest, (size_t)e.record.stored) != NULL)
		return (1);
	memcpy(S->key, e.record.link, RECORD_KEY);
	S->crypt.cipher = S->header.cipher;
	memcpy(S->crypt.bundle, S->header.id, RECORD_ID);
	S->position = HEAD;
	return (0);
}

static int
open_path(struct shipped **out, const char *path)
{
	struct shipped *S = calloc(1, sizeof *S);
	int rc;

	*out = NULL;
	if (S == NULL)
		return (say_failed("out of memory"));
	S->fd = -1;
	if ((rc = io_path(S->path, "%s", path)) == 0)
		rc = (S->fd = io_open_read(path)) < 0 ? -1 : read_head(S);
	if (rc == 0)
		*out = S;
	else
		shipped_close(S);
	return (rc);
}

int
shipped_open(struct shipped **S, const struct primary *P, const uint8_t id[RECORD_ID])
{
	char path[PATH_MAX];
	int rc;

	*S = NULL;
	if (path_of(P, id, path) != 0 || (rc = io_exists(path)) < 0)
		return (-1);
	return (rc == 0 ? 1 : open_path(S, path));
}

void
shipped_close(struct shipped *S)
{
	if (S == NULL)
		return;
	io_close(S->fd);
	sodium_memzero(&S->crypt, sizeof S->crypt);
	free(S);
}

const struct header *
shipped_header(const struct shipped *S)
{
	return (&S->header);
}

const struct segment_crypt *
shipped_crypt(const struct shipped *S)
{
	return (&S->crypt);
}

enum segment_level
shipped_level(const struct shipped *S)
{
	return (S->level);
}

const uint8_t *
shipped_key(const struct shipped *S)
{
	return (S->key);
}

/* --- which ones are kept ------------------------------------------------------------------------------ */

struct kept {
	char name[NAME];
	uint64_t to;
	int64_t created;
};

static int
is_acknowledged(const struct primary *P, const struct header *H)
{
	unsigned left = H->ntargets;

	for (unsigned i = 0; i < H->ntargets; i++)
		for (unsigned k = 0; k < P->ntargets; k++)
			if (memcmp(P->targets[k].key, H->targets[i].key, RECORD_KEY) == 0 &&
			    P->targets[k].acked >= H->to.seq) {
				left--;
				break;
			}
	return (H->ntargets > 0 && left == 0);
}

static int
remove_log(const struct primary *P, const char *name)
{
	char path[PATH_MAX];

	return (io_path(path, "%s/shipped/%s", P->dir, name) != 0 ? -1 : io_remove(path));
}

/* Note the log of that name in all, or remove it: because of too many, then the oldest one. */
static int
keep_or_remove(const struct primary *P, struct kept *all, unsigned *n, const struct kept *k)
{
	unsigned old = 0;

	if (*n < LOGS) {
		all[(*n)++] = *k;
		return (0);
	}
	for (unsigned i = 1; i < *n; i++)
		if (all[i].to < all[old].to ||
		    (all[i].to == all[old].to && all[i].created < all[old].created))
			old = i;
	if (all[old].to > k->to)
		return (remove_log(P, k->name));
	if (remove_log(P, all[old].name) != 0)
		return (-1);
	all[old] = *k;
	return (0);
}

/* May the log of that bundle still be asked for?  given_up: not if it leads to that point, which is not cut yet. */
static int
is_wanted(const struct primary *P, const struct header *H, uint64_t given_up)
{
	if (H->to.seq == given_up || is_acknowledged(P, H))
		return (0);
	return (primary_point(P, H->to.seq) != NULL);
}

static int
look_at(const struct primary *P, const char *name, uint64_t given_up, struct kept *all, unsigned *n)
{
	char path[PATH_MAX];
	struct shipped *S;
	struct kept k;
	int rc, is_good;

	if (io_path(path, "%s/shipped/%s", P->dir, name) != 0 || (rc = open_path(&S, path)) < 0)
		return (-1);
	is_good = rc == 0 && is_wanted(P, &S->header, given_up);
	if (is_good) {
		strcpy(k.name, name);
		k.to = S->header.to.seq;
		k.created = S->header.created;
	}
	shipped_close(S);
	return (is_good ? keep_or_remove(P, all, n, &k) : remove_log(P, name));
}

static int
look_at_all(const struct primary *P, uint64_t given_up)
{
	struct kept *all = calloc(LOGS, sizeof *all);
	char path[PATH_MAX];
	struct dirent *e;
	unsigned n = 0;
	int rc = 0;
	DIR *d;

	if (all == NULL)
		return (say_failed("out of memory"));
	if (io_path(path, "%s/shipped", P->dir) != 0 || (d = opendir(path)) == NULL) {
		free(all);
		/* A home of an earlier version has none. */
		return (errno == ENOENT ? 0 : say_failed("%s: cannot open: %s", path, strerror(errno)));
	}
	while (rc == 0 && (e = readdir(d)) != NULL)
		if (strlen(e->d_name) == NAME - 1 && e->d_name[0] != '.')
			rc = look_at(P, e->d_name, given_up, all, &n);
	closedir(d);
	free(all);
	return (rc);
}

int
shiplog_prune(const struct primary *P)
{
	return (look_at_all(P, 0));
}

/* --- writing ------------------------------------------------------------------------------------------ */

static int
flush(struct shiplog *L)
{
	if (L->n > 0 && io_write(L->fd, L->path, L->buffer, L->n) != 0)
		return (-1);
	L->n = 0;
	return (0);
}

static int
put(struct shiplog *L, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		size_t some = n < BUFFER - L->n ? n : BUFFER - L->n;

		memcpy(L->buffer + L->n, p, some);
		L->n += some;
		L->position += some;
		p += some;
		n -= some;
		if (L->n == BUFFER && flush(L) != 0)
			return (-1);
	}
	return (0);
}

/* Go back to behind the record whose hash is link: 0; 1, unsaid, if it is not there; -1. */
static int
go_back(struct shiplog *L, const uint8_t link[RECORD_DIGEST])
{
	uint8_t hash[RECORD_DIGEST];
	struct shipped_entry e;
	struct shipped *S;
	int rc;

	if (flush(L) != 0)
		return (-1);
	if ((rc = open_path(&S, L->path)) != 0)
		return (rc);
	while ((rc = shipped_next(S, &e)) == 0) {
		record_hash(hash, e.raw);
		if (memcmp(hash, link, RECORD_DIGEST) == 0)
			break;
	}
	if (rc == 0) {
		L->position = S->position;
		rc = io_resize(L->fd, L->path, L->position);
		if (rc == 0)
			rc = io_seek(L->fd, L->path, L->position);
	}
	shipped_close(S);
	return (rc);
}

int
shiplog_extents(void *log, const struct extent *extents, uint32_t n)
{
	struct shiplog *L = log;

	L->extents = extents;
	L->nextents = n;
	return (0);
}

static int
put_extents(struct shiplog *L)
{
	uint8_t e[EXTENT_SIZE];

	for (uint32_t i = 0; i < L->nextents; i++) {
		extent_pack(e, &L->extents[i]);
		if (put(L, e, sizeof e) != 0)
			return (-1);
	}
	return (0);
}

int
shiplog_record(void *log, const struct record *R, const uint8_t rec[RECORD_SIZE], const uint8_t *payload)
{
	struct shiplog *L = log;
	int rc = 0;

	/* Later volumes start with the same header. */
	if (R->type == RECORD_HEADER && L->position > HEAD)
		return (0);
	if (!L->is_lost && R->type != RECORD_HEADER && memcmp(L->hash, R->link, RECORD_DIGEST) != 0) {
		if ((rc = go_back(L, R->link)) < 0)
			return (-1);
		L->is_lost = rc == 1;
	}
	if (L->is_lost)
		return (0);
	record_hash(L->hash, rec);
	if (put(L, rec, RECORD_SIZE) != 0 || (R->type == RECORD_SEGMENT && put_extents(L) != 0) ||
	    (R->type != RECORD_SEGMENT && put(L, payload, rest_of(R)) != 0))
		return (-1);
	/* The log is never behind the bundle: whoever goes on after an interruption finds all of it. */
	return (flush(L));
}

int
shiplog_sync(struct shiplog *L)
{
	return (flush(L) != 0 ? -1 : io_sync(L->fd, L->path));
}

void
shiplog_free(struct shiplog *L)
{
	if (L == NULL)
		return;
	io_close(L->fd);
	sodium_memzero(L, sizeof *L);
	free(L);
}

static int
put_head(struct shiplog *L, const struct segment_crypt *K, enum segment_level level)
{
	uint8_t head[HEAD];
	int rc;

	memcpy(head, magic, sizeof magic);
	wire_put64(head + 8, (uint64_t)level);
	memcpy(head + 16, K->key, HEADER_CONTENT_KEY);
	rc = put(L, head, sizeof head);
	sodium_memzero(head, sizeof head);
	return (rc);
}

/* A new log, its name durable. */
static int
make(struct shiplog *L, const struct primary *P, const struct header *H, const struct segment_crypt *K,
    enum segment_level level)
{
	char dir[PATH_MAX];

	if (io_path(dir, "%s/shipped", P->dir) != 0 || io_mkdir(dir, 0700) != 0 ||
	    look_at_all(P, H->to.seq) != 0 || (L->fd = io_create(L->path)) < 0 || io_sync_dir(dir) != 0)
		return (-1);
	return (put_head(L, K, level));
}

struct shiplog *
shiplog_open(
    const struct primary *P, const struct header *H, const struct segment_crypt *K, enum segment_level level)
{
	struct shiplog *L = calloc(1, sizeof *L);
	int rc = -1;

	if (L == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	L->fd = -1;
	if (path_of(P, H->id, L->path) == 0 && (rc = io_exists(L->path)) == 0)
		rc = make(L, P, H, K, level);
	else if (rc == 1 && (L->fd = io_open_write(L->path)) >= 0)
		rc = io_size(L->fd, L->path, &L->position);
	else
		rc = -1;
	if (rc == 0)
		return (L);
	shiplog_free(L);
	return (NULL);
}
