/* A card that is taken is, up to its signature, the text that its fields have. */
#include <sodium.h>
#include <string.h>

#include "card.h"
#include "check.h"
#include "name.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[RECORD_SECRET];
	static const size_t signature = 2 * crypto_sign_BYTES + 1;
	char text[CARD_MAX];
	struct card C;

	if (card_decode(&C, (const char *)data, size) != NULL)
		return (0);
	CHECK(name_check(C.name) == NULL);
	CHECK(card_encode(text, &C, secret) == size && size < CARD_MAX);
	CHECK(memcmp(text, data, size - signature) == 0);
	return (0);
}
