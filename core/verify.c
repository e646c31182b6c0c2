#include "verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/infile.h"
#include "bundle/unpack.h"
#include "io.h"
#include "say.h"

int
verify_card(const char *path, struct card *C)
{
	const char *why;
	size_t n;
	char *text = io_slurp(path, CARD_MAX, &n);

	if (text == NULL)
		return (-1);
	why = card_decode(C, text, n);
	free(text);
	return (why == NULL ? 0 : say_refused("%s: %s", path, why));
}

static int
verify_open(struct infile *F, const struct card *by, const struct trust *T, struct member *m)
{
	const struct trust_entry *e;
	uint8_t key[RECORD_KEY];
	char time[POINT_TIME];
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
			return (reader_refuse(U.reader, NULL, "it is not a bundle, or signed with a key that is not known here"));
		by = &e->card;
	} else if (memcmp(by->sign, key, RECORD_KEY) != 0) {
		return (reader_refuse(U.reader, NULL, "it is not a bundle, or signed with another key than the card's"));
	}
	if ((rc = reader_header(U.reader, m, &U.header)) != 0 || (rc = unpack_run(&U)) != 0)
		return (rc);
	point_time_text(time, U.header->to.time);
	say_note("%s: good: %s of '%s' to point %" PRIu64 " (%s), %" PRIu64 " segments, signed by '%s'", infile_name(F),
	    header_type_text(U.header->type), U.header->vm, U.header->to.seq, time, reader_trailer(U.reader)->segments,
	    by->name);
	return (0);
}

int
verify(const char *path, const struct card *by, const struct trust *T)
{
	struct member m = { .payload = malloc(LIMIT_JSON) };
	struct infile *F;
	int rc;

	if (m.payload == NULL)
		return (say_failed("out of memory"));
	if ((rc = infile_open(&F, path)) == 0) {
		rc = verify_open(F, by, T, &m);
		infile_close(F);
	}
	free(m.payload);
	return (rc);
}
