#include "replica/missing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replica/intake.h"

#define TEXT 512u
#define NAMED 8u /* volumes that are named one by one */

/* The volumes that are not here, of those that are known to exist. */
static void
list_volumes(const struct replica_staged *s, char out[TEXT])
{
	uint32_t next = 1, most = s->has_end ? s->end.volumes : s->volumes[s->nvolumes - 1].chain.number;
	unsigned n = 0, i = 0;
	size_t used = 0;

	out[0] = '\0';
	for (; next <= most && n < NAMED; next++) {
		while (i < s->nvolumes && s->volumes[i].chain.number < next)
			i++;
		if (i < s->nvolumes && s->volumes[i].chain.number == next)
			continue;
		used +=
		    (size_t)snprintf(out + used, TEXT / 2 - used, "%s%" PRIu32, n++ > 0 ? ", " : "", next);
	}
	if (!s->has_end)
		snprintf(out + used, TEXT / 2 - used, "%sthose after %" PRIu32, n > 0 ? ", and " : "", most);
}

static int
say_volumes(const struct replica_staged *s, void (*each)(void *context, const char *text), void *context)
{
	char text[TEXT], list[TEXT];

	if (s->is_whole || s->nvolumes == 0)
		return (0);
	list_volumes(s, list);
	snprintf(text, sizeof text, "of the %s to point %" PRIu64 ", %u volumes are here; missing: %.255s",
	    header_type_text(s->type), s->to.seq, s->nvolumes, list);
	each(context, text);
	return (1);
}

static int
say_cut(const struct replica_staged *s, void (*each)(void *context, const char *text), void *context)
{
	char text[TEXT];

	if (s->cut == 0)
		return (0);
	snprintf(text, sizeof text,
	    "volume %" PRIu32 " of the %s to point %" PRIu64
	    " was cut short; 'vmferry import --position' says where",
	    s->cut, header_type_text(s->type), s->to.seq);
	each(context, text);
	return (1);
}

int
missing_each(const struct replica *R, void (*each)(void *context, const char *text), void *context)
{
	struct point end, next;
	char text[TEXT];
	int any = 0;

	for (unsigned i = 0; i < R->nstaged; i++) {
		any |= say_volumes(&R->staged[i], each, context);
		any |= say_cut(&R->staged[i], each, context);
	}
	if (!intake_gap(R, &end, &next))
		return (any);
	if (end.seq == 0)
		snprintf(text, sizeof text, "a delta from point %" PRIu64 " waits for a seed", next.seq);
	else
		snprintf(text, sizeof text,
		    "a delta from point %" PRIu64 " waits: nothing is here that leads from point %" PRIu64
		    " to point %" PRIu64 "; bring it, or export with --since %" PRIu64,
		    next.seq, end.seq, next.seq, end.seq);
	each(context, text);
	return (1);
}
