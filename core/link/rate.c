#include "link/rate.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/say.h"

#define SECOND INT64_C(1000000000)
#define BURST (SECOND / 4)                  /* what may go at once after a rest */
#define MOST (INT64_C(30) * 86400 * SECOND) /* as far ahead as anything is reserved */

/* Times in nanoseconds of clock_ms. */
struct rate {
	_Atomic uint64_t bytes;
	_Atomic int64_t next; /* when all that was reserved has gone out, at that rate */
};

struct rate *
rate_new(uint64_t bytes)
{
	struct rate *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (r == MAP_FAILED) {
		say_failed("out of memory");
		return (NULL);
	}
	atomic_init(&r->bytes, bytes);
	atomic_init(&r->next, 0);
	return (r);
}

void
rate_free(struct rate *r)
{
	if (r != NULL)
		munmap(r, sizeof *r);
}

void
rate_set(struct rate *r, uint64_t bytes)
{
	/* What was reserved at the rate before does not hold up the new one. */
	if (atomic_exchange(&r->bytes, bytes) != bytes)
		atomic_store(&r->next, 0);
}

/* How long n bytes take. */
static int64_t
time_for(size_t n, uint64_t bytes)
{
	const uint64_t most = UINT64_C(1) << 32;
	uint64_t t = (n < most ? n : most) * (uint64_t)SECOND / bytes;

	return (t < (uint64_t)MOST ? (int64_t)t : MOST);
}

int64_t
rate_reserve(struct rate *r, size_t n, int64_t now)
{
	uint64_t bytes = r == NULL ? 0 : atomic_load(&r->bytes);
	int64_t ns = now * (SECOND / 1000), next, begin, end, wait;

	if (bytes == 0)
		return (0);
	next = atomic_load(&r->next);
	do {
		begin = next > ns ? next : ns;
		end = begin + time_for(n, bytes);
		if (end > ns + MOST)
			end = ns + MOST;
	} while (!atomic_compare_exchange_weak(&r->next, &next, end));
	wait = begin - ns - BURST;
	return (wait <= 0 ? 0 : (wait + SECOND / 1000 - 1) / (SECOND / 1000));
}
