#include "libvirt/backup.h"

#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "hyper/scratch.h"
#include "libvirt/connect.h"

#define GONE_TRIES 1500 /* of GONE_PAUSE microseconds: how long a job has to end */
#define GONE_PAUSE 20000

int
backup_scratch_dir(const struct live_disk *d, char dir[PATH_MAX])
{
	const char *slash = strrchr(d->path, '/');

	if (!d->is_file || slash == NULL)
		return (io_path(dir, "/var/tmp"));
	return (io_path(dir, "%.*s", slash == d->path ? 1 : (int)(slash - d->path), d->path));
}

/* --- its beginning -------------------------------------------------------------------------------------------- */

/* Text as the value of an attribute in single quotes. */
static void
put(FILE *f, const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		switch (*p) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '\'':
			fputs("&apos;", f);
			break;
		default:
			fputc(*p, f);
		}
}

static const struct backup_disk *
wanted(const struct backup *B, const struct live_disk *d)
{
	for (unsigned i = 0; i < B->ndisks; i++)
		if (B->disks[i].disk == d)
			return (&B->disks[i]);
	return (NULL);
}

static char *
job_xml(const struct backup *B)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return (NULL);
	fprintf(f, "<domainbackup mode='pull'><server transport='unix' socket='");
	put(f, B->socket);
	fprintf(f, "'/><disks>");
	for (unsigned i = 0; i < B->live->ndisks; i++) {
		const struct live_disk *d = &B->live->disks[i];
		const struct backup_disk *b = wanted(B, d);

		fprintf(f, "<disk name='");
		put(f, d->id);
		if (b == NULL) {
			fprintf(f, "' backup='no'/>");
			continue;
		}
		fprintf(f, "' backup='yes' type='file' exportname='");
		put(f, d->id);
		if (b->is_incremental)
			fprintf(f,
			    "' backupmode='incremental' incremental='%s' exportbitmap='%s'><scratch file='",
			    B->since, BACKUP_BITMAP);
		else
			fprintf(f, "' backupmode='full'><scratch file='");
		put(f, b->scratch);
		fprintf(f, "'/></disk>");
	}
	fprintf(f, "</disks></domainbackup>");
	if (fclose(f) == 0)
		return (text);
	free(text);
	return (NULL);
}

/* NULL where no disk keeps a bitmap: there is no checkpoint then. */
static char *
checkpoint_xml(const struct backup *B)
{
	char *text = NULL;
	size_t size, n = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return (NULL);
	fprintf(f, "<domaincheckpoint><name>%s</name><disks>", B->token);
	for (unsigned i = 0; i < B->live->ndisks; i++) {
		const struct backup_disk *b = wanted(B, &B->live->disks[i]);
		int keeps = b != NULL && b->keeps_bitmap;

		fprintf(f, "<disk name='");
		put(f, B->live->disks[i].id);
		fprintf(f, "' checkpoint='%s'/>", keeps ? "bitmap" : "no");
		n += (size_t)keeps;
	}
	fprintf(f, "</disks></domaincheckpoint>");
	if (fclose(f) == 0 && n > 0)
		return (text);
	free(text);
	return (NULL);
}

static int
try(virDomainPtr D, const struct backup *B)
{
	char *job = job_xml(B), *checkpoint = checkpoint_xml(B);
	int rc = job == NULL ? -1 : virDomainBackupBegin(D, job, checkpoint, 0);

	free(job);
	free(checkpoint);
	return (rc);
}

static void
leave_out(struct backup_disk *d, const char *words)
{
	d->is_incremental = 0;
	snprintf(d->why, sizeof d->why, "%s", words);
}

/* libvirt names the disk whose bitmap it cannot use: 'vda'.  How many are left out, that one or all. */
static int
leave_broken_out(struct backup *B)
{
	char words[HOST_WHY], name[LIMIT_DISK_ID + 16];
	int n = 0;

	snprintf(words, sizeof words, "%s", connect_words());
	for (unsigned i = 0; i < B->ndisks; i++) {
		struct backup_disk *d = &B->disks[i];

		snprintf(name, sizeof name, "disk '%s'", d->disk->id);
		if (d->is_incremental && strstr(words, name) != NULL) {
			leave_out(d, words);
			return (1);
		}
	}
	for (unsigned i = 0; i < B->ndisks; i++)
		if (B->disks[i].is_incremental) {
			leave_out(&B->disks[i], words);
			n++;
		}
	return (n);
}

