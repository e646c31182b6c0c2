#include "bundle/foldmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "wire.h"

#define NOTE 96u
#define BATCH 256u /* extents */

struct foldmap {
	int notes, tables;
	char tmpdir[PATH_MAX];
	uint64_t n, tables_size;
};

struct foldmap *
foldmap_new(const char *tmpdir)
{
	struct foldmap *C = calloc(1, sizeof *C);

	if (C == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	C->notes = C->tables = -1;
	if (io_path(C->tmpdir, "%s", tmpdir) != 0 || (C->notes = io_temporary(tmpdir)) < 0 ||
	    (C->tables = io_temporary(tmpdir)) < 0) {
		foldmap_free(C);
		return (NULL);
	}
	return (C);
}

void
foldmap_free(struct foldmap *C)
{
	if (C == NULL)
		return;
	io_close(C->notes);
	io_close(C->tables);
	free(C);
}

uint64_t
foldmap_size(const struct foldmap *C)
{
	return (C->n);
}

static void
pack(uint8_t p[NOTE], const struct note *n)
{
	wire_put64(p, n->number);
	wire_put64(p + 8, n->position);
	wire_put64(p + 16, n->offset);
	wire_put64(p + 24, n->span);
	wire_put64(p + 32, n->table);
	wire_put32(p + 40, n->file);
	wire_put32(p + 44, n->disk);
	wire_put32(p + 48, n->extents);
	wire_put32(p + 52, n->data);
	wire_put32(p + 56, n->stored);
	wire_put32(p + 60, 0);
	memcpy(p + 64, n->hash, RECORD_DIGEST);
}

static void
unpack(struct note *n, const uint8_t p[NOTE])
{
	n->number = wire_get64(p);
	n->position = wire_get64(p + 8);
	n->offset = wire_get64(p + 16);
	n->span = wire_get64(p + 24);
	n->table = wire_get64(p + 32);
	n->file = wire_get32(p + 40);
	n->disk = wire_get32(p + 44);
	n->extents = wire_get32(p + 48);
	n->data = wire_get32(p + 52);
	n->stored = wire_get32(p + 56);
	memcpy(n->hash, p + 64, RECORD_DIGEST);
}

int
foldmap_add(struct foldmap *C, const struct note *n)
{
	uint8_t p[NOTE];

	pack(p, n);
	if (io_pwrite(C->notes, C->tmpdir, p, NOTE, C->n * NOTE) != 0)
		return (-1);
	C->n++;
	return (0);
}

static int
read_whole(const struct foldmap *C, int fd, void *buf, size_t n, uint64_t offset)
{
	ssize_t got = io_pread(fd, C->tmpdir, buf, n, offset);

	if (got >= 0 && (size_t)got < n)
		return (say_failed("%s: the file of notes on the segments cannot be read back", C->tmpdir));
	return (got < 0 ? -1 : 0);
}

const struct note *
foldmap_get(const struct foldmap *C, struct foldmap_page *p, uint64_t i)
{
	uint8_t buf[FOLDMAP_PAGE * NOTE];
	uint64_t first = i / FOLDMAP_PAGE * FOLDMAP_PAGE;
	uint64_t n = C->n - first < FOLDMAP_PAGE ? C->n - first : FOLDMAP_PAGE;

	if (p->n == 0 || first != p->first || i >= first + p->n) {
		p->n = 0;
		if (read_whole(C, C->notes, buf, (size_t)n * NOTE, first * NOTE) != 0)
			return (NULL);
		for (size_t k = 0; k < n; k++)
			unpack(&p->notes[k], buf + k * NOTE);
		p->first = first;
		p->n = n;
	}
	return (&p->notes[i - first]);
}

int
foldmap_keep_extents(struct foldmap *C, uint64_t i, const struct extent *e, uint32_t n)
{
	uint8_t buf[BATCH * EXTENT_SIZE], table[8];
	uint64_t at = C->tables_size;

	for (uint32_t done = 0; done < n;) {
		uint32_t k = n - done < BATCH ? n - done : BATCH;

		for (uint32_t j = 0; j < k; j++)
			extent_pack(buf + (size_t)j * EXTENT_SIZE, &e[done + j]);
		if (io_pwrite(C->tables, C->tmpdir, buf, (size_t)k * EXTENT_SIZE, C->tables_size) != 0)
			return (-1);
		C->tables_size += (uint64_t)k * EXTENT_SIZE;
		done += k;
	}
	wire_put64(table, at + 1);
	return (io_pwrite(C->notes, C->tmpdir, table, sizeof table, i * NOTE + 32));
}

int
foldmap_extents(
    const struct foldmap *C, const struct note *n, uint32_t first, uint32_t max, struct extent *out)
{
	uint8_t buf[BATCH * EXTENT_SIZE];
	uint32_t left = n->extents - first, done = 0;

	if (left > max)
		left = max;
	while (done < left) {
		uint32_t k = left - done < BATCH ? left - done : BATCH;
		uint64_t at = n->table - 1 + (uint64_t)(first + done) * EXTENT_SIZE;

		if (read_whole(C, C->tables, buf, (size_t)k * EXTENT_SIZE, at) != 0)
			return (-1);
		for (uint32_t j = 0; j < k; j++) {
			const uint8_t *p = buf + (size_t)j * EXTENT_SIZE;

			out[done + j] = (struct extent){ wire_get64(p), wire_get64(p + 8),
				(enum extent_kind)wire_get32(p + 16) };
		}
		done += k;
	}
	return ((int)left);
}
