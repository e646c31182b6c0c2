#include "site/signer.h"

int
signer_header(const struct trust *T, struct reader *R, struct member *m, const struct header **H,
    const struct trust_entry **e)
{
	char words[TRUST_WORDS];
	const char *why;
	int rc;

	if ((*e = trust_by_key(T, reader_key(R))) == NULL)
		return (SIGNER_UNKNOWN);
	if ((rc = reader_header(R, m, H)) != 0)
		return (rc);
	if ((why = trust_objection(*e, reader_key(R), (*H)->created, words)) == NULL)
		return (0);
	reader_refuse(R, NULL, why);
	return (1);
}
