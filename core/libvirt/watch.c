#include "libvirt/watch.h"

#include <jansson.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"
#include "hyper/scratch.h"
#include "libvirt/backup.h"
#include "libvirt/connect.h"
#include "libvirt/live.h"

#define READY "ready\n"
#define PATIENCE \
	INT64_C( \
	    604800000) /* milliseconds that libvirt, or an agent, has to come back: nobody else thaws a guest */
#define EAGER 600000   /* for so long it is tried again and again; then every SELDOM seconds */
#define SELDOM 10

static const char *const verb_of[] = {
	[WATCH_THAW] = "thaw", [WATCH_RESUME] = "resume", [WATCH_END] = "end"
};

/* --- the one who is watched ----------------------------------------------------------------------------------- */

static char *
encode(const struct question *Q, enum watch_what what)
{
	json_t *o = json_pack("{s:i,s:s,s:s,s:s,s:s}", "version", 1, "verb", verb_of[what], "name", Q->name,
	    "host", Q->host, "token", Q->token);
	char *text = json_dumps(o, JSON_COMPACT), *line = NULL;

	if (text != NULL && (line = malloc(strlen(text) + 2)) != NULL)
		sprintf(line, "%s\n", text);
	free(text);
	json_decref(o);
	return (line);
}

int
watch_begin(struct program_talk **T, const struct question *Q, enum watch_what what)
{
	const char *argv[] = { "/proc/self/exe", verb_of[what], Q->name, NULL }, *line;
	struct program P = { .argv = argv, .seconds = 30 };
	char *text = encode(Q, what);
	int rc;

	*T = NULL;
	if (text == NULL)
		return (say_failed("out of memory"));
	P.input = text;
	P.input_size = strlen(text);
	rc = program_talk(&P, T);
	free(text);
	if (rc == 0 && program_talk_hear(*T, &line) == 0)
		return (0);
	if (*T != NULL)
		program_talk_end(*T, NULL);
	*T = NULL;
	return (-1);
}

int
watch_end(struct program_talk *T)
{
	return (T == NULL ? 0 : program_talk_end(T, "keep\n"));
}

/* --- the one who watches --------------------------------------------------------------------------------------- */

/* Say that we are ready, and wait: 1 if all is well, 0 if something is to be done. */
static int
wait_for_word(int seconds)
{
	int64_t until = clock_ms() + (int64_t)seconds * 1000;
	enum question_end end;

	if (io_write(STDOUT_FILENO, "standard output", READY, strlen(READY)) != 0)
		return (0);
	/* Signals that are for others wake us too. */
	do
		end = question_wait(seconds > 0 ? 200 : -1);
	while (end == QUESTION_WAIT && (seconds == 0 || clock_ms() < until));
	return (end == QUESTION_KEEP);
}

/* Do it until it is done: libvirt may be gone for a while, and an agent busy. */
static int
insist(virConnectPtr C, const struct question *Q, int (*act)(virDomainPtr D, const struct question *Q))
{
	int64_t start = clock_ms();
	virConnectPtr other = NULL;
	int rc = -1;

	while (rc != 0 && clock_ms() - start < PATIENCE) {
		virConnectPtr c = other != NULL ? other : C;
		virDomainPtr D = NULL;

		if (virConnectIsAlive(c) == 1 && (D = virDomainLookupByName(c, Q->name)) != NULL)
			rc = virDomainIsActive(D) == 0 ? 0 : act(D, Q);
		else if (connect_was(VIR_ERR_NO_DOMAIN))
			rc = 0;
		connect_free(D);
		if (rc == 0)
			break;
		if (clock_ms() - start > EAGER)
			sleep(SELDOM);
		else
			usleep(200000);
		if (virConnectIsAlive(c) != 1) {
			connect_close(other);
			other = connect_again(Q->host);
		}
	}
	connect_close(other);
	return (rc);
}

static int
thaw(virDomainPtr D, const struct question *Q)
{
	(void)Q;
	return (virDomainFSThaw(D, NULL, 0, 0) >= 0 ? 0 : -1);
}

int
watch_thaw(virConnectPtr C, const struct question *Q)
{
	if (wait_for_word(WATCH_FREEZE))
		return (0);
	if (insist(C, Q, thaw) != 0)
		return (say_failed("%s: its file systems cannot be thawed: %s; see virsh domfsthaw", Q->name,
		    connect_words()));
	return (say_refused("%s: was frozen for too long, and was thawed", Q->name));
}

static int
resume(virDomainPtr D, const struct question *Q)
{
	int state, reason;

	(void)Q;
	if (virDomainGetState(D, &state, &reason, 0) != 0)
		return (-1);
	return (state != VIR_DOMAIN_PAUSED || reason != VIR_DOMAIN_PAUSED_USER ? 0 : virDomainResume(D));
}

int
watch_resume(virConnectPtr C, const struct question *Q)
{
	if (wait_for_word(WATCH_PAUSE))
		return (0);
	if (insist(C, Q, resume) != 0)
		return (say_failed("%s: stands still and cannot be resumed: %s; see virsh resume", Q->name,
		    connect_words()));
	return (say_refused("%s: stood still for too long, and goes on", Q->name));
}

static int
end_job(virDomainPtr D, const struct question *Q)
{
	struct live *L;

	/* One of the same token may have begun meanwhile. */
	if (scratch_stands(Q->token) != 0)
		return (0);
	if (backup_end_of(D, Q->token) != 0 || live_read(&L, D) != 0)
		return (-1);
	for (unsigned i = 0; i < L->ndisks; i++) {
		char dir[PATH_MAX];

		if (backup_scratch_dir(&L->disks[i], dir) == 0)
			scratch_tidy(dir, Q->token);
	}
	live_free(L);
	return (scratch_bury(Q->token));
}

int
watch_view(virConnectPtr C, const struct question *Q)
{
	if (wait_for_word(0))
		return (0);
	return (insist(C, Q, end_job));
}
