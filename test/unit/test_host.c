#include "place.h"

#include <jansson.h>
#include <sys/stat.h>

#include "host/host.h"

TestSuite(host, .init = place_make, .fini = place_remove);

static const struct host_disk DISKS[] = {
	{ "vda", "/r/vda.raw", HOST_RAW, 1 << 20, 0, NULL },
	{ "vdb", "/r/vdb.qcow2", HOST_QCOW2, 1 << 21, 0, NULL },
	{ "swap", NULL, HOST_RAW, 4096, 1, NULL },
};

static const struct host_vm VM = {
	.uuid = "0f8b4f7e-1234-4cde-8f00-0123456789ab",
	.name = "web1 - Test",
	.vm = "web1",
	.purpose = HOST_TEST,
	.disks = DISKS,
	.ndisks = 3,
	.definition = "<domain>\n\"\xc3\xa9\"</domain>",
	.is_isolated = 1,
	.may_start = 1,
};

/* A host whose program does what these lines of shell say. */
static struct host *
with(const char *script)
{
	char spec[PATH_MAX + 8];
	struct host *H;
	FILE *f = fopen(at("program"), "w");

	cr_assert(f != NULL && fprintf(f, "#!/bin/sh\ncd \"${0%%/*}\"\n%s\n", script) > 0 && fclose(f) == 0);
	cr_assert_eq(chmod(at("program"), 0700), 0);
	snprintf(spec, sizeof spec, "exec:%s", at("program"));
	cr_assert_eq(host_open(&H, spec), 0);
	cr_expect(!host_is_none(H) && strcmp(host_spec(H), spec) == 0);
	return (H);
}

/* What a program will answer that is "cat answer". */
static void
answer(const char *text)
{
	place_put("answer", text, strlen(text));
}

/* What the program left in a file, as JSON. */
static json_t *
left(const char *name)
{
	size_t n;
	uint8_t *text = place_get(name, &n);
	json_t *J = json_loadb((char *)text, n, JSON_REJECT_DUPLICATES, NULL);

	cr_assert_not_null(J);
	free(text);
	return (J);
}

Test(host, none_has_nobody_to_ask_and_says_nothing)
{
	static struct host_networks N;
	struct host_state s;
	struct host *H;

	cr_assert_eq(host_open(&H, "none"), 0);
	cr_expect(host_is_none(H));
	cr_expect_eq(host_define(H, &VM), HOST_NOTHING);
	cr_expect_eq(host_start(H, "web1"), HOST_NOTHING);
	cr_expect_eq(host_shutdown(H, "web1"), HOST_NOTHING);
	cr_expect_eq(host_undefine(H, "web1"), HOST_NOTHING);
	cr_expect_eq(host_networks(H, &VM, &N), HOST_NOTHING);
	cr_expect(N.nnetworks == 0 && N.nmissing == 0);
	cr_expect(host_state(H, "web1", &s) == 0 && s.run == HOST_UNKNOWN && s.stop == HOST_STOP_UNKNOWN);
	host_close(H);
	fflush(stderr);
	cr_expect_eq(nwords, 0);
}

Test(host, name_is_checked_before_anything_is_run)
{
	const char *bad[] = { "", "nobody", "none:", "nonesuch", "exec", "exec:", "exec:program",
		"exec:/a\nb" };
	struct host *H;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		cr_expect_not_null(host_check_spec(bad[i]), "%s", bad[i]);
		cr_expect(host_open(&H, bad[i]) == 1 && H == NULL);
	}
	cr_expect_null(host_check_spec("none"));
	cr_expect_null(host_check_spec("exec:/a b/c"));
	hush();
	cr_expect_eq(host_open(&H, "exec:/no/such/program"), 1);
	cr_expect(said("No such file"));
	cr_expect_eq(host_open(&H, "exec:/tmp"), 1);
	cr_expect(said("cannot be run"));
}

