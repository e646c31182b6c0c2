#include "replica/replica.h"

#include <errno.h>
#include <libgen.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "name.h"
#include "replica/outbox.h"
#include "replica/replica_record.h"
#include "site/folders.h"
#include "base/say.h"

struct replica_point *
replica_last(const struct replica *R)
{
	return (R->npoints == 0 ? NULL : &R->points[R->npoints - 1]);
}

struct replica_point *
replica_point(const struct replica *R, uint64_t seq)
{
	for (unsigned i = 0; i < R->npoints; i++)
		if (R->points[i].point.seq == seq)
			return (&R->points[i]);
	return (NULL);
}

int
replica_add_point(struct replica *R, const struct replica_point *p)
{
	struct replica_point *more = realloc(R->points, (R->npoints + 1) * sizeof *more);

	if (more == NULL)
		return (say_failed("out of memory"));
	R->points = more;
	R->points[R->npoints++] = *p;
	return (0);
}

int
replica_add_staged(struct replica *R, const struct replica_staged *s)
{
	struct replica_staged *more = realloc(R->staged, (R->nstaged + 1) * sizeof *more);

	if (more == NULL)
		return (say_failed("out of memory"));
	R->staged = more;
	R->staged[R->nstaged++] = *s;
	return (0);
}

int
replica_add_volume(struct replica_staged *s, const struct replica_volume *v)
{
	struct replica_volume *more = realloc(s->volumes, (s->nvolumes + 1) * sizeof *more);
	unsigned i = s->nvolumes;

	if (more == NULL)
		return (say_failed("out of memory"));
	s->volumes = more;
	for (; i > 0 && more[i - 1].chain.number > v->chain.number; i--)
		more[i] = more[i - 1];
	more[i] = *v;
	s->nvolumes++;
	return (0);
}

void
replica_drop_staged(struct replica *R, unsigned i)
{
	free(R->staged[i].volumes);
	memmove(R->staged + i, R->staged + i + 1, (R->nstaged - i - 1) * sizeof *R->staged);
	R->nstaged--;
}

int
replica_save(const struct replica *R)
{
	char path[PATH_MAX];

	return (io_path(path, "%s/state", R->dir) != 0 ? -1 : replica_record_write(path, R));
}

static int
read_record(struct replica *R)
{
	char path[PATH_MAX];

	return (io_path(path, "%s/state", R->dir) != 0 ? -1 : replica_record_read(path, R));
}

int
replica_has_say(const struct site *S, const char *uuid)
{
	char found[HEADER_UUID];
	int rc = replica_find(S, uuid, found);
	struct replica *R;

	if (rc <= 0)
		return (rc);
	if (replica_look(&R, S, found) != 0)
		return (-1);
	rc = R->role.state != ROLE_TURNED;
	replica_close(R);
	return (rc);
}

int
replica_each(const struct site *S, int (*each)(void *context, const char *uuid), void *context)
{
	return (folders_each(S, "replicas", each, context));
}

struct stores {
	const struct site *S;
	int (*each)(void *context, const char *dir);
	void *context;
};

/* The folder of a replica that lies in a store, which may not be one that is named any more. */
static int
each_store(void *context, const char *uuid)
{
	const struct stores *s = context;
	char path[PATH_MAX], real[PATH_MAX];
	struct replica *R;
	int rc;

	if (io_path(path, "%s/replicas/%s", site_home(s->S), uuid) != 0)
		return (-1);
	if (realpath(path, real) == NULL)
		return (say_failed("%s: cannot find: %s", path, strerror(errno)));
	if ((rc = s->each(s->context, real)) != 0 || replica_look_at(&R, real) != 0)
		return (rc); /* said, if its record is damaged; it is not in the way of the others */
	for (unsigned i = 0; rc == 0 && i < R->ndisks; i++)
		if (R->where[i][0] == '/' && io_exists(R->where[i]) == 1)
			rc = s->each(s->context, R->where[i]);
	replica_close(R);
	return (rc);
}

/* Those that the trust file names. */
static int
named_stores(const struct stores *s)
{
	const struct trust *T = site_trust(s->S);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < T->n; i++)
		if (T->entries[i].store[0] != '\0' && (rc = io_mkdir_all(T->entries[i].store, 0755)) == 0)
			rc = s->each(s->context, T->entries[i].store);
	return (rc);
}

