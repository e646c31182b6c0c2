#include "schedule/queue.h"

#include <stdlib.h>

int
queue_reserve(struct queue *q, unsigned n)
{
	struct queue_item **more;
	unsigned room = q->room == 0 ? 16 : q->room;

	while (room < n)
		room *= 2;
	if (room == q->room)
		return (0);
	if ((more = reallocarray(q->items, room, sizeof(void *))) == NULL)
		return (-1);
	q->items = more;
	q->room = room;
	return (0);
}

void
queue_free(struct queue *q)
{
	free(q->items);
	*q = (struct queue){ 0 };
}

static void
put(struct queue *q, unsigned at, struct queue_item *i)
{
	q->items[at] = i;
	i->at = at;
}

void
queue_sooner(struct queue *q, struct queue_item *i)
{
	unsigned at = i->at;

	for (; at > 0 && q->items[(at - 1) / 2]->due > i->due; at = (at - 1) / 2)
		put(q, at, q->items[(at - 1) / 2]);
	put(q, at, i);
}

static void
sink(struct queue *q, struct queue_item *i)
{
	unsigned at = i->at, child;

	while ((child = 2 * at + 1) < q->n) {
		if (child + 1 < q->n && q->items[child + 1]->due < q->items[child]->due)
			child++;
		if (q->items[child]->due >= i->due)
			break;
		put(q, at, q->items[child]);
		at = child;
	}
	put(q, at, i);
}

void
queue_append(struct queue *q, struct queue_item *i)
{
	put(q, q->n++, i);
}

void
queue_push(struct queue *q, struct queue_item *i)
{
	queue_append(q, i);
	queue_sooner(q, i);
}

/* The last one takes its place. */
void
queue_take(struct queue *q, struct queue_item *i)
{
	struct queue_item *last = q->items[--q->n];

	if (last != i)
		put(q, i->at, last);
}

void
queue_pull(struct queue *q, struct queue_item *i)
{
	struct queue_item *last = q->items[q->n - 1];

	queue_take(q, i);
	if (last == i)
		return;
	queue_sooner(q, last);
	sink(q, last);
}
