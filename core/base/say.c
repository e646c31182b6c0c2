#include "base/say.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"

static const char *program = "vmferry";
static int is_journal; /* standard error is, as far as we were told */

static struct {
	pthread_mutex_t lock;
	char text[SAY_LAST];
} last = { .lock = PTHREAD_MUTEX_INITIALIZER };

/*
 * A program may be started with its standard descriptors closed; then the next files opened, a lock or a disk,
 * would get their numbers, and words or a bundle would be written into them.  Fill the places with something
 * that cannot be read or written.
 */
static void
fill_standard(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			_exit(3);
}

/* Is standard error the stream whose device and inode systemd has told us? */
static int
goes_to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return (0);
	snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return (strcmp(stream, ours) == 0);
}

int
say_to(int fd)
{
	if (dup2(fd, STDERR_FILENO) < 0)
		return (-1);
	is_journal = goes_to_journal();
	return (0);
}

void
say_init(const char *name)
{
	program = name;
	fill_standard();
	is_journal = goes_to_journal();
	if (sodium_init() < 0) {
		say_failed("libsodium cannot be used on this machine");
		exit(3);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	stop_init();
	umask(022);
}

/* What a line is to the journal. */
enum level { LEVEL_FAILURE = 3, LEVEL_REFUSAL = 4, LEVEL_NOTE = 6 };

/* One line, with control characters shown as \xNN so that no text from outside can drive a terminal. */
static void
line(enum level level, const char *prefix, const char *format, va_list ap)
{
	char text[4096], out[4 * sizeof text], mark[8] = "";
	size_t n = 0;

	vsnprintf(text, sizeof text, format, ap);
	for (const char *p = text; *p != '\0'; p++) {
		/* The second row of control characters has two bytes in UTF-8. */
		int is_c1 = (unsigned char)p[0] == 0xc2 && ((unsigned char)p[1] & 0xe0) == 0x80;

		if (is_c1)
			n += (size_t)sprintf(out + n, "\\x%02x", (unsigned char)*p++);
		if ((unsigned char)*p < 0x20 || *p == 0x7f || is_c1)
			n += (size_t)sprintf(out + n, "\\x%02x", (unsigned char)*p);
		else
			out[n++] = *p;
	}
	if (is_journal)
		snprintf(mark, sizeof mark, "<%d>", (int)level);
	fprintf(stderr, "%s%s: %s%.*s\n", mark, program, prefix, (int)n, out);
}

int
say_is_own(const char *words)
{
	size_t n = strlen(program);

	return (strncmp(words, program, n) == 0 && words[n] == ':');
}

static void
keep(const char *format, va_list ap)
{
	pthread_mutex_lock(&last.lock);
	vsnprintf(last.text, sizeof last.text, format, ap);
	pthread_mutex_unlock(&last.lock);
}

void
say_last(char out[SAY_LAST])
{
	pthread_mutex_lock(&last.lock);
	memcpy(out, last.text, SAY_LAST);
	pthread_mutex_unlock(&last.lock);
}

void
say_failure(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line(LEVEL_FAILURE, "", format, ap);
	va_end(ap);
	va_start(ap, format);
	keep(format, ap);
	va_end(ap);
}

void
say_refusal(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line(LEVEL_REFUSAL, "refused: ", format, ap);
	va_end(ap);
	va_start(ap, format);
	keep(format, ap);
	va_end(ap);
}

void
say_note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line(LEVEL_NOTE, "", format, ap);
	va_end(ap);
}

int
say_has_person(void)
{
	return (isatty(STDIN_FILENO) && isatty(STDERR_FILENO));
}

int
say_ask(const char *format, ...)
{
	char answer[16];
	va_list ap;

	va_start(ap, format);
	line(LEVEL_NOTE, "", format, ap);
	va_end(ap);
	fprintf(stderr, "%s: type 'yes' to go on: ", program);
	return (fgets(answer, sizeof answer, stdin) != NULL && strcmp(answer, "yes\n") == 0);
}

int
say_status(int rc)
{
	return (rc == 0 ? 0 : rc > 0 ? 1 : 3);
}

int
say_exit(int rc)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		say_failed("standard output: cannot write: %s", strerror(errno));
		return (3);
	}
	return (say_status(rc));
}

void
progress_start(struct progress *P, const char *what, uint64_t total)
{
	*P = (struct progress){ .what = what, .total = total, .on = isatty(STDERR_FILENO) };
	P->started = P->shown = clock_ms();
}

static void
show(const struct progress *P, int64_t now)
{
	double seconds = (double)(now - P->started) / 1000 + 0.001, rate = (double)P->done / seconds;

	fprintf(stderr, "\r%s: %s %.1f MiB, %.1f MiB/s", program, P->what, (double)P->done / (1 << 20),
	    rate / (1 << 20));
	if (P->total > P->done && rate > 0) {
		uint64_t left = (uint64_t)((double)(P->total - P->done) / rate);

		fprintf(stderr, ", %.0f %%, %" PRIu64 ":%02u:%02u left",
		    100.0 * (double)P->done / (double)P->total, left / 3600, (unsigned)(left / 60 % 60),
		    (unsigned)(left % 60));
	}
	fprintf(stderr, "\033[K");
}

void
progress_add(struct progress *P, uint64_t bytes)
{
	int64_t now;

	P->done += bytes;
	if (!P->on || (now = clock_ms()) - P->shown < 200)
		return;
	P->shown = now;
	show(P, now);
}

void
progress_end(struct progress *P)
{
	if (!P->on || P->shown == P->started)
		return;
	show(P, clock_ms());
	fprintf(stderr, "\n");
}