int
replica_each_store(const struct site *S, int (*each)(void *context, const char *dir), void *context)
{
	struct stores s = { S, each, context };
	int rc = named_stores(&s);

	return (rc == 0 ? replica_each(S, each_store, &s) : rc);
}

int
replica_its_stores(
    const struct site *S, const char *uuid, int (*each)(void *context, const char *dir), void *context)
{
	struct stores s = { S, each, context };
	char found[HEADER_UUID];
	int rc = named_stores(&s);

	if (rc != 0 || (rc = replica_find(S, uuid, found)) <= 0)
		return (rc);
	return (each_store(&s, found));
}

static int
replica_new(struct replica **R, const struct site *S, const char *uuid)
{
	if ((*R = calloc(1, sizeof **R)) == NULL)
		return (say_failed("out of memory"));
	(*R)->lock = -1;
	if (io_path((*R)->dir, "%s/replicas/%s", site_home(S), uuid) == 0)
		return (0);
	replica_close(*R);
	return (-1);
}

int
replica_look_at(struct replica **R, const char *dir)
{
	if ((*R = calloc(1, sizeof **R)) == NULL)
		return (say_failed("out of memory"));
	(*R)->lock = -1;
	if (io_path((*R)->dir, "%s", dir) == 0 && read_record(*R) == 0)
		return (0);
	replica_close(*R);
	*R = NULL;
	return (-1);
}

int
replica_look(struct replica **R, const struct site *S, const char *uuid)
{
	char dir[PATH_MAX];

	*R = NULL;
	return (io_path(dir, "%s/replicas/%s", site_home(S), uuid) != 0 ? -1 : replica_look_at(R, dir));
}

struct search {
	const struct site *S;
	const char *vm;
	char *uuid;
	unsigned found;
};

static int
is_wanted(void *context, const char *uuid)
{
	struct search *s = context;
	struct replica *R;

	if (folders_may_be(s->S, "replicas", uuid, s->vm) <= 0 || replica_look(&R, s->S, uuid) != 0)
		return (0); /* said; it is not in the way of the others */
	if (strcmp(R->vm, s->vm) == 0) {
		strcpy(s->uuid, uuid);
		s->found++;
	}
	replica_close(R);
	return (0);
}

int
replica_find(const struct site *S, const char *vm, char uuid[HEADER_UUID])
{
	struct search s = { S, vm, uuid, 0 };
	int found;

	/* A UUID is nothing else, whatever name another site gave a VM of its own. */
	if (name_check_uuid(vm) == NULL) {
		if ((found = folders_has(S, "replicas", vm)) == 1)
			memmove(uuid, vm, HEADER_UUID); /* which may be the same */
		return (found);
	}
	if (replica_each(S, is_wanted, &s) != 0)
		return (-1);
	if (s.found > 1)
		return (say_failed(
		    "%s: several replicas have that name; say the UUID, which 'vmferry status' shows", vm));
	return ((int)s.found);
}

void
replica_close(struct replica *R)
{
	if (R == NULL)
		return;
	io_close(R->lock);
	free(R->points);
	while (R->nstaged > 0)
		replica_drop_staged(R, R->nstaged - 1);
	free(R->staged);
	while (R->nouts > 0)
		outbox_drop(R, R->nouts - 1);
	free(R->outs);
	sodium_memzero(R->leaf_seed, sizeof R->leaf_seed);
	free(R);
}

static int
take_lock(struct replica *R)
{
	R->lock = folders_lock(R->dir);
	return (R->lock == -2 ? 1 : R->lock < 0 ? -1 : 0);
}

/* The UUID of the replica of a VM: 0; 1, said, if there is none; -1. */
static int
must_find(const struct site *S, const char *vm, char uuid[HEADER_UUID])
{
	int rc = replica_find(S, vm, uuid);

	if (rc == 0)
		return (
		    say_refused("%s: there is no replica of that VM here; it comes with the first seed", vm));
	return (rc < 0 ? -1 : 0);
}

int
replica_look_for(struct replica **R, const struct site *S, const char *vm)
{
	char uuid[HEADER_UUID];
	int rc = must_find(S, vm, uuid);

	*R = NULL;
	return (rc == 0 ? replica_look(R, S, uuid) : rc);
}

