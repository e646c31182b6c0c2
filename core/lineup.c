#include "lineup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"

int
lineup_open(struct lineup *L, char *const *paths, unsigned n)
{
	int rc = 0;

	if (n > FOLD_FILES)
		return (say_refused("no more than %u files can be combined at once", FOLD_FILES));
	for (; rc == 0 && L->nfiles < n; L->nfiles++) {
		struct lineup_file *f = &L->files[L->nfiles];

		if ((rc = infile_open(&f->F, paths[L->nfiles])) != 0)
			break;
		f->reader = infile_reader(f->F);
		if (!io_is_regular(infile_fd(f->F)))
			rc = say_refused("%s: is no file; bundles are read more than once to be combined",
			    infile_name(f->F));
		else if ((f->m.payload = malloc(LIMIT_JSON)) == NULL)
			rc = say_failed("out of memory");
	}
	return (rc);
}

void
lineup_close(struct lineup *L)
{
	for (unsigned i = 0; i < FOLD_FILES; i++) {
		infile_close(L->files[i].F);
		free(L->files[i].m.payload);
	}
}

int
lineup_is_one_site(const struct site *S, const uint8_t a[RECORD_KEY], const uint8_t b[RECORD_KEY])
{
	const struct trust_entry *e = trust_by_key(site_trust(S), a);

	return (memcmp(a, b, RECORD_KEY) == 0 || (e != NULL && trust_has_key(e, b)) ||
	        (site_is_own_key(S, a) && site_is_own_key(S, b)));
}

/* May it be combined, going by who signed it?  NULL, or why not. */
static const char *
object(const struct lineup_file *f, const struct site *S, const struct card *by, char words[TRUST_WORDS])
{
	const struct trust_entry *e = trust_by_key(site_trust(S), f->key);

	if (site_is_own_key(S, f->key))
		return (NULL);
	if (by != NULL)
		return (memcmp(by->sign, f->key, RECORD_KEY) == 0
		            ? NULL
		            : "it is not a bundle, or signed with another key than the card's");
	if (e == NULL)
		return ("it is not a bundle, or signed with a key that is not known here; name the card of "
		        "its signer with --key");
	return (f->header == NULL ? NULL : trust_objection(e, f->key, f->header->created, words));
}

static int
read_header(struct lineup_file *f, const struct site *S, const struct card *by)
{
	char words[TRUST_WORDS];
	const char *why;
	int rc = reader_start(f->reader, f->key);

	if (rc != 0)
		return (rc);
	if ((why = object(f, S, by, words)) != NULL)
		return (reader_refuse(f->reader, NULL, why));
	if ((rc = reader_header(f->reader, &f->m, &f->header)) != 0)
		return (rc);
	if ((why = object(f, S, by, words)) != NULL)
		return (reader_refuse(f->reader, NULL, why));
	if (f->header->type != BUNDLE_DELTA)
		return (reader_refuse(f->reader, NULL, "only deltas are combined"));
	if (f->header->has_against)
		return (reader_refuse(f->reader, NULL,
		    "it was made for disks that were compared, and goes to them alone; import it by itself"));
	return (reader_peek_volume(f->reader, &f->volume));
}

static int
by_points(const void *a, const void *b)
{
	const struct lineup_file *f = a, *g = b;
	const struct header *F = f->header, *G = g->header;
	int id = memcmp(F->id, G->id, RECORD_ID);

	if (F->from.seq != G->from.seq)
		return (F->from.seq < G->from.seq ? -1 : 1);
	if (F->to.seq != G->to.seq)
		return (F->to.seq < G->to.seq ? -1 : 1);
	if (id != 0)
		return (id);
	return (f->volume < g->volume ? -1 : f->volume > g->volume);
}

/* Put the volumes of each bundle together. */
static int
group(struct lineup *L)
{
	for (unsigned i = 0; i < L->nfiles; i++) {
		struct lineup_file *f = &L->files[i];
		struct lineup_bundle *b = &L->bundles[L->n];
		uint32_t want = 1;

		if (i > 0 && memcmp(f->header->id, f[-1].header->id, RECORD_ID) == 0) {
			b--;
			want = f[-1].volume + 1;
		} else {
			*b = (struct lineup_bundle){ .first = i, .header = f->header };
			L->n++;
		}
		if (f->volume < want)
			return (say_refused("%s: was named twice", infile_name(f->F)));
		if (f->volume > want)
			return (say_refused("%s: is volume %" PRIu32 ", and volume %" PRIu32
			                    " of its bundle was not named",
			    infile_name(f->F), f->volume, want));
		b->n++;
	}
	return (0);
}

/* Are the disks of b those of a, and where b starts at the point that a leads to, are they as a says? */
static const char *
compare_disks(const struct header *a, const struct header *b)
{
	if (a->ndisks > b->ndisks)
		return ("it has other disks than the one before it");
	for (unsigned i = 0; i < a->ndisks; i++) {
		if (strcmp(a->disks[i].id, b->disks[i].id) != 0)
			return ("it has other disks than the one before it");
		if (a->to.seq == b->from.seq && a->disks[i].size != b->disks[i].before_size)
			return ("a disk has another size where it starts than where the one before it ends");
	}
	return (NULL);
}

/* Does b lead on from where a can be? */
static int
check_neighbours(const struct lineup *L, unsigned i)
{
	const struct header *a = L->bundles[i - 1].header, *b = L->bundles[i].header;
	const char *name = infile_name(L->files[L->bundles[i].first].F);
	const char *why;

	if (strcmp(a->uuid, b->uuid) != 0 || memcmp(a->lineage, b->lineage, RECORD_ID) != 0 ||
	    a->to.epoch != b->to.epoch)
		return (say_refused("%s: is of another VM, lineage or epoch than %s", name,
		    infile_name(L->files[L->bundles[i - 1].first].F)));
	if (b->from.seq > a->to.seq)
		return (say_refused("%s: starts at point %" PRIu64
		                    ", and the one before it ends at point %" PRIu64
		                    ": what lies between is missing",
		    name, b->from.seq, a->to.seq));
	if (b->to.seq <= a->to.seq)
		return (say_refused("%s: leads to point %" PRIu64 ", and %s from an earlier point to %" PRIu64
		                    ": leave it out",
		    name, b->to.seq, infile_name(L->files[L->bundles[i - 1].first].F), a->to.seq));
	if ((why = compare_disks(a, b)) != NULL)
		return (say_refused("%s: %s", name, why));
	return (0);
}

int
lineup_read(struct lineup *L, const struct site *S, const struct card *by)
{
	int rc;

	for (unsigned i = 0; i < L->nfiles; i++)
		if ((rc = read_header(&L->files[i], S, by)) != 0)
			return (rc);
	qsort(L->files, L->nfiles, sizeof *L->files, by_points);
	if ((rc = group(L)) != 0)
		return (rc);
	for (unsigned i = 1; i < L->n; i++)
		if ((rc = check_neighbours(L, i)) != 0)
			return (rc);
	return (0);
}
