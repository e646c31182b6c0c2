#ifndef TABLE_H_
#define TABLE_H_

#include "role/role.h"

/* The table of doc/ROLES.md, as it stands there. */
#define TABLE_BEFORE ROLE_STATES /* what it was before it was suspended, disabled or failed over */

struct table_cell {
	int next;        /* a state, or TABLE_BEFORE; 0: refused */
	const char *why; /* then; NULL: what is said of the state in general */
};

/* What comes of that event in that state: for ever valid. */
const struct table_cell *table_cell(enum role_side side, enum role_state state, enum role_event event);

/* What is said of a state where something is refused in it. */
const char *table_default(enum role_side side, enum role_state state);

#endif
