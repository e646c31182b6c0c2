#include "point_json.h"

#include <string.h>

#include "bounds.h"
#include "jsontext.h"

json_t *
point_encode(const struct point *p)
{
	return (json_pack("{s:I,s:I,s:I,s:i}", "epoch", (json_int_t)p->epoch, "seq", (json_int_t)p->seq,
	    "time", (json_int_t)p->time, "kind", (int)p->kind));
}

int
point_decode_any(struct point *p, const json_t *o)
{
	uint64_t time, kind;

	memset(p, 0, sizeof *p);
	p->kind = POINT_STANDARD;
	if (o == NULL)
		return (0);
	if (jsontext_get_number(o, "epoch", LIMIT_SEQ, &p->epoch) != 0 ||
	    jsontext_get_number(o, "seq", LIMIT_SEQ, &p->seq) != 0 ||
	    jsontext_get_number(o, "time", INT64_MAX, &time) != 0 ||
	    jsontext_get_number(o, "kind", POINT_FINAL, &kind) != 0 ||
	    (p->seq != 0 && (kind == 0 || p->epoch == 0)))
		return (-1);
	p->time = (int64_t)time;
	if (kind != 0)
		p->kind = (enum point_kind)kind;
	return (0);
}

int
point_decode(struct point *p, const json_t *o)
{
	return (o == NULL || point_decode_any(p, o) != 0 || p->seq == 0 ? -1 : 0);
}

json_t *
point_encode_text(const struct point *p)
{
	char time[POINT_TIME];

	point_time_text(time, p->time);
	return (json_pack("{s:I,s:I,s:s,s:s}", "epoch", (json_int_t)p->epoch, "seq", (json_int_t)p->seq,
	    "time", time, "kind", point_kind_text(p->kind)));
}

json_t *
point_encode_time(int64_t time)
{
	char text[POINT_TIME];

	if (time == 0)
		return (json_null());
	point_time_text(text, time);
	return (json_string(text));
}
