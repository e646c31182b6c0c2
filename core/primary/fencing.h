#ifndef FENCING_H_
#define FENCING_H_

#include "host/script.h"
#include "primary/primary.h"

/**
 * Let this site's host know that the VM may not be started here, while its primary has handed it over or is fenced, and
 * that it may again when that is past; only that, and nothing of what the VM is.  The record is saved.  0, also where
 * nobody is to be asked; 1, said; -1.  Nothing fails by it: it is tried again with the next command.
 */
int fencing_tell(struct primary *P);

/**
 * Run the site's script at the primary: the VM was handed over (SCRIPT_AFTER_STOP), or this site has become its primary
 * (SCRIPT_AFTER_TURN).  What it did not do is kept for a person, and the record saved.  0; -1, said.
 */
int fencing_script(struct primary *P, const struct site *S, enum script_phase phase, const char *act);

/* May the VM be started here, as far as its primary's record goes? */
int fencing_allows(const struct primary *P);

#endif
