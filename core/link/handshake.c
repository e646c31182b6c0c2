#include "link/handshake.h"

#include <sodium.h>
#include <string.h>

#define CONTEXT "vmferry 1 session\n"
#define KEY_CONTEXT "vmferry 1 session key\n"
#define SIGN_CONTEXT "vmferry 1 session caller\n" /* or called: of the same length */
#define SIGN_SIZE (sizeof SIGN_CONTEXT - 1)

static const char sign_contexts[][sizeof SIGN_CONTEXT] = { SIGN_CONTEXT, "vmferry 1 session called\n" };

void
handshake_begin(struct handshake *H, enum handshake_role role)
{
	memset(H, 0, sizeof *H);
	H->role = role;
	crypto_kx_keypair(H->own_public, H->own);
}

void
handshake_call(struct handshake *H, const uint8_t key[RECORD_KEY], const uint8_t box[CARD_BOX])
{
	memcpy(H->call, H->own_public, SESSION_KEY);
	memcpy(H->call + SESSION_KEY, key, RECORD_KEY);
	memcpy(H->hello, SESSION_MAGIC, strlen(SESSION_MAGIC));
	crypto_box_seal(H->hello + strlen(SESSION_MAGIC), H->call, SESSION_CALL, box);
}

const uint8_t *
handshake_claimed(const struct handshake *H)
{
	return (H->call + SESSION_KEY);
}

/* So the keys are of this very conversation, and of nothing that looks like it. */
static void
bind(const struct handshake *H, uint8_t key[32])
{
	crypto_generichash_state s;

	crypto_generichash_init(&s, key, 32, 32);
	crypto_generichash_update(&s, (const uint8_t *)KEY_CONTEXT, strlen(KEY_CONTEXT));
	crypto_generichash_update(&s, H->transcript, sizeof H->transcript);
	crypto_generichash_final(&s, key, 32);
	sodium_memzero(&s, sizeof s);
}

int
handshake_agree(struct handshake *H, const uint8_t answer[SESSION_KEY], uint8_t receive[32], uint8_t send[32])
{
	crypto_generichash_state s;
	int rc;

	crypto_generichash_init(&s, NULL, 0, sizeof H->transcript);
	crypto_generichash_update(&s, (const uint8_t *)CONTEXT, strlen(CONTEXT));
	crypto_generichash_update(&s, H->hello, sizeof H->hello);
	crypto_generichash_update(&s, H->call, sizeof H->call);
	crypto_generichash_update(&s, answer, SESSION_KEY);
	crypto_generichash_final(&s, H->transcript, sizeof H->transcript);
	if (H->role == HANDSHAKE_CALLER)
		rc = crypto_kx_client_session_keys(receive, send, H->own_public, H->own, answer);
	else
		rc = crypto_kx_server_session_keys(receive, send, H->own_public, H->own, H->call);
	sodium_memzero(H->own, sizeof H->own);
	if (rc != 0)
		return (-1);
	bind(H, receive);
	bind(H, send);
	return (0);
}

/* What the side of that role signs: the transcript, who it is, and with whom it speaks. */
static void
message(const struct handshake *H, enum handshake_role role, const uint8_t signer[RECORD_KEY],
    const uint8_t other[RECORD_KEY], uint8_t m[SIGN_SIZE + 64 + 2 * RECORD_KEY])
{
	memcpy(m, sign_contexts[role], SIGN_SIZE);
	memcpy(m + SIGN_SIZE, H->transcript, 64);
	memcpy(m + SIGN_SIZE + 64, signer, RECORD_KEY);
	memcpy(m + SIGN_SIZE + 64 + RECORD_KEY, other, RECORD_KEY);
}

void
handshake_prove(const struct handshake *H, uint8_t proof[SESSION_PROOF], const uint8_t secret[RECORD_SECRET],
    const uint8_t other[RECORD_KEY])
{
	uint8_t m[SIGN_SIZE + 64 + 2 * RECORD_KEY];

	crypto_sign_ed25519_sk_to_pk(proof, secret);
	message(H, H->role, proof, other, m);
	crypto_sign_detached(proof + RECORD_KEY, NULL, m, sizeof m, secret);
}

int
handshake_check(const struct handshake *H, const uint8_t proof[SESSION_PROOF], const uint8_t own[RECORD_KEY])
{
	uint8_t m[SIGN_SIZE + 64 + 2 * RECORD_KEY];

	message(H, H->role == HANDSHAKE_CALLER ? HANDSHAKE_CALLED : HANDSHAKE_CALLER, proof, own, m);
	return (crypto_sign_verify_detached(proof + RECORD_KEY, m, sizeof m, proof));
}
