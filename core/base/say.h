#ifndef SAY_H_
#define SAY_H_

/*
 * Words to the person, on standard error.  An error is said once, where path and offset are known, and
 * passed up as -1 (the system failed) or 1 (the answer is no).  Whatever came from outside is made printable.
 */
#include <stdint.h>

/* Take the program's name for the words, and set the process up: libsodium, signals, umask. */
void say_init(const char *program);

/**
 * From now on words go to fd, which becomes standard error and stays the caller's: 0; -1, unsaid.  Where standard error
 * is the journal (systemd.exec(5), $JOURNAL_STREAM), each line begins with its level, as sd-daemon(3) has it.
 */
int say_to(int fd);

/* Lets the two below be used for their words alone, while compilers and checkers see the constant. */
static inline int
say_result(int rc)
{
	return (rc);
}

/* The system failed: say why, and give -1. */
#define say_failed(...) say_result((say_failure(__VA_ARGS__), -1))
void say_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The answer is no: say why, and give 1. */
#define say_refused(...) say_result((say_refusal(__VA_ARGS__), 1))
void say_refusal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Was that line of standard error said by this program? */
int say_is_own(const char *line);

/* The start of what was last said by one of the two above, in this process; "" if nothing was. */
#define SAY_LAST 256u
void say_last(char out[SAY_LAST]);

/* Is there a person at a terminal to be asked?  And the question: 1 for yes, 0 for anything else. */
int say_has_person(void);
int say_ask(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Something the person should know. */
void say_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a verb that returned rc comes to: 0, 1 for 1, 3 for -1.  As the exit status, standard output is flushed first. */
int say_status(int rc);
int say_exit(int rc);

/* Progress of long work, shown on a terminal and nowhere else. */
struct progress {
	const char *what;
	uint64_t total; /* bytes; 0 if not known */
	uint64_t done;
	int64_t started, shown; /* milliseconds */
	int on;
};

void progress_start(struct progress *P, const char *what, uint64_t total);
void progress_add(struct progress *P, uint64_t bytes);
void progress_end(struct progress *P);

#endif
