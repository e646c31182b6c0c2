#include "session/peer.h"

#include "base/say.h"

int
peer_open(struct site **S, const struct trust_entry **e, const char *home, const uint8_t key[RECORD_KEY])
{
	if ((*S = site_open(home)) == NULL)
		return (-1);
	*e = trust_by_key(site_trust(*S), key);
	if (*e != NULL && !trust_is_revoked(*e, key))
		return (0);
	site_close(*S);
	*S = NULL;
	return (say_refused("the keys of the other site do not count here any more"));
}
