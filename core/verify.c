#include "verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/infile.h"
#include "bundle/unpack.h"
#include "base/sandbox.h"
#include "base/say.h"

static int
verify_open(struct infile *F, const struct card *by, const struct trust *T, struct member *m)
{
	const struct trust_entry *e = NULL;
	uint8_t key[RECORD_KEY];
	char time[POINT_TIME], words[TRUST_WORDS];
	const char *why;
	struct unpack U;
	int rc;

	memset(&U, 0, sizeof U);
	U.reader = infile_reader(F);
	U.total = infile_size(F);
	U.what = "verify";
	if ((rc = reader_start(U.reader, key)) != 0)
		return (rc);
	if (by == NULL) {
		if ((e = trust_by_key(T, key)) == NULL)
			return (reader_refuse(U.reader, NULL,
			    "it is not a bundle, or signed with a key that is not known here"));
		by = &e->card;
	} else if (memcmp(by->sign, key, RECORD_KEY) != 0) {
		return (reader_refuse(
		    U.reader, NULL, "it is not a bundle, or signed with another key than the card's"));
	}
	if ((rc = reader_header(U.reader, m, &U.header)) != 0)
		return (rc);
	if (e != NULL && (why = trust_objection(e, key, U.header->created, words)) != NULL)
		return (reader_refuse(U.reader, NULL, why));
	if ((rc = unpack_run(&U)) != 0)
		return (rc);
	point_time_text(time, U.header->to.time);
	say_note("%s: good: %s of '%s' to point %" PRIu64 " (%s), %" PRIu64 " segments, signed by '%s'",
	    infile_name(F), header_type_text(U.header->type), U.header->vm, U.header->to.seq, time,
	    reader_trailer(U.reader)->segments, by->name);
	return (0);
}

/* Open all of them while that is still allowed. */
static int
open_all(const struct verify_options *o, struct infile *files[VERIFY_FILES], unsigned n)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = infile_open(&files[i], o->n == 0 ? NULL : o->paths[i]);
	return (rc);
}

static int
verify_all(const struct verify_options *o, struct infile *files[VERIFY_FILES], unsigned n)
{
	struct member m = { .payload = malloc(LIMIT_JSON) };
	int rc = m.payload == NULL ? say_failed("out of memory") : 0;

	for (unsigned i = 0; m.payload != NULL && i < n; i++) {
		int one = verify_open(files[i], o->by, o->trust, &m);

		if (one < 0 || rc == 0)
			rc = one;
	}
	free(m.payload);
	return (rc);
}

int
verify(const struct verify_options *o)
{
	const struct sandbox box = { .work = SANDBOX_READ, .insist = o->insist };
	struct infile *files[VERIFY_FILES] = { NULL };
	unsigned n = o->n == 0 ? 1 : o->n;
	int rc;

	if (n > VERIFY_FILES)
		return (say_refused("no more than %u bundles can be checked at once", VERIFY_FILES));
	if ((rc = open_all(o, files, n)) == 0 && (rc = sandbox_enter(&box)) == 0)
		rc = verify_all(o, files, n);
	for (unsigned i = 0; i < n; i++)
		infile_close(files[i]);
	return (rc);
}
