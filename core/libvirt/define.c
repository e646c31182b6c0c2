#include "libvirt/define.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "libvirt/adapt.h"
#include "libvirt/connect.h"
#include "libvirt/domstate.h"
#include "libvirt/ours.h"

/* --- whose is it? ------------------------------------------------------------------------------------ */

/* There is none of that name; nor may its UUID be another one's. */
static int
check_uuid(virConnectPtr C, const struct question *Q)
{
	virDomainPtr other;
	int rc;

	if (Q->uuid[0] == '\0' || Q->purpose == HOST_TEST)
		return (0);
	if ((other = virDomainLookupByUUIDString(C, Q->uuid)) == NULL)
		return (connect_was(VIR_ERR_NO_DOMAIN)
		            ? 0
		            : say_failed("%s: its UUID cannot be looked up: %s", Q->name, connect_words()));
	rc = say_refused(
	    "%s: this host has the VM of that UUID as '%s': give it its name with 'virsh domrename', "
	    "or remove it",
	    Q->name, virDomainGetName(other));
	connect_free(other);
	return (rc);
}

static int
judge(virDomainPtr D, const struct question *Q, enum define_kind *kind)
{
	char vm[VIR_UUID_STRING_BUFLEN], uuid[VIR_UUID_STRING_BUFLEN] = "";
	enum ours whose = ours_get(D, vm);
	int is_itself =
	    virDomainGetUUIDString(D, uuid) == 0 && strcmp(uuid, Q->uuid) == 0 && Q->purpose != HOST_TEST;

	if (whose != OURS_NOT && strcmp(vm, Q->uuid) != 0)
		return (say_refused(
		    "%s: this host has another VM of that name, which vmferry knows as %s: rename it with "
		    "'virsh domrename'",
		    Q->name, vm));
	if (whose == OURS_NOT && !is_itself)
		return (say_refused(
		    "%s: this host has a VM of that name that is another, with the UUID %s, and not of "
		    "vmferry's making: rename it with 'virsh domrename', or remove it",
		    Q->name, uuid));
	*kind = whose == OURS_MADE ? DEFINE_NEW : DEFINE_LENT;
	return (0);
}

int
define_kind(virConnectPtr C, const struct question *Q, virDomainPtr *D, enum define_kind *kind)
{
	int rc = connect_find(C, Q->name, D);

	*kind = DEFINE_NEW;
	if (rc < 0)
		return (rc);
	if (rc == 1) {
		*D = NULL;
		return (check_uuid(C, Q));
	}
	if ((rc = judge(*D, Q, kind)) != 0) {
		connect_free(*D);
		*D = NULL;
	}
	return (rc);
}

/* --- define ------------------------------------------------------------------------------------------ */

/* A VM that another site has, or may have, does not start with this host. */
static void
set_autostart(const struct question *Q, virDomainPtr D)
{
	int is_on = 0;

	if (Q->purpose == HOST_PRIMARY || virDomainGetAutostart(D, &is_on) != 0 || !is_on)
		return;
	if (virDomainSetAutostart(D, 0) == 0)
		say_note(
		    "%s: does not start with this host any more; when it may again, say 'virsh autostart'",
		    Q->name);
}

/* Give the definition to libvirt: 0; 1, unsaid, if it does not want it; -1, said. */
static int
give(virConnectPtr C, const struct question *Q, xmlNodePtr top)
{
	char *text = xml_dump(top);
	virDomainPtr D;

	if (text == NULL)
		return (say_failed("%s: there is no memory for its definition", Q->name));
	D = virDomainDefineXML(C, text);
	free(text);
	if (D == NULL)
		return (1);
	set_autostart(Q, D);
	connect_free(D);
	return (0);
}

static int
refuse(const struct question *Q)
{
	return (say_refused(
	    "%s: libvirt does not take its definition: %s; the map may say what is to be changed, see "
	    "vmferry-libvirt(1)",
	    Q->name, connect_words()));
}

