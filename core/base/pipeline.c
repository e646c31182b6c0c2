#include "base/pipeline.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/say.h"
#include "base/stop.h"

#define THREADS_MAX 64u

struct run {
	const struct pipeline *P;
	pthread_mutex_t lock;
	pthread_cond_t change;
	void **slots;
	unsigned char *is_done; /* by slot: worked on, to be drained */
	size_t nslots;
	size_t filled, drained; /* slots since the start; filled - drained <= nslots */
	int filling, draining, ended;
	int rc;
};

unsigned
pipeline_threads(void)
{
	cpu_set_t set;
	int n = 1;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = CPU_COUNT(&set);
	return (n < 1 ? 1 : n > (int)THREADS_MAX ? THREADS_MAX : (unsigned)n);
}

/* The lock is held on entry to and exit from each of these, and released around the step. */
static void
finish(struct run *r, int rc)
{
	if (rc != 0 && r->rc == 0)
		r->rc = rc;
	pthread_cond_broadcast(&r->change);
}

static void
drain(struct run *r)
{
	size_t i = r->drained % r->nslots;
	int rc;

	r->draining = 1;
	pthread_mutex_unlock(&r->lock);
	rc = r->P->drain(r->P->context, r->slots[i]);
	pthread_mutex_lock(&r->lock);
	r->draining = 0;
	r->is_done[i] = 0;
	r->drained++;
	finish(r, rc);
}

static void
fill_and_work(struct run *r)
{
	size_t i = r->filled % r->nslots;
	int rc;

	r->filling = 1;
	pthread_mutex_unlock(&r->lock);
	if ((rc = stop_check()) == 0)
		rc = r->P->fill(r->P->context, r->slots[i]);
	pthread_mutex_lock(&r->lock);
	r->filling = 0;
	if (rc == 1)
		r->ended = 1;
	if (rc != 0) {
		finish(r, rc == 1 ? 0 : rc);
		return;
	}
	r->filled++;
	pthread_cond_broadcast(&r->change);
	pthread_mutex_unlock(&r->lock);
	rc = r->P->work(r->P->context, r->slots[i]);
	pthread_mutex_lock(&r->lock);
	r->is_done[i] = 1;
	finish(r, rc);
}

static void *
worker(void *arg)
{
	struct run *r = arg;

	pthread_mutex_lock(&r->lock);
	while (r->rc == 0 && !(r->ended && r->drained == r->filled)) {
		if (!r->draining && r->drained < r->filled && r->is_done[r->drained % r->nslots])
			drain(r);
		else if (!r->filling && !r->ended && r->filled - r->drained < r->nslots)
			fill_and_work(r);
		else
			pthread_cond_wait(&r->change, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return (NULL);
}

static int
run_threads(struct run *r, unsigned n)
{
	pthread_t threads[THREADS_MAX];
	unsigned started = 0;

	/* The caller is one of them; with fewer than asked for the work is only slower. */
	while (started + 1 < n && pthread_create(&threads[started], NULL, worker, r) == 0)
		started++;
	worker(r);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	return (r->rc);
}

int
pipeline_run(const struct pipeline *P)
{
	unsigned n = pipeline_threads();
	struct run r = { .P = P, .nslots = 2 * (size_t)n + 1, .rc = 0 };
	int rc = -1;

	pthread_mutex_init(&r.lock, NULL);
	pthread_cond_init(&r.change, NULL);
	r.slots = calloc(r.nslots, sizeof *r.slots);
	r.is_done = calloc(r.nslots, 1);
	if (r.slots == NULL || r.is_done == NULL) {
		say_failed("out of memory");
		goto done;
	}
	for (size_t i = 0; i < r.nslots; i++)
		if (P->make(P->context, &r.slots[i]) != 0)
			goto done;
	rc = run_threads(&r, n);
done:
	for (size_t i = 0; r.slots != NULL && i < r.nslots; i++)
		P->drop(r.slots[i]);
	free(r.slots);
	free(r.is_done);
	pthread_cond_destroy(&r.change);
	pthread_mutex_destroy(&r.lock);
	return (rc);
}
