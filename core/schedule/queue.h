#ifndef QUEUE_H_
#define QUEUE_H_

#include <stdint.h>

/*
 * Items that wait for their time: as a heap, whose first one is due first, or as a list in any order.  An item is in one of
 * them at most, and knows its place there.
 */
struct queue_item {
	int64_t due;
	unsigned at;
};

struct queue {
	struct queue_item **items;
	unsigned n, room;
};

/* Room for n items: 0; -1: no memory.  The functions below need it. */
int queue_reserve(struct queue *q, unsigned n);
void queue_free(struct queue *q);

/* As a heap.  queue_sooner: the item's due has become earlier. */
void queue_push(struct queue *q, struct queue_item *i);
void queue_pull(struct queue *q, struct queue_item *i);
void queue_sooner(struct queue *q, struct queue_item *i);

/* As a list. */
void queue_append(struct queue *q, struct queue_item *i);
void queue_take(struct queue *q, struct queue_item *i);

#endif