Test(host, program_is_told_all_of_the_vm)
{
	struct host *H = with("printf '%s\\n' \"$#\" \"$1\" \"$2\" > args; cat > json");
	json_t *got, *want;
	uint8_t *args;
	size_t n;

	cr_expect_eq(host_define(H, &VM), 0);
	args = place_get("args", &n);
	cr_expect_str_eq((char *)args, "2\ndefine\nweb1 - Test\n");
	free(args);
	got = left("json");
	want =
	    json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:s,s:[{s:s,s:s,s:s,s:i,s:b},{s:s,s:s,s:s,s:i,s:b},"
	              "{s:s,s:s,s:i,s:b}]}",
	        "version", 1, "verb", "define", "name", VM.name, "uuid", VM.uuid, "vm", "web1", "purpose",
	        "test", "network", "isolated", "may_start", 1, "definition", VM.definition, "disks", "id",
	        "vda", "path", "/r/vda.raw", "format", "raw", "size", 1 << 20, "excluded", 0, "id", "vdb",
	        "path", "/r/vdb.qcow2", "format", "qcow2", "size", 1 << 21, "excluded", 0, "id", "swap",
	        "format", "raw", "size", 4096, "excluded", 1);
	cr_assert_not_null(want);
	cr_expect(json_equal(got, want));
	json_decref(got);
	json_decref(want);
	host_close(H);
}

Test(host, program_is_told_the_verb_and_the_name_alone_where_that_is_all)
{
	struct host *H = with("cat > \"$1\"");
	int (*const verbs[])(struct host *, const char *) = { host_start, host_shutdown, host_undefine };
	const char *names[] = { "start", "shutdown", "undefine" };

	for (unsigned i = 0; i < 3; i++) {
		json_t *got,
		    *want = json_pack("{s:i,s:s,s:s}", "version", 1, "verb", names[i], "name", "web1");

		cr_expect_eq(verbs[i](H, "web1"), 0);
		cr_expect(json_equal(got = left(names[i]), want));
		json_decref(got);
		json_decref(want);
	}
	host_close(H);
}

Test(host, states_are_those_that_the_program_names)
{
	static const struct {
		const char *text;
		int rc;
		struct host_state s;
	} answers[] = {
		{ "{\"state\": \"running\"}", 0, { HOST_RUNNING, HOST_STOP_UNKNOWN } },
		{ "{\"state\": \"running\", \"stopped\": \"shutdown\"}", 0,
		    { HOST_RUNNING, HOST_STOP_UNKNOWN } },
		{ "{\"state\": \"paused\"}", 0, { HOST_PAUSED, HOST_STOP_UNKNOWN } },
		{ "{\"state\": \"absent\"}", 0, { HOST_ABSENT, HOST_STOP_UNKNOWN } },
		{ "{\"state\": \"off\"}", 0, { HOST_OFF, HOST_STOP_UNKNOWN } },
		{ "{\"state\": \"off\", \"stopped\": \"shutdown\"}", 0, { HOST_OFF, HOST_SHUT_DOWN } },
		{ "{\"state\": \"off\", \"stopped\": \"turned-off\"}", 0, { HOST_OFF, HOST_TURNED_OFF } },
		{ "{\"state\": \"off\", \"stopped\": \"crashed\", \"x\": 1}", 0, { HOST_OFF, HOST_CRASHED } },
		{ "{\"state\": \"off\", \"stopped\": \"unknown\"}", 0, { HOST_OFF, HOST_STOP_UNKNOWN } },
		{ "{\"state\": \"off\", \"stopped\": \"sleepy\"}", 1, { HOST_UNKNOWN, HOST_STOP_UNKNOWN } },
		{ "{\"state\": \"off\", \"stopped\": 1}", 1, { HOST_UNKNOWN, HOST_STOP_UNKNOWN } },
		{ "{\"state\": \"unknown\"}", 1, { HOST_UNKNOWN, HOST_STOP_UNKNOWN } },
		{ "{\"state\": 7}", 1, { HOST_UNKNOWN, HOST_STOP_UNKNOWN } },
		{ "{}", 1, { HOST_UNKNOWN, HOST_STOP_UNKNOWN } },
		{ "[\"running\"]", 1, { HOST_UNKNOWN, HOST_STOP_UNKNOWN } },
		{ "{\"state\": \"running\"", 1, { HOST_UNKNOWN, HOST_STOP_UNKNOWN } },
		{ "{\"state\": \"running\"} {}", 1, { HOST_UNKNOWN, HOST_STOP_UNKNOWN } },
		{ "", 1, { HOST_UNKNOWN, HOST_STOP_UNKNOWN } },
	};
	struct host *H = with("cat answer");

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		struct host_state s = { HOST_RUNNING, HOST_CRASHED };

		answer(answers[i].text);
		cr_expect_eq(host_state(H, "web1", &s), answers[i].rc, "%s", answers[i].text);
		cr_expect(s.run == answers[i].s.run && s.stop == answers[i].s.stop, "%s", answers[i].text);
		cr_expect_eq(answers[i].rc, said("see vmferry-host(7)"), "%s", answers[i].text);
	}
	host_close(H);
}

