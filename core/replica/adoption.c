#include "replica/adoption.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "base/state.h"
#include "jsontext.h"
#include "name.h"
#include "site/folders.h"

/* --- the record --------------------------------------------------------------------------------------- */

static json_t *
encode_disks(const struct adoption *A)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < A->ndisks; i++)
		bad |= json_array_append_new(a, json_pack("{s:s,s:s,s:I}", "id", A->disks[i].id, "from",
		                                    A->disks[i].from, "size", (json_int_t)A->disks[i].size));
	return (jsontext_whole(a, bad));
}

static json_t *
encode_issued(const struct adoption *A)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < A->nissued; i++) {
		json_t *o = json_object();

		bad |= jsontext_set_bytes(o, "id", A->issued[i], RECORD_ID);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

int
adoption_save(const struct adoption *A)
{
	json_t *o = json_pack("{s:i,s:s,s:s,s:s,s:b}", "version", 1, "vm", A->vm, "primary", A->primary,
	    "folder", A->folder, "copied", A->is_copied);
	char path[PATH_MAX];
	int bad = 0;

	bad |= jsontext_set_bytes(o, "key", A->key, RECORD_KEY);
	bad |= jsontext_set_bytes(o, "leaf_seed", A->leaf_seed, LEAF_SEED);
	bad |= json_object_set_new(o, "disks", encode_disks(A));
	bad |= json_object_set_new(o, "issued", encode_issued(A));
	o = jsontext_whole(o, bad);
	if (io_path(path, "%s/state", A->dir) != 0) {
		json_decref(o);
		return (-1);
	}
	return (state_write(path, o));
}

static int
decode_disks(struct adoption *A, const json_t *a)
{
	for (A->ndisks = 0; A->ndisks < json_array_size(a); A->ndisks++) {
		struct adoption_disk *d = &A->disks[A->ndisks];
		const json_t *o = json_array_get(a, A->ndisks);

		if (A->ndisks == LIMIT_DISKS || jsontext_get_string(o, "id", d->id, sizeof d->id) != 0 ||
		    name_check_disk(d->id) != NULL ||
		    jsontext_get_string(o, "from", d->from, sizeof d->from) != 0 ||
		    jsontext_get_number(o, "size", LIMIT_DISK_SIZE, &d->size) != 0)
			return (-1);
	}
	return (A->ndisks > 0 ? 0 : -1);
}

static int
decode(struct adoption *A, const json_t *o)
{
	const json_t *issued = json_object_get(o, "issued");
	uint64_t version;

	if (jsontext_get_number(o, "version", 1, &version) != 0 || version != 1 ||
	    jsontext_get_string(o, "vm", A->vm, sizeof A->vm) != 0 ||
	    jsontext_get_string(o, "primary", A->primary, sizeof A->primary) != 0 ||
	    jsontext_get_string(o, "folder", A->folder, sizeof A->folder) != 0 || A->folder[0] != '/' ||
	    jsontext_get_bytes(o, "key", A->key, RECORD_KEY) != 0 ||
	    jsontext_get_bytes(o, "leaf_seed", A->leaf_seed, LEAF_SEED) != 0 ||
	    decode_disks(A, json_object_get(o, "disks")) != 0)
		return (-1);
	A->is_copied = json_is_true(json_object_get(o, "copied"));
	leaf_secret_make(&A->secret, A->leaf_seed);
	for (A->nissued = 0; A->nissued < json_array_size(issued); A->nissued++)
		if (A->nissued == ADOPTION_ISSUED || jsontext_get_bytes(json_array_get(issued, A->nissued),
		                                         "id", A->issued[A->nissued], RECORD_ID) != 0)
			return (-1);
	return (0);
}

static int
read_record(struct adoption *A)
{
	char path[PATH_MAX];
	json_t *o;
	int rc;

	if (io_path(path, "%s/state", A->dir) != 0 || (o = state_read(path)) == NULL)
		return (-1);
	if ((rc = decode(A, o)) != 0)
		say_failed("%s: the record is not one that this version understands", path);
	json_decref(o);
	return (rc);
}

/* --- looking things up -------------------------------------------------------------------------------- */

static struct adoption *
adoption_new(const struct site *S, const char *uuid)
{
	struct adoption *A = calloc(1, sizeof *A);

	if (A == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	A->lock = -1;
	if (io_path(A->dir, "%s/adopted/%s", site_home(S), uuid) == 0)
		return (A);
	adoption_close(A);
	return (NULL);
}

void
adoption_close(struct adoption *A)
{
	if (A == NULL)
		return;
	io_close(A->lock);
	sodium_memzero(A->leaf_seed, sizeof A->leaf_seed);
	free(A);
}

struct search {
	const struct site *S;
	const char *vm; /* or */
	const uint8_t *id;
	int (*each)(void *context, const char *dir); /* or */
	void *context;
	char uuid[HEADER_UUID];
};

static int
has_issued(const struct adoption *A, const uint8_t *id)
{
	for (unsigned i = 0; i < A->nissued; i++)
		if (memcmp(A->issued[i], id, RECORD_ID) == 0)
			return (1);
	return (0);
}

static int
look(void *context, const char *uuid)
{
	struct search *s = context;
	struct adoption *A = adoption_new(s->S, uuid);
	int rc = 0;

	if (A == NULL)
		return (-1);
	if (read_record(A) != 0)
		goto done; /* said; it is not in the way of the others */
	if (s->each != NULL)
		rc = io_exists(A->folder) == 1 ? s->each(s->context, A->folder) : 0;
	else
		rc = s->vm != NULL ? strcmp(A->vm, s->vm) == 0 : has_issued(A, s->id);
	if (rc == 1 && s->each == NULL)
		strcpy(s->uuid, uuid);
done:
	adoption_close(A);
	return (rc);
}

/* There is no folder of them before the first. */
static int
search(struct search *s)
{
	char path[PATH_MAX];
	int there;

	if (io_path(path, "%s/adopted", site_home(s->S)) != 0 || (there = io_exists(path)) < 0)
		return (-1);
	return (there ? folders_each(s->S, "adopted", look, s) : 0);
}

static int
open_found(struct adoption **A, struct search *s)
{
	int rc = search(s);

	*A = NULL;
	if (rc <= 0)
		return (rc == 0 ? 2 : -1);
	if ((*A = adoption_new(s->S, s->uuid)) == NULL)
		return (-1);
	(*A)->lock = folders_lock((*A)->dir);
	rc = (*A)->lock == -2 ? 1 : (*A)->lock < 0 ? -1 : read_record(*A);
	if (rc != 0) {
		adoption_close(*A);
		*A = NULL;
	}
	return (rc);
}

int
adoption_open(struct adoption **A, const struct site *S, const char *vm)
{
	struct search s = { .S = S, .vm = vm };

	return (open_found(A, &s));
}

int
adoption_open_issued(struct adoption **A, const struct site *S, const uint8_t id[RECORD_ID])
{
	struct search s = { .S = S, .id = id };

	return (open_found(A, &s));
}

int
adoption_each_folder(const struct site *S, int (*each)(void *context, const char *dir), void *context)
{
	struct search s = { .S = S, .each = each, .context = context };

	return (search(&s));
}

const struct adoption_disk *
adoption_disk(const struct adoption *A, const char *id)
{
	for (unsigned i = 0; i < A->ndisks; i++)
		if (strcmp(A->disks[i].id, id) == 0)
			return (&A->disks[i]);
	return (NULL);
}

int
adoption_path(const struct adoption *A, const char *id, char out[PATH_MAX])
{
	return (io_path(out, "%s/%s.raw", A->folder, id));
}

/* --- making and removing ------------------------------------------------------------------------------ */

/* What an interruption left of one that was removed goes; the caller holds the lock of adopt. */
static int
remove_abandoned(const char *all)
{
	char path[PATH_MAX];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	if ((d = opendir(all)) == NULL)
		return (say_failed("%s: cannot open: %s", all, strerror(errno)));
	while (rc == 0 && (e = readdir(d)) != NULL)
		if (strncmp(e->d_name, ".gone.", 6) == 0 || strcmp(e->d_name, ".new") == 0)
			rc = io_path(path, "%s/%s", all, e->d_name) != 0 ? -1 : io_remove_tree(path);
	closedir(d);
	return (rc);
}

/* It is made under another name, so that nobody ever meets half of it. */
int
adoption_create(struct adoption *A, const struct site *S, const char *store)
{
	char all[PATH_MAX], final[PATH_MAX], uuid[HEADER_UUID];
	uint8_t random[16];

	randombytes_buf(random, sizeof random);
	name_make_uuid(uuid, random);
	randombytes_buf(A->leaf_seed, LEAF_SEED);
	leaf_secret_make(&A->secret, A->leaf_seed);
	if (io_path(all, "%s/adopted", site_home(S)) != 0 || io_path(final, "%s/%s", all, uuid) != 0 ||
	    io_path(A->dir, "%s/.new", all) != 0 ||
	    (store[0] != '\0' ? io_path(A->folder, "%s/.adopted.%s", store, uuid)
	                      : io_path(A->folder, "%s/disks", final)) != 0)
		return (-1);
	if (remove_abandoned(all) != 0 || io_mkdir(A->dir, 0700) != 0)
		return (-1);
	A->lock = folders_lock(A->dir);
	if (A->lock < 0)
		return (A->lock == -2 ? 1 : -1);
	if (adoption_save(A) != 0 || io_publish(A->dir, final, all) != 0)
		return (-1);
	return (io_path(A->dir, "%s", final));
}

/* The copies first; then the record, which is there whole or not at all. */
int
adoption_remove(const struct adoption *A)
{
	char all[PATH_MAX], gone[PATH_MAX];
	const char *slash = strrchr(A->dir, '/');

	if (io_path(all, "%.*s", (int)(slash - A->dir), A->dir) != 0 ||
	    io_path(gone, "%s/.gone.%s", all, slash + 1) != 0 || io_remove_tree(A->folder) != 0 ||
	    io_publish(A->dir, gone, all) != 0)
		return (-1);
	return (io_remove_tree(gone));
}
