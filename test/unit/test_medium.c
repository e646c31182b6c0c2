#include "place.h"

#include <sys/stat.h>

#include "medium/logbook.h"
#include "medium/manifest.h"
#include "medium/medium.h"
#include "minisig.h"
#include "sample.h"

static void
make(void)
{
	place_make();
	cr_assert_eq(mkdir(at("usb"), 0755), 0);
}

TestSuite(medium, .init = make, .fini = place_remove);

static struct medium *
opened(enum medium_use use)
{
	struct medium *M;

	cr_assert_eq(medium_open(&M, at("usb"), use, NULL), 0);
	return (M);
}

Test(medium, that_is_not_there_is_not_made)
{
	struct medium *M;

	cr_expect_eq(medium_open(&M, at("mnt"), MEDIUM_WRITE, NULL), 1);
	cr_expect(said("is the medium mounted?"));
	cr_expect_eq(access(at("mnt"), F_OK), -1);
	cr_expect_eq(medium_open(&M, at("usb"), MEDIUM_READ, NULL), 1);
	cr_expect_eq(access(at("usb/vmferry"), F_OK), -1);
}

Test(medium, keeps_the_name_it_got_first)
{
	struct medium *M;
	char id[IDENTITY_ID];

	cr_assert_eq(medium_open(&M, at("usb"), MEDIUM_WRITE, "Stick 7"), 0);
	strcpy(id, medium_identity(M)->id);
	medium_close(M);
	cr_assert_eq(medium_open(&M, at("usb"), MEDIUM_WRITE, "another"), 0);
	cr_expect_str_eq(medium_identity(M)->id, id);
	cr_expect_str_eq(medium_identity(M)->label, "Stick 7");
	medium_close(M);
	cr_assert_eq(medium_open(&M, at("usb"), MEDIUM_WRITE, "a/b"), 1);
	cr_assert_eq(medium_open(&M, at("usb"), MEDIUM_WRITE, NULL), 0);
	cr_expect_eq(medium_rename(M, "a/b"), 1);
	cr_expect_eq(medium_rename(M, "Stick 8"), 0);
	medium_close(M);
	M = opened(MEDIUM_READ);
	cr_expect_str_eq(medium_identity(M)->id, id);
	cr_expect_str_eq(medium_identity(M)->label, "Stick 8");
	medium_close(M);
}

Test(medium, is_called_as_its_folder_where_nobody_says_otherwise)
{
	struct medium *M = opened(MEDIUM_WRITE);

	cr_expect_str_eq(medium_identity(M)->label, "usb");
	cr_expect_eq(strlen(medium_identity(M)->id), IDENTITY_ID - 1);
	medium_close(M);
}

Test(medium, is_opened_whatever_its_description_says)
{
	static const char *const bad[] = { "", "x", "vmferry medium 1\n",
		"vmferry medium 1\nid: 0123456789abcdef\nlabel: a/b\nmade: 2026-03-01T12:00:00Z\n",
		"vmferry medium 1\nid: 0123456789abcdeg\nlabel: a\nmade: 2026-03-01T12:00:00Z\n",
		"vmferry medium 1\nid: 0123456789abcdef\nlabel: a\nmade: 2026-03-01T12:00:00Z\nx" };
	struct medium *M;

	cr_assert_eq(mkdir(at("usb/vmferry"), 0755), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		place_put("usb/vmferry/medium", bad[i], strlen(bad[i]));
		M = opened(MEDIUM_LEAVE);
		cr_expect_str_eq(medium_identity(M)->label, "usb");
		cr_expect_str_eq(medium_identity(M)->id, "");
		cr_expect(said("is not the description"));
		medium_close(M);
	}
}

Test(medium, is_written_to_by_one_at_a_time)
{
	struct medium *M = opened(MEDIUM_WRITE), *N, *L;

	cr_expect_eq(medium_open(&N, at("usb"), MEDIUM_WRITE, NULL), 1);
	cr_expect(said("another vmferry is writing"));
	L = opened(MEDIUM_READ);
	medium_close(L);
	medium_close(M);
	medium_close(opened(MEDIUM_WRITE));
}

