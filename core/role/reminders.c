#include "role/reminders.h"

#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "jsontext.h"

json_t *
reminders_encode(const struct reminders *m)
{
	json_t *o = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "since", (json_int_t)m->since, "dns",
	    (json_int_t)m->dns, "network", (json_int_t)m->network, "tested", (json_int_t)m->tested,
	    "test_every", (json_int_t)m->test_every, "asked", (json_int_t)m->asked, "missing", m->missing);
	int bad = 0;

	if (m->script[0] != '\0')
		bad |= json_object_set_new(o, "script", json_string(m->script));
	if (reminders_has_home(m))
		bad |= jsontext_set_bytes(o, "home", m->home, RECORD_KEY);
	return (jsontext_whole(o, bad));
}

static int
get_time(const json_t *o, const char *key, int64_t *time)
{
	uint64_t v;

	if (jsontext_get_number(o, key, INT64_MAX, &v) != 0)
		return (-1);
	*time = (int64_t)v;
	return (0);
}

int
reminders_decode(struct reminders *m, const json_t *o)
{
	memset(m, 0, sizeof *m);
	if (o == NULL)
		return (0);
	return (get_time(o, "since", &m->since) != 0 ||
	                jsontext_get_number(o, "dns", LIMIT_SEQ, &m->dns) != 0 ||
	                get_time(o, "network", &m->network) != 0 || get_time(o, "tested", &m->tested) != 0 ||
	                jsontext_get_number(o, "test_every", LIMIT_SEQ, &m->test_every) != 0 ||
	                get_time(o, "asked", &m->asked) != 0 ||
	                jsontext_get_string(o, "missing", m->missing, sizeof m->missing) != 0 ||
	                jsontext_find_string(o, "script", m->script, sizeof m->script) != 0 ||
	                (json_object_get(o, "home") != NULL &&
	                    jsontext_get_bytes(o, "home", m->home, RECORD_KEY) != 0)
	            ? -1
	            : 0);
}

int
reminders_has_home(const struct reminders *m)
{
	static const uint8_t none[RECORD_KEY];

	return (memcmp(m->home, none, RECORD_KEY) != 0);
}

void
reminders_settle_home(struct reminders *m, unsigned turns, const uint8_t key[RECORD_KEY])
{
	if (!reminders_has_home(m) && turns == 0)
		memcpy(m->home, key, RECORD_KEY);
}

void
reminders_turned(struct reminders *m, int64_t now)
{
	m->since = now;
	m->asked = 0;
	m->missing[0] = '\0';
}

void
reminders_networks(struct reminders *m, const char *const names[], unsigned n, int64_t now)
{
	size_t used = 0;

	m->asked = now;
	m->missing[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		size_t length = strlen(names[i]);

		if (used + length + 16 > sizeof m->missing) {
			snprintf(m->missing + used, sizeof m->missing - used, "%s%u more", i == 0 ? "" : ", ",
			    n - i);
			return;
		}
		used += (size_t)snprintf(
		    m->missing + used, sizeof m->missing - used, "%s%s", i == 0 ? "" : ", ", names[i]);
	}
}
