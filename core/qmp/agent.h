#ifndef AGENT_H_
#define AGENT_H_

/*
 * The guest agent (qemu-ga), by the socket of its channel.  It speaks with one program at a time, and not at all while
 * the guest does not run it; so nothing here is an error of ours: what it cannot do is told in words.
 */
struct agent;

#define AGENT_WHY 160u

/* Connect, and see that the agent answers: 0, *A being the caller's to close; 1, with why. */
int agent_open(struct agent **A, const char *path, char why[AGENT_WHY]);
void agent_close(struct agent *A);

/* Are the guest's file systems frozen?  1 or 0, 0 also if nobody can say. */
int agent_is_frozen(struct agent *A);

/* Have the guest write all that it holds and freeze its file systems: 0; 1, with why: they are to be thawed even so. */
int agent_freeze(struct agent *A, char why[AGENT_WHY]);

/* Thaw them: 0; 1, with why, if that did not work or they were not frozen any more. */
int agent_thaw(struct agent *A, char why[AGENT_WHY]);

/* Go on in the place of another process of ours that had the same connection and is dead. */
void agent_take_over(struct agent *A);

#endif
