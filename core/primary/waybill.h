#ifndef WAYBILL_H_
#define WAYBILL_H_

#include "primary/ship.h"

/* What goes in front of a bundle: its header, sealed for the targets, and the record that it is pending. */

/* What the bundle is to be, in words of a command line. */
int waybill_wish(const struct export_options *o, char out[PENDING_WISH]);

/* The command that goes on with what is pending.  0 or -1. */
int waybill_command(const struct primary *P, const struct pending *p, char out[PENDING_WISH]);

/* Is it a handover? */
int waybill_is_final(const struct pending *p);

/* A new bundle of what was cut: the header, sealed for the targets; its pending record.  0; 1, said; -1. */
int waybill_make(struct ship *s);

/* The place of a file that is written to, from anywhere: its folder, which is there, without links and dots. */
int waybill_output(const char *path, char out[PATH_MAX]);

#endif