/* An interruption may have left entries of nothing: the file of a part is gone that was to become a volume. */
static int
forget_nothing(struct replica *R)
{
	char path[PATH_MAX];
	int there, changed = 0;

	for (unsigned i = R->nstaged; i-- > 0;) {
		struct replica_staged *s = &R->staged[i];

		if (s->cut != 0 &&
		    (replica_part_path(R, s->id, s->cut, path) != 0 || (there = io_exists(path)) < 0))
			return (-1);
		if (s->cut != 0 && !there) {
			s->cut = 0;
			changed = 1;
		}
		if (s->cut == 0 && s->nvolumes == 0 && !s->on_disks) {
			replica_drop_staged(R, i);
			changed = 1;
		}
	}
	return (changed ? replica_save(R) : 0);
}

int
replica_open(struct replica **R, const struct site *S, const char *vm)
{
	char uuid[HEADER_UUID];
	int rc = must_find(S, vm, uuid);

	*R = NULL;
	if (rc != 0)
		return (rc);
	if (replica_new(R, S, uuid) != 0)
		return (-1);
	if ((rc = take_lock(*R)) == 0 && (rc = read_record(*R)) == 0 && (rc = forget_nothing(*R)) == 0)
		rc = replica_tidy(*R);
	if (rc != 0) {
		replica_close(*R);
		*R = NULL;
	}
	return (rc);
}

void
replica_follow(struct replica *R, const struct trust_entry *e, const struct header *H)
{
	if (e != NULL) {
		strcpy(R->primary, e->card.name);
		memcpy(R->key, e->card.sign, RECORD_KEY);
	}
	/* Those of before there were any say nothing of it. */
	if (!H->has_wishes)
		return;
	R->nheirs = H->nheirs;
	memcpy(R->heirs, H->heirs, sizeof R->heirs);
	R->wishes = H->wishes;
}

void
replica_describe(struct replica *R, const struct trust_entry *e, const struct header *H,
    const uint8_t leaf_seed[LEAF_SEED])
{
	strcpy(R->uuid, H->uuid);
	strcpy(R->vm, H->vm);
	memcpy(R->lineage, H->lineage, RECORD_ID);
	strcpy(R->primary, e->card.name);
	memcpy(R->key, e->card.sign, RECORD_KEY);
	role_begin(&R->role, ROLE_REPLICA, ROLE_WAITING);
	R->role.history = H->history;
	R->wishes = (struct header_wishes){ .level = HEADER_LEVEL_DEFAULT };
	replica_follow(R, NULL, H);
	strcpy(R->host, e->host[0] == '\0' ? "none" : e->host);
	R->keep = trust_points(e, H->keep);
	R->ndisks = 0;
	replica_add_disks(R, H);
	R->nexcluded = H->nexcluded;
	memcpy(R->excluded, H->excluded, sizeof R->excluded);
	memcpy(R->leaf_seed, leaf_seed, LEAF_SEED);
	leaf_secret_make(&R->secret, leaf_seed);
}

/* Where a new replica comes to lie: the folder of all of them, and its own, and under which name it is made. */
struct place {
	char all[PATH_MAX], final[PATH_MAX], made[PATH_MAX];
	int is_store; /* then a link in the home leads to it */
};

static int
find_place(struct place *p, const struct site *S, const struct trust_entry *e, const char *uuid)
{
	p->is_store = e->store[0] != '\0';
	if (p->is_store ? io_path(p->all, "%s", e->store) : io_path(p->all, "%s/replicas", site_home(S)))
		return (-1);
	return (
	    io_path(p->final, "%s/%s", p->all, uuid) != 0 ? -1 : io_path(p->made, "%s/.%s", p->all, uuid));
}

/* What an interruption left in the place goes; what may be somebody's replica does not. */
static int
clear_place(const struct place *p)
{
	struct replica *old;
	int there = io_exists(p->final), empty = 0;

	if (there < 0 || io_remove_tree(p->made) != 0)
		return (-1);
	if (!there)
		return (0);
	if ((old = calloc(1, sizeof *old)) == NULL)
		return (say_failed("out of memory"));
	old->lock = -1;
	if (io_path(old->dir, "%s", p->final) == 0 && read_record(old) == 0)
		empty = old->npoints == 0;
	replica_close(old);
	if (!empty)
		return (say_refused(
		    "%s: a replica of this VM lies there already, of another site; move it away", p->final));
	return (io_remove_tree(p->final));
}

