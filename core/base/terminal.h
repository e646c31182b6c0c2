#ifndef TERMINAL_H_
#define TERMINAL_H_

/* What text for a person may look like, where it goes. */
struct terminal {
	int is_one;       /* else a file or pipe, for which the rest is fixed */
	unsigned columns; /* 100 where it is none; 80 where it does not say */
	unsigned rows;    /* 0: as many as it takes */
	int has_colour;   /* but for NO_COLOR in the environment, and TERM=dumb */
};

#define TERMINAL_PIPE 100u
#define TERMINAL_LEAST 20u

/* Of the terminal at that descriptor; $COLUMNS and $LINES where it does not say. */
struct terminal terminal_of(int fd);

#endif
