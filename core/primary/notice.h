#ifndef NOTICE_H_
#define NOTICE_H_

#include "primary/primary.h"
#include "site/site.h"

/**
 * Write the signed word that this site is the VM's primary, in which epoch and at which point, to a file or to standard
 * output for "-": a receipt, for the other sites to import.  0; 1, said; -1.
 */
int notice_write(const struct primary *P, const struct site *S, const char *path);

#endif
