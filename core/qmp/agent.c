#include "qmp/agent.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "qmp/client.h"

#define SYNC 2000    /* milliseconds for it to say that it is there */
#define FREEZE 20000 /* to write all that the guest holds */
#define THAW 5000
#define THAW_TURNS 3 /* of SYNC each, if it is busy with something else */

struct agent {
	struct client *client;
	json_int_t last; /* the number of the last synchronization */
};

/* The answer to what was sent: 0, *answer being the caller's; 1, with why. */
static int
receive(struct agent *A, int milliseconds, json_t **answer, char why[AGENT_WHY])
{
	const char *words;
	json_t *J;
	int rc = client_receive(A->client, milliseconds, &J);

	*answer = NULL;
	if (rc != 0) {
		snprintf(why, AGENT_WHY, "%s",
		    rc == CLIENT_LATE ? "the guest's agent does not answer"
		                      : "the connection to the guest's agent is gone");
		return (1);
	}
	if ((*answer = json_incref(json_object_get(J, "return"))) == NULL) {
		words = json_string_value(json_object_get(json_object_get(J, "error"), "desc"));
		snprintf(why, AGENT_WHY, "the guest's agent: %s", words == NULL ? "no reason" : words);
		rc = 1;
	}
	json_decref(J);
	return (rc);
}

static int
order(struct agent *A, const char *command, int milliseconds, json_t **answer, char why[AGENT_WHY])
{
	if (client_send(A->client, "", json_pack("{s:s}", "execute", command), -1) == 0)
		return (receive(A, milliseconds, answer, why));
	*answer = NULL;
	snprintf(why, AGENT_WHY, "the guest's agent takes no more");
	return (1);
}

/* Whatever was said before, by us or another, is over when it repeats our number. */
static int
synchronize(struct agent *A, char why[AGENT_WHY])
{
	int64_t until = clock_ms() + SYNC, left;
	json_t *o, *J;
	json_int_t is;

	A->last++;
	o = json_pack("{s:s,s:{s:I}}", "execute", "guest-sync-delimited", "arguments", "id", A->last);
	/* That byte has the agent forget a command that was begun and not ended. */
	if (client_send(A->client, "\xff", o, -1) != 0) {
		snprintf(why, AGENT_WHY, "the guest's agent takes no more");
		return (1);
	}
	while ((left = until - clock_ms()) > 0) {
		is = receive(A, (int)left, &J, why) == 0 && json_is_integer(J) ? json_integer_value(J) : 0;
		json_decref(J);
		if (is == A->last)
			return (0);
	}
	snprintf(
	    why, AGENT_WHY, "the guest's agent does not answer: it is not installed, or not started yet");
	return (1);
}

int
agent_open(struct agent **out, const char *path, char why[AGENT_WHY])
{
	struct agent *A = calloc(1, sizeof *A);
	int rc = 1;

	*out = NULL;
	if (A == NULL || client_open(&A->client, path) != 0)
		snprintf(why, AGENT_WHY, "nobody listens at the agent's socket %.100s", path);
	else {
		A->last = (json_int_t)getpid() << 20;
		rc = synchronize(A, why);
	}
	if (rc == 0)
		*out = A;
	else
		agent_close(A);
	return (rc);
}

void
agent_close(struct agent *A)
{
	if (A == NULL)
		return;
	client_close(A->client);
	free(A);
}

int
agent_is_frozen(struct agent *A)
{
	char why[AGENT_WHY];
	json_t *J;
	const char *s;
	int is;

	order(A, "guest-fsfreeze-status", SYNC, &J, why);
	s = json_string_value(J);
	is = s != NULL && strcmp(s, "frozen") == 0;
	json_decref(J);
	return (is);
}

int
agent_freeze(struct agent *A, char why[AGENT_WHY])
{
	json_t *J;
	int rc = order(A, "guest-fsfreeze-freeze", FREEZE, &J, why);

	if (rc == 0 && json_integer_value(J) == 0) {
		snprintf(why, AGENT_WHY, "the guest has no file system that can be frozen");
		rc = 1;
	}
	json_decref(J);
	return (rc);
}

static int
thaw(struct agent *A, char why[AGENT_WHY])
{
	json_t *J;
	int rc = order(A, "guest-fsfreeze-thaw", THAW, &J, why);

	if (rc == 0 && json_integer_value(J) == 0) {
		snprintf(why, AGENT_WHY, "the guest had thawed its file systems before its time");
		rc = 1;
	}
	json_decref(J);
	return (rc);
}

int
agent_thaw(struct agent *A, char why[AGENT_WHY])
{
	/* A freeze that takes too long may be answered yet: that answer is not this one's. */
	for (int turn = 0; turn < THAW_TURNS; turn++)
		if (synchronize(A, why) == 0)
			return (thaw(A, why));
	/* When it gets to that, it will. */
	thaw(A, why);
	return (1);
}

void
agent_take_over(struct agent *A)
{
	A->last += 1 << 10;
	client_resume(A->client);
}
