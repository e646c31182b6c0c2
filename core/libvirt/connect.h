#ifndef CONNECT_H_
#define CONNECT_H_

#include <libvirt/libvirt.h>

/*
 * The connection to libvirt, and a domain by its name.  libvirt prints nothing by itself: what went wrong is said here,
 * with its own words for the cause.
 */

/**
 * Connect to the libvirt of that URI, "" for qemu:///system, to be closed with connect_close.  NULL, said, if it cannot
 * be reached or is not there.  What has no answer for 30 seconds has lost its connection.
 */
virConnectPtr connect_open(const char *uri);

/* The same once more where a connection was lost, unsaid; connect_open was called before. */
virConnectPtr connect_again(const char *uri);
void connect_close(virConnectPtr C); /* NULL is fine */

/**
 * The domain of that name: 0, *D being the caller's to give back with connect_free; 1, unsaid, if libvirt has none of
 * that name; -1, said.
 */
int connect_find(virConnectPtr C, const char *name, virDomainPtr *D);

/* The same where there must be one: 1 is said. */
int connect_need(virConnectPtr C, const char *name, virDomainPtr *D);
void connect_free(virDomainPtr D); /* NULL is fine */

/* What libvirt said last in this thread, in a line; never NULL, and good until libvirt is asked again. */
const char *connect_words(void);

/* Was what it said last this error (VIR_ERR_...)? */
int connect_was(int code);

#endif
