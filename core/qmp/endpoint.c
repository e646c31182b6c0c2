#include "qmp/endpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/say.h"

/* --- its name ----------------------------------------------------------------------------------------------- */

/* Take a value up to a single comma or the end: what is behind it, or NULL if it is too long. */
static const char *
take_value(const char *s, char out[PATH_MAX])
{
	size_t n = 0;

	for (; *s != '\0' && n < PATH_MAX - 1; s++) {
		if (*s == ',' && s[1] != ',')
			break;
		if (*s == ',')
			s++;
		out[n++] = *s;
	}
	out[n] = '\0';
	return (*s == ',' ? s + 1 : *s == '\0' ? s : NULL);
}

int
endpoint_parse(struct endpoint *E, const char *host)
{
	static const char wanted[] = "a host 'qmp' is named qmp:SOCKET[,agent=SOCKET][,scratch=FOLDER], with "
	                             "absolute paths";
	const char *s = take_value(host, E->monitor);
	char *to;

	E->agent[0] = E->scratch[0] = '\0';
	while (s != NULL && *s != '\0') {
		to = strncmp(s, "agent=", 6) == 0     ? E->agent
		     : strncmp(s, "scratch=", 8) == 0 ? E->scratch
		                                      : NULL;
		s = to == NULL ? NULL : take_value(strchr(s, '=') + 1, to);
		if (to != NULL && to[0] != '/')
			s = NULL;
	}
	if (s == NULL || E->monitor[0] != '/')
		return (say_refused("'%s': %s", host, wanted));
	return (0);
}

/* --- who is there ------------------------------------------------------------------------------------------- */

/* A QEMU that says its name must say the right one: a socket is soon mistaken for that of another VM. */
static int
check_name(const struct endpoint *E, const struct question *Q, struct monitor *M)
{
	const char *name;
	json_t *J = NULL;
	int rc = monitor_must(M, "query-name", NULL, &J);

	name = json_string_value(json_object_get(J, "name"));
	if (rc == 0 && name != NULL && strcmp(name, Q->name) != 0)
		rc = say_refused(
		    "%s: the QEMU at %s is '%s': name that VM's own socket with --host, or start it "
		    "with -name '%s'",
		    Q->name, E->monitor, name, Q->name);
	json_decref(J);
	return (rc);
}

int
endpoint_open(const struct endpoint *E, const struct question *Q, struct monitor **M)
{
	int rc = monitor_open(M, E->monitor);

	if (rc == 0 && (rc = check_name(E, Q, *M)) != 0) {
		monitor_close(*M);
		*M = NULL;
	}
	return (rc);
}

int
endpoint_must(const struct endpoint *E, const struct question *Q, struct monitor **M)
{
	int rc = endpoint_open(E, Q, M);

	if (rc == MONITOR_OFF)
		return (say_refused("%s: no QEMU listens at %s: the VM is off", Q->name, E->monitor));
	if (rc == MONITOR_BUSY)
		return (say_refused(
		    "%s: QEMU speaks with another program at %s: give vmferry a socket of its own, "
		    "with one more -qmp option",
		    Q->name, E->monitor));
	return (rc);
}

int
endpoint_status(struct monitor *M, char out[32])
{
	const char *s;
	json_t *J = NULL;
	int rc = monitor_must(M, "query-status", NULL, &J);

	s = json_string_value(json_object_get(J, "status"));
	snprintf(out, 32, "%s", s == NULL ? "unknown" : s);
	json_decref(J);
	return (rc);
}