Test(medium, opens_nothing_but_regular_files_of_its_own)
{
	struct medium *M = opened(MEDIUM_WRITE);
	int fd;

	place_put("secret", "s", 1);
	cr_assert_eq(symlink(at("secret"), at("usb/vmferry/link")), 0);
	cr_assert_eq(mkfifo(at("usb/vmferry/fifo"), 0600), 0);
	cr_assert_eq(mkdir(at("usb/vmferry/folder"), 0700), 0);
	place_put("usb/vmferry/file", "f", 1);
	cr_expect_eq(medium_file(M, "link"), -2);
	cr_expect_eq(medium_file(M, "fifo"), -2);
	cr_expect_eq(medium_file(M, "folder"), -2);
	cr_expect_eq(medium_file(M, "nothing"), -2);
	cr_expect_eq(medium_file(M, "../../secret"), -2);
	cr_expect_geq(fd = medium_file(M, "file"), 0);
	close(fd);
	medium_close(M);
}

Test(medium, in_place_of_which_lies_a_link_is_not_opened)
{
	struct medium *M;

	cr_assert_eq(mkdir(at("elsewhere"), 0755), 0);
	cr_assert_eq(symlink(at("elsewhere"), at("usb/vmferry")), 0);
	cr_expect_eq(medium_open(&M, at("usb"), MEDIUM_WRITE, NULL), -1);
	cr_expect_eq(rmdir(at("elsewhere")), 0, "something was put there");
}

static int
gather(void *context, const char *name)
{
	strcat(context, name);
	strcat(context, " ");
	return (strcmp(name, "c.vmf") == 0 ? 5 : 0);
}

Test(medium, names_its_files_in_order)
{
	struct medium *M = opened(MEDIUM_WRITE);
	char all[256] = "";

	place_put("usb/vmferry/b.vmf", "", 0);
	place_put("usb/vmferry/a.vmf", "", 0);
	place_put("usb/vmferry/.vmf", "", 0);
	place_put("usb/vmferry/a.log", "", 0);
	cr_expect_eq(medium_each(M, ".vmf", gather, all), 0);
	cr_expect_str_eq(all, "a.vmf b.vmf ");
	place_put("usb/vmferry/c.vmf", "", 0);
	place_put("usb/vmferry/d.vmf", "", 0);
	all[0] = '\0';
	cr_expect_eq(medium_each(M, ".vmf", gather, all), 5);
	cr_expect_str_eq(all, "a.vmf b.vmf c.vmf ");
	medium_close(M);
}

/* --- manifest ----------------------------------------------------------------------------------------- */

static void
expect_text(const char *name, const char *want)
{
	size_t n;
	char *text = io_slurp(at(name), 1 << 20, &n);

	cr_assert_not_null(text);
	cr_expect_str_eq(text, want);
	free(text);
}

Test(medium, has_a_manifest_with_a_line_for_each_volume)
{
	struct medium *M = opened(MEDIUM_WRITE);
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], d[RECORD_DIGEST];
	char want[1024], hex[65];

	sample_keys(key, secret, 3);
	for (uint8_t i = 1; i <= 2; i++) {
		/* The second first, and the first twice. */
		memset(d, i, sizeof d);
		cr_assert_eq(manifest_add(M, "s", i == 1 ? "s.002.vmf" : "s.001.vmf", d, secret), 0);
	}
	memset(d, 3, sizeof d);
	sodium_bin2hex(hex, sizeof hex, d, sizeof d);
	cr_assert_eq(manifest_add(M, "s", "s.001.vmf", d, secret), 0);
	snprintf(want, sizeof want, "BLAKE2b-256 (s.001.vmf) = %s\n", hex);
	memset(d, 1, sizeof d);
	sodium_bin2hex(hex, sizeof hex, d, sizeof d);
	snprintf(want + strlen(want), sizeof want - strlen(want), "BLAKE2b-256 (s.002.vmf) = %s\n", hex);
	expect_text("usb/vmferry/s.b2", want);
	cr_expect_eq(manifest_drop(M, "s", "s.001.vmf", secret), 0);
	expect_text("usb/vmferry/s.b2", strchr(want, '\n') + 1);
	cr_expect_eq(access(at("usb/vmferry/s.b2.minisig"), F_OK), 0);
	cr_expect_eq(manifest_drop(M, "s", "s.002.vmf", secret), 0);
	cr_expect_eq(access(at("usb/vmferry/s.b2"), F_OK), -1);
	cr_expect_eq(access(at("usb/vmferry/s.b2.minisig"), F_OK), -1);
	medium_close(M);
}