/* A domain is redefined by its own UUID. */
static void
set_uuid(xmlNodePtr top, virDomainPtr D)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	xmlNodePtr old = xml_child(top, "uuid");

	if (D == NULL || virDomainGetUUIDString(D, uuid) != 0)
		return;
	if (old != NULL)
		xml_remove(old);
	(void)xml_add(top, "uuid", uuid);
}

static int
make(virConnectPtr C, const struct question *Q, const struct sitemap *M, virDomainPtr D)
{
	struct adapt A = { .C = C, .Q = Q, .M = M };
	int rc = adapt_build(&A);

	if (rc == 0)
		rc = adapt_disks_add(&A);
	if (rc == 0) {
		set_uuid(A.top, D);
		if ((rc = give(C, Q, A.top)) == 1 && A.source != NULL) {
			adapt_strip_addresses(&A);
			if ((rc = give(C, Q, A.top)) == 0)
				say_note(
				    "%s: its devices are at other places of its buses than at the primary",
				    Q->name);
		}
		if (rc == 1)
			rc = refuse(Q);
		adapt_say_dropped(&A);
	}
	adapt_release(&A);
	return (rc);
}

/* --- this host's own --------------------------------------------------------------------------------- */

static int
point_disks(struct adapt *A)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < A->Q->ndisks; i++) {
		const struct question_disk *d = &A->Q->disks[i];
		xmlNodePtr disk = adapt_disks_find(A->devices, d->id);

		if (disk == NULL)
			rc = adapt_disks_add_one(A, d);
		else if (d->path[0] != '\0' || d->uri[0] != '\0')
			rc = adapt_disks_point(disk, A->Q, d);
		/* An excluded one that nobody names stays what it is here. */
	}
	return (rc);
}

static int
change(
    virConnectPtr C, const struct question *Q, const struct sitemap *M, virDomainPtr D, enum define_kind kind)
{
	char *text = virDomainGetXMLDesc(D, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
	struct adapt A = { .C = C, .Q = Q, .M = M, .top = text == NULL ? NULL : xml_parse(text, "domain") };
	int rc;

	free(text);
	if (A.top == NULL)
		return (say_failed("%s: libvirt does not give its definition: %s", Q->name, connect_words()));
	A.devices = xml_child(A.top, "devices");
	if (ours_set(A.top, Q, kind == DEFINE_LENT ? OURS_LENT : OURS_MADE) != 0)
		rc = say_failed("%s: there is no memory for its definition", Q->name);
	else if ((rc = point_disks(&A)) == 0 && (rc = give(C, Q, A.top)) == 1)
		rc = refuse(Q);
	adapt_release(&A);
	return (rc);
}

/* Nothing but what it is for.  One that is not here need not be told. */
static int
mark(const struct question *Q, virDomainPtr D, enum define_kind kind)
{
	int rc = D == NULL ? 0 : ours_mark(D, Q, kind == DEFINE_LENT ? OURS_LENT : OURS_MADE);

	if (rc == 0 && D != NULL)
		set_autostart(Q, D);
	return (rc);
}

/* --- the verb ---------------------------------------------------------------------------------------- */

static int
is_off(virDomainPtr D, const char *name)
{
	enum host_run run;
	int rc = D == NULL ? 0 : domstate_get(D, &run);

	if (rc == 0 && D != NULL && run != HOST_OFF)
		return (say_refused("%s: is to be changed, and runs: shut it down first", name));
	return (rc);
}

int
define_answer(virConnectPtr C, const struct question *Q)
{
	struct sitemap *M = NULL;
	enum define_kind kind;
	virDomainPtr D = NULL;
	int rc = sitemap_read(&M);

	if (rc == 0)
		rc = define_kind(C, Q, &D, &kind);
	if (rc == 0 && Q->ndisks == 0 && Q->definition == NULL)
		rc = mark(Q, D, kind);
	else if (rc == 0 && (rc = is_off(D, Q->name)) == 0)
		/* What no definition comes for stays what it is. */
		rc = kind == DEFINE_LENT || (D != NULL && Q->definition == NULL) ? change(C, Q, M, D, kind)
		                                                                 : make(C, Q, M, D);
	connect_free(D);
	sitemap_free(M);
	return (rc);
}