Test(host, networks_are_named_within_their_bounds)
{
	static struct host_networks N;
	static char many[8192];
	struct host *H = with("cat answer");
	const char *bad[] = { "[]", "{\"networks\": 1}", "{\"missing\": [1]}", "{\"missing\": [\"\"]}",
		many };

	answer("{\"networks\": [\"lan\", \"backup\"], \"missing\": [\"backup\"]}");
	cr_expect_eq(host_networks(H, &VM, &N), 0);
	cr_expect(N.nnetworks == 2 && N.nmissing == 1);
	cr_expect_str_eq(N.networks[0], "lan");
	cr_expect_str_eq(N.missing[0], "backup");
	answer("{}");
	cr_expect_eq(host_networks(H, &VM, &N), 0);
	cr_expect(N.nnetworks == 0 && N.nmissing == 0);
	strcpy(many, "{\"networks\": [\"a\"");
	for (unsigned i = 0; i < HOST_NETWORKS; i++)
		strcat(many, ",\"a\"");
	strcat(many, "]}");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		answer(bad[i]);
		cr_expect_eq(host_networks(H, &VM, &N), 1, "%s", bad[i]);
		cr_expect(N.nnetworks == 0 && N.nmissing == 0);
		cr_expect(said("see vmferry-host(7)"));
	}
	host_close(H);
}

Test(host, program_that_says_no_or_fails_is_told_apart_with_its_words)
{
	struct host *H = with("echo no room >&2; exit $(cat status)");
	struct host_state s;

	place_put("status", "1", 1);
	cr_expect_eq(host_define(H, &VM), 1);
	cr_expect(said("says no to define: no room"));
	cr_expect_eq(host_state(H, "web1", &s), 1);
	cr_expect_eq(s.run, HOST_UNKNOWN);
	place_put("status", "2", 1);
	hush();
	cr_expect_eq(host_start(H, "web1"), -1);
	cr_expect(said("failed at start, with status 2: no room"));
	host_close(H);
	H = with("cat /dev/zero");
	cr_expect_eq(host_state(H, "web1", &s), -1);
	cr_expect(said("writes more than"));
	host_close(H);
}

Test(host, is_not_given_what_cannot_be_right)
{
	struct host_disk d = { "vda", "relative", HOST_RAW, 512, 0, NULL };
	struct host_vm vm = VM;
	struct host *H = with("touch asked");

	vm.disks = &d;
	vm.ndisks = 1;
	cr_expect_eq(host_define(H, &vm), -1);
	d.path = NULL;
	cr_expect_eq(host_define(H, &vm), -1);
	d.uri = "nbd:relative";
	cr_expect_eq(host_define(H, &vm), -1);
	vm.ndisks = HOST_DISKS + 1;
	cr_expect_eq(host_define(H, &vm), -1);
	vm.ndisks = 0;
	vm.definition = "\xff";
	hush();
	cr_expect_eq(host_define(H, &vm), -1);
	cr_expect(said("UTF-8"));
	cr_expect_eq(access(at("asked"), F_OK), -1);
	host_close(H);
}