Test(medium, has_a_manifest_that_b2sum_and_minisign_check)
{
	struct medium *M = opened(MEDIUM_WRITE);
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], d[RECORD_DIGEST];
	char line[MINISIG_KEY], command[2 * PATH_MAX];

	sample_keys(key, secret, 3);
	crypto_generichash(d, sizeof d, (const uint8_t *)"volume", 6, NULL, 0);
	place_put("usb/vmferry/s.001.vmf", "volume", 6);
	cr_assert_eq(manifest_add(M, "s", "s.001.vmf", d, secret), 0);
	minisig_key(line, key);
	snprintf(command, sizeof command,
	    "cd %s && b2sum -c s.b2 >/dev/null 2>&1 && minisign -Vm s.b2 -P %s >/dev/null 2>&1",
	    at("usb/vmferry"), line);
	cr_expect_eq(system(command), 0);
	place_put("usb/vmferry/s.b2", "other", 5);
	snprintf(command, sizeof command, "cd %s && minisign -Vm s.b2 -P %s >/dev/null 2>&1",
	    at("usb/vmferry"), line);
	cr_expect_neq(system(command), 0);
	cr_expect_eq(WEXITSTATUS(system(command)), 1, "minisign is missing");
	medium_close(M);
}

/* --- custody ------------------------------------------------------------------------------------------ */

#define STEM "s.1a2b3c4d"

static const uint8_t bundle[RECORD_ID] = { 9 };

struct seen {
	unsigned lines, good, linked, unsign, none;
};

static int
see(void *context, const struct custody *C, const char *why, int is_linked)
{
	struct seen *s = context;

	s->lines++;
	s->none += why != NULL;
	s->good += why == NULL && C->word == CUSTODY_GOOD;
	s->unsign += why == NULL && C->word == CUSTODY_UNSIGNED;
	s->linked += is_linked != 0;
	return (0);
}

static struct seen
look(void)
{
	struct seen s = { 0 };
	char *text;
	size_t n;
	int rc = logbook_beside(at("usb/vmferry/" STEM ".001.vmf"), &text, &n);

	if (rc == 2)
		return (s);
	cr_assert_eq(rc, 0);
	cr_assert_eq(logbook_each(text, n, bundle, see, &s), 0);
	free(text);
	return (s);
}

Test(medium, keeps_a_linked_log_of_custody)
{
	struct medium *M = opened(MEDIUM_WRITE);
	struct site *S;
	struct seen s;
	char *text;
	size_t n;

	cr_assert_eq(site_init(at("hq"), "hq"), 0);
	cr_assert_not_null(S = site_open(at("hq")));
	s = look();
	cr_expect_eq(s.lines, 0);
	cr_assert_eq(logbook_add(M, S, STEM, bundle, "export", "ok"), 0);
	cr_assert_eq(logbook_add(M, NULL, STEM, bundle, "verify", "ok"), 0);
	cr_assert_eq(logbook_add(M, S, STEM, bundle, "import", "refused: no"), 0);
	s = look();
	cr_expect(s.lines == 3 && s.good == 2 && s.unsign == 1 && s.linked == 3 && s.none == 0);

	/* A line taken out, or altered, is seen at the next one. */
	text = (char *)place_get("usb/vmferry/" STEM ".log", &n);
	place_put(
	    "usb/vmferry/" STEM ".log", strchr(text, '\n') + 1, n - (size_t)(strchr(text, '\n') + 1 - text));
	s = look();
	cr_expect(s.lines == 2 && s.linked == 1);
	place_put("usb/vmferry/" STEM ".log", "rubbish", 7);
	cr_assert_eq(logbook_add(M, S, STEM, bundle, "import", "ok"), 0);
	s = look();
	cr_expect(s.lines == 2 && s.none == 1 && s.good == 1 && s.linked == 1);
	free(text);
	site_close(S);
	medium_close(M);
}
