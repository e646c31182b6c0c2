#ifndef TABLES_H_
#define TABLES_H_

/* The tables and texts of doc/ROLES.md, from the code that they are the words of. */

#include <stdio.h>
#include <string.h>

#include "role/table.h"

static inline int
has_state(enum role_side side, enum role_state s)
{
	if (side == ROLE_PRIMARY)
		return (s != ROLE_FAILOVER && s != ROLE_FAILED_OVER);
	return (s != ROLE_READY && s != ROLE_PREPARED);
}

/* Does it happen anywhere on that side? */
static inline int
has_event(enum role_side side, enum role_event e)
{
	for (int s = 1; s < ROLE_STATES; s++)
		if (table_cell(side, (enum role_state)s, e)->next != 0)
			return (1);
	return (0);
}

static inline const char *
cell_text(enum role_state s, int next)
{
	if (next == 0)
		return ("-");
	if (next == TABLE_BEFORE)
		return ("(before)");
	return (next == (int)s ? "=" : role_state_text((enum role_state)next));
}

static inline void
print_table(enum role_side side, const char *name)
{
	printf("<!-- table %s -->\n| |", name);
	for (int s = 1; s < ROLE_STATES; s++)
		if (has_state(side, (enum role_state)s))
			printf(" %s |", role_state_text((enum role_state)s));
	printf("\n|");
	for (int s = 0; s < ROLE_STATES; s++)
		if (s == 0 || has_state(side, (enum role_state)s))
			printf(" --- |");
	printf("\n");
	for (int e = 1; e < ROLE_EVENTS; e++) {
		if (!has_event(side, (enum role_event)e))
			continue;
		printf("| %s |", role_event_text((enum role_event)e));
		for (int s = 1; s < ROLE_STATES; s++)
			if (has_state(side, (enum role_state)s))
				printf(" %s |",
				    cell_text((enum role_state)s,
				        table_cell(side, (enum role_state)s, (enum role_event)e)->next));
		printf("\n");
	}
	printf("<!-- end -->\n");
}

static inline void
print_texts(enum role_side side, const char *name)
{
	printf("<!-- texts %s -->\n", name);
	for (int s = 1; s < ROLE_STATES; s++)
		if (has_state(side, (enum role_state)s))
			printf("- %s: %s\n", role_state_text((enum role_state)s),
			    table_default(side, (enum role_state)s));
	for (int e = 1; e < ROLE_EVENTS; e++)
		for (int s = 1; s < ROLE_STATES; s++) {
			const struct table_cell *c = table_cell(side, (enum role_state)s, (enum role_event)e);

			if (c->why != NULL)
				printf("- %s at %s: %s\n", role_event_text((enum role_event)e),
				    role_state_text((enum role_state)s), c->why);
		}
	printf("<!-- end -->\n");
}

static inline void
print_tables(void)
{
	print_table(ROLE_PRIMARY, "primary");
	print_texts(ROLE_PRIMARY, "primary");
	print_table(ROLE_REPLICA, "replica");
	print_texts(ROLE_REPLICA, "replica");
}

#endif