/* The last resort: the disks as they are, and nothing noted.  How many noted something until now. */
static int
leave_bitmaps_out(struct backup *B)
{
	char words[HOST_WHY];
	int n = 0;

	snprintf(words, sizeof words, "%s", connect_words());
	for (unsigned i = 0; i < B->ndisks; i++)
		if (B->disks[i].keeps_bitmap) {
			B->disks[i].keeps_bitmap = 0;
			leave_out(&B->disks[i], words);
			n++;
		}
	return (n);
}

int
backup_begin(virDomainPtr D, struct backup *B)
{
	char first[HOST_WHY] = "";

	for (;;) {
		if (try(D, B) == 0)
			return (0);
		if (first[0] == '\0')
			snprintf(first, sizeof first, "%s", connect_words());
		if ((connect_was(VIR_ERR_CHECKPOINT_INCONSISTENT) ||
		        connect_was(VIR_ERR_NO_DOMAIN_CHECKPOINT)) &&
		    leave_broken_out(B) > 0)
			continue;
		if (connect_was(VIR_ERR_RPC) || connect_was(VIR_ERR_SYSTEM_ERROR) ||
		    leave_bitmaps_out(B) == 0)
			break;
	}
	return (say_refused("%s: libvirt cannot serve its disks: %s; its QEMU must be allowed to make %s",
	    virDomainGetName(D), first, B->socket));
}

/* --- and its end ---------------------------------------------------------------------------------------------- */

static int
read_socket(const char *text, char socket[PATH_MAX])
{
	xmlDocPtr doc = xmlReadMemory(text, (int)strlen(text), "backup.xml", NULL,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlXPathContextPtr X = doc == NULL ? NULL : xmlXPathNewContext(doc);
	xmlXPathObjectPtr o =
	    X == NULL ? NULL : xmlXPathEvalExpression(BAD_CAST "string(/domainbackup/server/@socket)", X);

	/* A job that is served in another way, or pushed, is there all the same. */
	snprintf(socket, PATH_MAX, "%s",
	    o != NULL && o->stringval != NULL && o->stringval[0] != '\0' ? (const char *)o->stringval : "-");
	xmlXPathFreeObject(o);
	xmlXPathFreeContext(X);
	xmlFreeDoc(doc);
	return (0);
}

int
backup_socket(virDomainPtr D, char socket[PATH_MAX])
{
	char *text = virDomainBackupGetXMLDesc(D, 0);
	int rc;

	socket[0] = '\0';
	if (text == NULL)
		return (
		    connect_was(VIR_ERR_NO_DOMAIN_BACKUP) || connect_was(VIR_ERR_OPERATION_INVALID) ? 0 : -1);
	rc = read_socket(text, socket);
	free(text);
	return (rc);
}

int
backup_end(virDomainPtr D)
{
	char socket[PATH_MAX];

	if (virDomainAbortJob(D) != 0 && !connect_was(VIR_ERR_OPERATION_INVALID))
		return (say_failed(
		    "%s: the job of a view cannot be ended: %s", virDomainGetName(D), connect_words()));
	for (int i = 0; i < GONE_TRIES; i++) {
		if (backup_socket(D, socket) != 0)
			break;
		if (socket[0] == '\0')
			return (0);
		usleep(GONE_PAUSE);
	}
	return (say_failed("%s: the job of a view does not end: see virsh domjobinfo", virDomainGetName(D)));
}

int
backup_end_of(virDomainPtr D, const char *token)
{
	char run[PATH_MAX], mine[PATH_MAX], socket[PATH_MAX];

	if (scratch_run(run) != 0 || io_path(mine, "%s/%s/nbd", run, token) != 0)
		return (-1);
	if (backup_socket(D, socket) != 0)
		return (
		    say_failed("%s: its jobs cannot be asked for: %s", virDomainGetName(D), connect_words()));
	return (strcmp(socket, mine) == 0 ? backup_end(D) : 0);
}
