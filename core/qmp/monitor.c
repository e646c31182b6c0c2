#include "qmp/monitor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"

#define GREETING 5000 /* milliseconds; it comes at once, if QEMU is not speaking with somebody else */
#define ANSWER 30000 /* and for what it is told to do: a transaction waits for what the guest has under way */
#define WORDS 512u

struct monitor {
	char path[PATH_MAX];
	struct client *client;
	unsigned version;
	uint64_t last; /* the number of the last command */
	int is_lost;   /* said */
	struct monitor_seen seen;
	char words[WORDS];
};

/* --- what comes in ---------------------------------------------------------------------------------------- */

static void
note_event(struct monitor *M, const char *event, const json_t *data)
{
	const char *reason = json_string_value(json_object_get(data, "reason"));

	if (strcmp(event, "SHUTDOWN") == 0)
		snprintf(
		    M->seen.shutdown, sizeof M->seen.shutdown, "%s", reason == NULL ? "unknown" : reason);
	if (strcmp(event, "BLOCK_IO_ERROR") == 0 && json_is_true(json_object_get(data, "nospace")))
		M->seen.is_disk_full = 1;
}

/* The next object that is no event: as client_receive. */
static int
receive(struct monitor *M, int64_t until, json_t **out)
{
	const char *event;
	int rc;

	for (;;) {
		int64_t left = until - clock_ms();

		if ((rc = client_receive(M->client, left < 0 ? 0 : (int)left, out)) != 0)
			return (rc);
		if ((event = json_string_value(json_object_get(*out, "event"))) == NULL)
			return (0);
		note_event(M, event, json_object_get(*out, "data"));
		json_decref(*out);
	}
}

static int
lost(struct monitor *M, int rc)
{
	M->is_lost = 1;
	if (rc == CLIENT_GONE)
		return (say_failed("%s: QEMU is gone", M->path));
	if (rc == CLIENT_LATE)
		return (say_failed("%s: QEMU does not answer in %d seconds", M->path, ANSWER / 1000));
	return (-1);
}

/* --- commands --------------------------------------------------------------------------------------------- */

/* The answer to the command of that number; those to earlier ones were nobody's. */
static int
answer_to(struct monitor *M, uint64_t number, json_t **out)
{
	int64_t until = clock_ms() + ANSWER;
	uint64_t is;
	int rc;

	while ((rc = receive(M, until, out)) == 0) {
		is = (uint64_t)json_integer_value(json_object_get(*out, "id"));
		if (is == number)
			return (0);
		json_decref(*out);
	}
	*out = NULL;
	return (lost(M, rc));
}

/* 0; 1, the words being kept, if it says no; -1. */
static int
judge(struct monitor *M, const char *command, const json_t *J, json_t **answer)
{
	const json_t *error = json_object_get(J, "error");
	const char *words = json_string_value(json_object_get(error, "desc"));

	if (error != NULL) {
		snprintf(M->words, sizeof M->words, "%s: %s", command, words == NULL ? "no reason" : words);
		return (1);
	}
	if (answer != NULL && (*answer = json_incref(json_object_get(J, "return"))) == NULL)
		return (say_failed("%s: QEMU answers %s with nothing", M->path, command));
	return (0);
}

static int
order(struct monitor *M, const char *command, json_t *arguments, int fd, json_t **answer)
{
	json_t *J, *o;
	int rc;

	if (answer != NULL)
		*answer = NULL;
	if (M->is_lost) {
		json_decref(arguments);
		return (-1);
	}
	o = json_pack(
	    "{s:s,s:I,s:o*}", "execute", command, "id", (json_int_t)++M->last, "arguments", arguments);
	if (client_send(M->client, "", o, fd) != 0)
		return (lost(M, -1));
	if (answer_to(M, M->last, &J) != 0)
		return (-1);
	rc = judge(M, command, J, answer);
	json_decref(J);
	return (rc);
}

int
monitor_ask(struct monitor *M, const char *command, json_t *arguments, json_t **answer)
{
	return (order(M, command, arguments, -1, answer));
}

int
monitor_give(struct monitor *M, const char *command, json_t *arguments, int fd)
{
	return (order(M, command, arguments, fd, NULL));
}

int
monitor_must(struct monitor *M, const char *command, json_t *arguments, json_t **answer)
{
	int rc = order(M, command, arguments, -1, answer);

	return (rc == 1 ? say_failed("%s: QEMU says no to %s", M->path, M->words) : rc);
}

const char *
monitor_words(const struct monitor *M)
{
	return (M->words);
}

int
monitor_listen(struct monitor *M, int milliseconds)
{
	int64_t until = clock_ms() + milliseconds;
	json_t *J;
	int rc;

	if (M->is_lost)
		return (-1);
	while ((rc = receive(M, until, &J)) == 0)
		json_decref(J); /* late, and nobody's */
	if (rc == CLIENT_LATE)
		return (0);
	M->is_lost = 1;
	return (rc == CLIENT_GONE ? MONITOR_OFF : -1);
}

const struct monitor_seen *
monitor_seen(const struct monitor *M)
{
	return (&M->seen);
}

void
monitor_take_over(struct monitor *M)
{
	M->last += 1u << 20; /* no answer to the other one's commands is ours */
	client_resume(M->client);
}

/* --- the connection --------------------------------------------------------------------------------------- */

static int
greet(struct monitor *M)
{
	json_t *J, *v;
	int rc = receive(M, clock_ms() + GREETING, &J);

	if (rc == CLIENT_LATE)
		return (MONITOR_BUSY);
	if (rc != 0)
		return (rc == CLIENT_GONE ? MONITOR_OFF : -1);
	v = json_object_get(json_object_get(json_object_get(J, "QMP"), "version"), "qemu");
	M->version = (unsigned)(100 * json_integer_value(json_object_get(v, "major")) +
	                        json_integer_value(json_object_get(v, "minor")));
	rc = json_is_object(v) ? 0 : say_failed("%s: what listens there is no QMP monitor", M->path);
	json_decref(J);
	return (rc == 0 ? monitor_must(M, "qmp_capabilities", NULL, NULL) : rc);
}

int
monitor_open(struct monitor **out, const char *path)
{
	struct monitor *M = calloc(1, sizeof *M);
	int rc = -1;

	*out = NULL;
	if (M == NULL)
		return (say_failed("out of memory"));
	if (io_path(M->path, "%s", path) == 0 && (rc = client_open(&M->client, path)) == 0)
		rc = greet(M);
	else if (rc == CLIENT_GONE)
		rc = MONITOR_OFF;
	if (rc == 0)
		*out = M;
	else
		monitor_close(M);
	return (rc);
}

void
monitor_close(struct monitor *M)
{
	if (M == NULL)
		return;
	client_close(M->client);
	free(M);
}

int
monitor_peer(const struct monitor *M, struct client_peer *out)
{
	return (client_peer(M->client, out));
}

unsigned
monitor_version(const struct monitor *M)
{
	return (M->version);
}