/* Make it whole under another name, so that nobody ever meets half of it. */
static int
make_folder(struct replica *R, const struct place *p, int (*fill)(void *context, const struct replica *R),
    void *context)
{
	static const char *const folders[] = { "disks", "leaves", "inbox", "undo" };
	char path[PATH_MAX];
	int rc;

	if (io_path(R->dir, "%s", p->made) != 0 || io_mkdir(p->made, 0700) != 0)
		return (-1);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (io_path(path, "%s/%s", p->made, folders[i]) != 0 || io_mkdir(path, 0700) != 0)
			return (-1);
	if ((rc = take_lock(R)) != 0 || (fill != NULL && (rc = fill(context, R)) != 0))
		return (rc);
	return (replica_save(R) != 0 ? -1 : io_publish(p->made, p->final, p->all));
}

struct replica *
replica_blank(void)
{
	struct replica *R = calloc(1, sizeof *R);

	if (R == NULL)
		say_failed("out of memory");
	else
		R->lock = -1;
	return (R);
}

int
replica_make(struct replica *R, const struct site *S, const struct trust_entry *e,
    int (*fill)(void *context, const struct replica *R), void *context)
{
	struct place p = { .is_store = 0 };
	char home[PATH_MAX];
	int rc = io_path(home, "%s/replicas/%s", site_home(S), R->uuid);

	if (rc == 0)
		rc = find_place(&p, S, e, R->uuid);
	if (rc == 0 && (rc = clear_place(&p)) == 0)
		rc = make_folder(R, &p, fill, context);
	if (rc == 0 && p.is_store)
		rc = io_link_to(p.final, home);
	if (rc == 0)
		rc = io_path(R->dir, "%s", home);
	return (rc);
}

int
replica_create(struct replica **R, const struct site *S, const struct trust_entry *e, const struct header *H,
    const uint8_t leaf_seed[LEAF_SEED])
{
	int rc;

	if ((*R = replica_blank()) == NULL)
		return (-1);
	replica_describe(*R, e, H, leaf_seed);
	if ((rc = replica_make(*R, S, e, NULL, NULL)) != 0) {
		replica_close(*R);
		*R = NULL;
	}
	return (rc);
}

int
replica_remove(struct replica *R, const struct site *S)
{
	char real[PATH_MAX], home[PATH_MAX], all[PATH_MAX], made[PATH_MAX];
	int rc = -1;

	if (realpath(R->dir, real) == NULL)
		say_failed("%s: cannot find: %s", R->dir, strerror(errno));
	else if (io_path(home, "%s/replicas/%s", site_home(S), R->uuid) == 0 && io_path(all, "%s", real) == 0)
		rc = io_path(made, "%s/.%s", dirname(all), R->uuid);
	/* First it is none to anybody any more, then its files go. */
	if (rc == 0 && io_is_link(home))
		rc = io_remove(home);
	if (rc == 0)
		rc = io_publish(real, made, all);
	if (rc == 0)
		rc = io_remove_tree(made);
	replica_close(R);
	return (rc);
}

/* Does a test or a failover stand on that point? */
static int
is_stood_on(const struct replica *R, const struct point *p)
{
	return ((R->test.is_on && R->test.at.seq == p->seq) ||
	        (R->role.state == ROLE_FAILOVER && R->role.at.seq == p->seq));
}

/* The points beyond the limit, up to the first that is pinned or stood on. */
static unsigned
surplus(const struct replica *R)
{
	unsigned n = 0;

	while (R->npoints - n > R->keep && !R->points[n].is_pinned && !is_stood_on(R, &R->points[n].point))
		n++;
	return (n);
}

unsigned
replica_drop_surplus(struct replica *R)
{
	unsigned n = surplus(R);

	if (n == 0)
		return (0);
	memmove(R->points, R->points + n, (R->npoints - n) * sizeof *R->points);
	R->npoints -= n;
	return (n);
}

int
replica_prune(struct replica *R)
{
	return (replica_drop_surplus(R) == 0 ? 0 : replica_save(R));
}

int
replica_has_pins(const struct replica *R)
{
	for (unsigned i = 0; i < R->npoints; i++)
		if (R->points[i].is_pinned)
			return (1);
	return (0);
}
