#include "site/trusting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "jsontext.h"
#include "minisig.h"
#include "name.h"
#include "point.h"
#include "base/say.h"

int
trusting_card(const char *path, struct card *C)
{
	char text[CARD_MAX];
	ssize_t n = io_read_start(path, text, sizeof text);
	const char *why;

	if (n < 0)
		return (-1);
	why = card_decode(C, text, (size_t)n);
	return (why == NULL ? 0 : say_refused("%s: %s", path, why));
}

/* The pattern goes into a line of text in quotes, and is held against names. */
static int
set_pattern(struct trust_entry *e, const char *vm)
{
	if (vm[0] == '\0' || strlen(vm) > LIMIT_NAME || strpbrk(vm, "\"\n\r\t") != NULL)
		return (say_refused("'%s': is no pattern of names", vm));
	strcpy(e->vm, vm);
	return (0);
}

static int
set_store(struct trust_entry *e, const char *store)
{
	char cwd[PATH_MAX];

	if (strpbrk(store, "\"\n\r") != NULL || store[0] == '\0')
		return (say_refused("'%s': a store's path has no quotes and is one line", store));
	if (store[0] == '/')
		return (io_path(e->store, "%s", store));
	if (getcwd(cwd, sizeof cwd) == NULL)
		return (say_failed("cannot tell the current folder: %s", strerror(errno)));
	return (io_path(e->store, "%s/%s", cwd, store));
}

static int
set_host(struct trust_entry *e, const char *host)
{
	if (strpbrk(host, "\"\n\r") != NULL || host[0] == '\0')
		return (say_refused("'%s': the name of a host has no quotes and is one line", host));
	return (io_path(e->host, "%s", host));
}

int
trusting_add(struct site *S, const char *cardfile, const struct trusting_options *o)
{
	struct trust_entry *e = calloc(1, sizeof *e);
	char print[CARD_FINGERPRINT];
	int rc;

	if (e == NULL)
		return (say_failed("out of memory"));
	e->max_size = o->max_size;
	e->inbox = o->inbox;
	e->frequency = o->frequency;
	e->rate = o->rate;
	e->points = o->points;
	rc = trusting_card(cardfile, &e->card);
	if (rc == 0 && o->vm != NULL)
		rc = set_pattern(e, o->vm);
	if (rc == 0 && o->store != NULL)
		rc = set_store(e, o->store);
	if (rc == 0 && o->host != NULL)
		rc = set_host(e, o->host);
	if (rc == 0)
		rc = site_trust_add(S, e);
	if (rc == 0) {
		card_fingerprint(print, &e->card);
		say_note("%s: added, fingerprint %s; compare it with that site over another channel",
		    e->card.name, print);
	}
	free(e);
	return (rc);
}

/* A number that means nothing where it is 0. */
static json_t *
number_json(uint64_t v)
{
	return (v == 0 ? json_null() : json_integer((json_int_t)v));
}

static json_t *
entry_json(const struct trust_entry *e)
{
	json_t *o = json_object();
	char print[CARD_FINGERPRINT], cutoff[POINT_TIME];

	card_fingerprint(print, &e->card);
	point_time_text(cutoff, e->cutoff);
	json_object_set_new(o, "name", json_string(e->card.name));
	json_object_set_new(o, "fingerprint", json_string(print));
	jsontext_set_bytes(o, "sign", e->card.sign, RECORD_KEY);
	jsontext_set_bytes(o, "box", e->card.box, CARD_BOX);
	json_object_set_new(o, "vm", e->vm[0] == '\0' ? json_null() : json_string(e->vm));
	json_object_set_new(o, "store", e->store[0] == '\0' ? json_null() : json_string(e->store));
	json_object_set_new(o, "max_size", number_json(e->max_size));
	json_object_set_new(o, "inbox", number_json(e->inbox));
	json_object_set_new(o, "frequency", number_json(e->frequency));
	json_object_set_new(o, "rate", number_json(e->rate));
	json_object_set_new(o, "points", number_json(e->points));
	json_object_set_new(o, "host", e->host[0] == '\0' ? json_null() : json_string(e->host));
	json_object_set_new(o, "revoked", e->is_revoked ? json_string(cutoff) : json_null());
	return (o);
}

static void
print_entry(const struct trust_entry *e)
{
	char print[CARD_FINGERPRINT];

	card_fingerprint(print, &e->card);
	printf("%s  %s  %s%s", e->card.name, print, e->vm[0] == '\0' ? "no VMs" : "VMs ", e->vm);
	if (e->store[0] != '\0')
		printf("  store %s", e->store);
	if (e->max_size != 0)
		printf("  at most %" PRIu64 " bytes", e->max_size);
	if (e->inbox != 0)
		printf("  inbox %" PRIu64 " bytes", e->inbox);
	if (e->host[0] != '\0')
		printf("  host %s", e->host);
	if (e->frequency != 0)
		printf("  a point every %" PRIu64 " s at most", e->frequency);
	if (e->rate != 0)
		printf("  at most %" PRIu64 " bytes a second", e->rate);
	if (e->points != 0)
		printf("  at most %" PRIu64 " points", e->points);
	printf("%s\n", e->is_revoked ? "  revoked" : "");
}

int
trusting_list(const struct site *S, int json)
{
	const struct trust *T = site_trust(S);
	json_t *a = json_array();
	int rc = 0;

	for (size_t i = 0; i < T->n; i++) {
		json_array_append_new(a, entry_json(&T->entries[i]));
		if (!json)
			print_entry(&T->entries[i]);
	}
	if (json)
		rc = json_dumpf(a, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;
	json_decref(a);
	return (rc);
}

void
trusting_print_card(const struct site *S)
{
	char text[CARD_MAX];
	size_t n = site_card_text(S, text);

	fwrite(text, 1, n, stdout);
}

void
trusting_print_minisign(const struct site *S)
{
	char line[MINISIG_KEY];

	minisig_key(line, site_card(S)->sign);
	puts(line);
}
