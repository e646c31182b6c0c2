#include "medium/holdings.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"
#include "bundle/infile.h"

struct reading {
	struct holdings *C;
	const struct medium *M;
	struct member member;
	int walk;
	size_t room, room_others;
};

/* Make room for one more behind n of size bytes; NULL, said, if there is none. */
static void *
grow(void *list, size_t n, size_t *room, size_t size)
{
	void *more;

	if (n < *room)
		return (list);
	*room = *room == 0 ? 16 : 2 * *room;
	if ((more = reallocarray(list, *room, size)) == NULL)
		say_failed("out of memory");
	return (more);
}

/* The bundle with that header; the last one first, since the volumes of one lie side by side. */
static struct holdings_bundle *
find(const struct holdings *C, const uint8_t header[RECORD_DIGEST])
{
	for (size_t i = C->n; i > 0; i--)
		if (memcmp(C->bundles[i - 1].header, header, RECORD_DIGEST) == 0)
			return (&C->bundles[i - 1]);
	return (NULL);
}

static int
describe(struct holdings_bundle *b, const struct header *H, const uint8_t *key, const uint8_t *header)
{
	memset(b, 0, sizeof *b);
	b->type = H->type;
	memcpy(b->id, H->id, RECORD_ID);
	memcpy(b->lineage, H->lineage, RECORD_ID);
	memcpy(b->of, H->of, RECORD_ID);
	memcpy(b->key, key, RECORD_KEY);
	memcpy(b->header, header, RECORD_DIGEST);
	memcpy(b->uuid, H->uuid, HEADER_UUID);
	b->from = H->from;
	b->to = H->to;
	b->epoch = history_epoch(&H->history);
	b->is_primary = H->is_primary;
	b->created = H->created;
	b->vm = strdup(H->vm);
	b->signer = strdup(H->signer);
	b->targets = calloc(H->ntargets + 1, sizeof *b->targets);
	if (b->vm == NULL || b->signer == NULL || b->targets == NULL)
		return (say_failed("out of memory"));
	b->ntargets = H->ntargets;
	for (unsigned i = 0; i < H->ntargets; i++)
		memcpy(b->targets[i], H->targets[i].key, RECORD_KEY);
	return (0);
}

static int
add_bundle(struct reading *r, const struct header *H, const uint8_t *key, const uint8_t *header)
{
	struct holdings *C = r->C;
	struct holdings_bundle *more;

	if (C->n == HOLDINGS_BUNDLES)
		return (say_failed("%s: has more than %u bundles", medium_folder(r->M), HOLDINGS_BUNDLES));
	if ((more = grow(C->bundles, C->n, &r->room, sizeof *more)) == NULL)
		return (-1);
	C->bundles = more;
	return (describe(&C->bundles[C->n++], H, key, header));
}

static int
add_volume(struct holdings_bundle *b, const char *name, const struct holdings_volume *v)
{
	struct holdings_volume *more = reallocarray(b->volumes, b->nvolumes + 1, sizeof *more);
	unsigned i = b->nvolumes;

	if (more == NULL)
		return (say_failed("out of memory"));
	b->volumes = more;
	for (; i > 0 && more[i - 1].number > v->number; i--)
		more[i] = more[i - 1];
	more[i] = *v;
	b->nvolumes++;
	return ((more[i].name = strdup(name)) == NULL ? say_failed("out of memory") : 0);
}

static int
add_other(struct reading *r, const char *name)
{
	char **more = grow(r->C->others, r->C->nothers, &r->room_others, sizeof *more);

	if (more == NULL)
		return (-1);
	r->C->others = more;
	more[r->C->nothers] = strdup(name);
	return (more[r->C->nothers] == NULL ? say_failed("out of memory") : (r->C->nothers++, 0));
}

/* Go through all records behind the header.  What cannot be read was said, and is not whole. */
static void
walk(struct reading *r, struct reader *R, struct holdings_volume *v)
{
	int rc;

	do
		rc = (rc = stop_check()) != 0 ? rc : reader_skip(R, &r->member);
	while (rc == 0 && r->member.record.type != RECORD_END && r->member.record.type != RECORD_VOLUME_END);
	v->is_whole = rc == 0;
	v->volume = *reader_volume(R);
}

