#include "replica/combined.h"

#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "bundle/proof.h"

struct combined {
	const struct replica *R;
	const struct site *S;
	int is_new, is_proven;
	struct proof proof;
};

const char *
combined_unseal(
    const struct site *S, const struct header *H, struct segment_crypt parts[LIMIT_PARTS], struct unpack *U)
{
	const char *why = NULL;

	for (unsigned i = 0; why == NULL && i < H->nparts; i++) {
		parts[i].cipher = H->parts[i].cipher;
		memcpy(parts[i].bundle, H->parts[i].id, RECORD_ID);
		why = site_unseal_part(S, &H->parts[i], parts[i].key);
	}
	U->parts = H->nparts > 0 ? parts : NULL;
	return (why);
}

struct combined *
combined_new(const struct replica *R, const struct site *S, int is_new)
{
	struct combined *C = calloc(1, sizeof *C);

	if (C == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	C->R = R;
	C->S = S;
	C->is_new = is_new;
	return (C);
}

void
combined_free(struct combined *C)
{
	free(C);
}

/* Where it leads must be the word of the VM's primary, with whatever key it had. */
static const char *
prove(struct combined *C, const struct header *H, char words[TRUST_WORDS])
{
	const struct trust_entry *e = trust_by_key(site_trust(C->S), C->R->key);
	const uint8_t *key = proof_key(&C->proof);
	const char *why;

	if (C->proof.n != PROOF_BLOBS)
		return ("a combined delta comes without its proof");
	if (e == NULL ? memcmp(key, C->R->key, RECORD_KEY) != 0 : !trust_has_key(e, key))
		return (
		    "the proof of a combined delta is signed with another key than that of the VM's primary");
	if ((why = proof_check(&C->proof, key, H)) != NULL)
		return (why);
	C->is_proven = 1;
	return (e == NULL || !C->is_new ? NULL : trust_objection(e, key, C->proof.header.created, words));
}

int
combined_take(struct combined *C, const struct reader *reader, const struct unpacked *u)
{
	const struct record *R = &u->member.record;
	const struct header *H = reader_get_header(reader);
	char words[TRUST_WORDS];
	const char *why = NULL;

	if (H->nparts == 0)
		return (0);
	if (R->type == RECORD_BLOB)
		why = proof_take(&C->proof, R, u->member.payload);
	/* A later volume by itself has no blobs; nothing is merged without the first. */
	else if (!C->is_proven && R->type != RECORD_VOLUME && reader_volume(reader)->number == 1)
		why = prove(C, H, words);
	if (why == NULL && C->is_proven && R->type == RECORD_END)
		why = proof_check_end(&C->proof, reader_trailer(reader));
	return (why == NULL ? 0 : reader_refuse(reader, NULL, why));
}
