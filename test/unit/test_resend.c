#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "session/resend.h"

/* A stream whose byte at each place is known. */
static uint8_t
byte(uint64_t place)
{
	return ((uint8_t)(place * 31 + (place >> 8) * 7 + (place >> 20)));
}

static void
add(struct resend *W, uint64_t n)
{
	static uint8_t buf[1 << 20];

	while (n > 0) {
		size_t some = n < sizeof buf ? (size_t)n : sizeof buf;

		for (size_t i = 0; i < some; i++)
			buf[i] = byte(resend_end(W) + i);
		resend_add(W, buf, some);
		n -= some;
	}
}

/* All that it says it has is what was sent. */
static void
check(const struct resend *W)
{
	const uint8_t *p;
	size_t n;

	for (uint64_t at = resend_start(W); at < resend_end(W); at += n) {
		n = resend_get(W, at, 100000, &p);
		cr_assert_gt(n, 0);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(p[i], byte(at + i), "at %zu", (size_t)at + i);
	}
}

Test(resend, has_what_was_sent_in_pieces_of_any_size)
{
	static const uint64_t sizes[] = { 1, 511, 65536, 1 << 20, 3, 999999, (1 << 20) - 1, 70000 };
	struct resend *W = resend_new();

	for (size_t i = 0; i < 40; i++)
		add(W, sizes[i % 8]);
	cr_assert_eq(resend_start(W), 0);
	check(W);
	resend_free(W);
}

Test(resend, forgets_the_oldest_when_it_is_full)
{
	struct resend *W = resend_new();

	add(W, RESEND_MOST);
	cr_assert_eq(resend_start(W), 0);
	add(W, 12345);
	cr_assert_eq(resend_start(W), 12345);
	cr_assert_eq(resend_end(W), RESEND_MOST + 12345);
	check(W);
	resend_free(W);
}

Test(resend, forgets_what_was_handed_on_but_for_a_margin)
{
	struct resend *W = resend_new();

	add(W, RESEND_MARGIN + 5000);
	resend_passed(W, RESEND_MARGIN - 1);
	cr_assert_eq(resend_start(W), 0);
	resend_passed(W, RESEND_MARGIN + 4000);
	cr_assert_eq(resend_start(W), 4000);
	/* Nobody has more than was sent, whatever he says; and what is forgotten does not come back. */
	resend_passed(W, UINT64_MAX);
	cr_assert_eq(resend_start(W), 5000);
	resend_passed(W, 1);
	cr_assert_eq(resend_start(W), 5000);
	check(W);
	resend_free(W);
}

/* --- records ------------------------------------------------------------------------------------------------ */

static uint8_t secret[RECORD_SECRET], key[RECORD_KEY];

/* A member with a payload of n bytes goes out: its record. */
static void
member(struct resend *W, enum record_type type, uint64_t number, uint64_t n, uint8_t raw[RECORD_SIZE])
{
	struct record R = { .type = type,
		.number = number,
		.plain = n,
		.stored = n,
		.extents = type == RECORD_SEGMENT ? 1 : 0,
		.span = type == RECORD_SEGMENT ? 4096 : 0 };
	size_t size = (size_t)frame_size(n);
	uint8_t *frame = calloc(1, size);

	if (type == RECORD_HEADER)
		memcpy(R.link, key, sizeof key);
	record_pack(raw, &R, secret);
	frame_head(frame, &R, raw);
	for (size_t at = 0; at < size; at += 1 << 20)
		resend_add(W, frame + at, size - at < 1 << 20 ? size - at : 1 << 20);
	free(frame);
}

Test(resend, finds_the_place_behind_a_record)
{
	struct resend *W = resend_new();
	uint8_t header[RECORD_SIZE], segment[RECORD_SIZE], last[RECORD_SIZE], other[RECORD_SIZE];
	uint64_t place;

	crypto_sign_ed25519_keypair(key, secret);
	cr_assert_eq(resend_behind(W, (const uint8_t[RECORD_SIZE]){ 0 }, &place), 1);
	member(W, RECORD_HEADER, 0, 700, header);
	member(W, RECORD_SEGMENT, 1, 100000, segment);
	member(W, RECORD_SEGMENT, 2, 5000, last);
	cr_assert_eq(resend_behind(W, header, &place), 0);
	cr_assert_eq(place, 0, "of a header it begins anew");
	cr_assert_eq(resend_behind(W, segment, &place), 0);
	cr_assert_eq(place, frame_size(700) + frame_size(100000));
	cr_assert_eq(resend_behind(W, last, &place), 0);
	cr_assert_eq(place, resend_end(W));
	memcpy(other, segment, sizeof other);
	other[200] ^= 1;
	cr_assert_eq(resend_behind(W, other, &place), 1, "it is another record");
	resend_free(W);
}

Test(resend, does_not_find_what_it_has_forgotten)
{
	struct resend *W = resend_new();
	uint8_t header[RECORD_SIZE], first[RECORD_SIZE], last[RECORD_SIZE];
	uint64_t place;

	crypto_sign_ed25519_keypair(key, secret);
	member(W, RECORD_HEADER, 0, 700, header);
	member(W, RECORD_SEGMENT, 1, 4 << 20, first);
	for (uint64_t i = 2; i < 30; i++)
		member(W, RECORD_SEGMENT, i, 4 << 20, last);
	cr_assert_eq(resend_behind(W, header, &place), 1);
	cr_assert_eq(resend_behind(W, first, &place), 1);
	cr_assert_eq(resend_behind(W, last, &place), 0);
	cr_assert_eq(place, resend_end(W));
	resend_free(W);
}