/* 0; 1: it is no bundle; -1. */
static int
read_bundle(struct reading *r, const char *name, struct reader *R, uint64_t bytes)
{
	struct holdings_volume v = { .bytes = bytes };
	uint8_t key[RECORD_KEY], header[RECORD_DIGEST];
	const struct header *H;

	reader_set_quiet(R);
	if (reader_start(R, key) != 0 || reader_header(R, &r->member, &H) != 0 ||
	    reader_peek_volume(R, &v.number) != 0)
		return (1);
	memcpy(header, reader_volume(R)->header, RECORD_DIGEST);
	if (find(r->C, header) == NULL && add_bundle(r, H, key, header) != 0)
		return (-1);
	if (r->walk)
		walk(r, R, &v);
	return (add_volume(find(r->C, header), name, &v));
}

static int
read_file(void *context, const char *name)
{
	struct reading *r = context;
	char path[PATH_MAX];
	struct infile *F;
	int fd, rc;

	if (stop_check() != 0 || medium_path(r->M, name, path) != 0)
		return (-1);
	if ((fd = medium_file(r->M, name)) == -2)
		return (add_other(r, name));
	/* One that cannot be opened was said, and is no reason to leave the others. */
	if (fd < 0)
		return (add_other(r, name));
	if (infile_take(&F, fd, path) != 0)
		return (-1);
	rc = read_bundle(r, name, infile_reader(F), infile_size(F));
	infile_close(F);
	return (rc == 1 ? add_other(r, name) : rc);
}

static int
in_order(const void *x, const void *y)
{
	const struct holdings_bundle *a = x, *b = y;
	int d;

	if ((d = strcmp(a->vm, b->vm)) != 0 || (d = memcmp(a->lineage, b->lineage, RECORD_ID)) != 0)
		return (d);
	if (a->to.epoch != b->to.epoch)
		return (a->to.epoch < b->to.epoch ? -1 : 1);
	if (a->to.seq != b->to.seq)
		return (a->to.seq < b->to.seq ? -1 : 1);
	if (a->type != b->type)
		return (a->type < b->type ? -1 : 1);
	return (memcmp(a->header, b->header, RECORD_DIGEST));
}

int
holdings_read(struct holdings *C, const struct medium *M, int walk_all)
{
	struct reading r = {
		.C = C, .M = M, .walk = walk_all, .member = { .payload = malloc(LIMIT_STORED) }
	};
	int rc = -1;

	memset(C, 0, sizeof *C);
	if (r.member.payload == NULL)
		say_failed("out of memory");
	else
		rc = medium_each(M, ".vmf", read_file, &r);
	free(r.member.payload);
	if (rc != 0)
		holdings_free(C);
	else if (C->n > 0)
		qsort(C->bundles, C->n, sizeof *C->bundles, in_order);
	return (rc);
}

void
holdings_free(struct holdings *C)
{
	for (size_t i = 0; i < C->n; i++) {
		struct holdings_bundle *b = &C->bundles[i];

		for (unsigned k = 0; k < b->nvolumes; k++)
			free(b->volumes[k].name);
		free(b->volumes);
		free(b->targets);
		free(b->vm);
		free(b->signer);
	}
	for (size_t i = 0; i < C->nothers; i++)
		free(C->others[i]);
	free(C->bundles);
	free(C->others);
	memset(C, 0, sizeof *C);
}

unsigned
holdings_volumes(const struct holdings_bundle *b)
{
	for (unsigned i = 0; i < b->nvolumes; i++)
		if (b->volumes[i].is_whole && b->volumes[i].volume.is_last)
			return (b->volumes[i].number);
	return (0);
}

int
holdings_is_whole(const struct holdings_bundle *b)
{
	unsigned all = holdings_volumes(b), next = 1;
	const struct holdings_volume *before = NULL;

	for (unsigned i = 0; all > 0 && i < b->nvolumes; i++) {
		const struct holdings_volume *v = &b->volumes[i];

		if (!v->is_whole || v->number != next)
			continue;
		if (before != NULL && chain_follows(&before->volume, &v->volume) != NULL)
			continue;
		before = v;
		next++;
	}
	return (all > 0 && next == all + 1);
}

uint64_t
holdings_bytes(const struct holdings_bundle *b)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < b->nvolumes; i++)
		n += b->volumes[i].bytes;
	return (n);
}

int
holdings_is_for(const struct holdings_bundle *b, const struct site *S)
{
	for (unsigned i = 0; i < b->ntargets; i++)
		if (site_is_own_key(S, b->targets[i]))
			return (1);
	return (b->ntargets == 0);
}
