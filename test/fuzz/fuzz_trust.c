/* A trust file that is taken encodes to one that holds the same entries; else the number is that of a line. */
#include <string.h>

#include "check.h"
#include "name.h"
#include "site/trust.h"

static void
check_again(const struct trust *T)
{
	char *text = trust_encode(T), *second;
	struct trust again;

	CHECK(text != NULL && trust_decode(&again, text) == 0 && again.n == T->n);
	for (size_t i = 0; i < T->n; i++) {
		const struct trust_entry *a = &T->entries[i], *b = &again.entries[i];

		CHECK(name_check(a->card.name) == NULL && strcmp(a->card.name, b->card.name) == 0);
		CHECK(memcmp(a->card.sign, b->card.sign, RECORD_KEY) == 0);
		CHECK(memcmp(a->card.box, b->card.box, CARD_BOX) == 0);
		CHECK(strcmp(a->vm, b->vm) == 0 && strcmp(a->store, b->store) == 0);
		CHECK(
		    a->nearlier == b->nearlier && a->version == b->version && a->is_revoked == b->is_revoked);
		CHECK(memcmp(a->earlier, b->earlier, a->nearlier * sizeof *a->earlier) == 0);
		CHECK(memcmp(a->digest, b->digest, KEYLIST_DIGEST) == 0 && a->cutoff == b->cutoff);
		CHECK(a->max_size == b->max_size && (a->store[0] == '\0' || a->store[0] == '/'));
	}
	CHECK((second = trust_encode(&again)) != NULL && strcmp(text, second) == 0);
	free(second);
	free(text);
	trust_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct trust T;
	int bad, lines = 1;

	CHECK(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	bad = trust_decode(&T, text);
	CHECK(bad >= 0 && bad <= lines);
	if (bad == 0)
		check_again(&T);
	trust_free(&T);
	free(text);
	return (0);
}
