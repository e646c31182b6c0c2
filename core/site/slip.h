#ifndef SLIP_H_
#define SLIP_H_

#include "bundle/outfile.h"
#include "header.h"
#include "site/site.h"

/* Write a bundle that is all header, such as a receipt, signed by this site, and make it durable: 0 or -1. */
int slip_write(const struct header *H, const struct site *S, struct outfile *F);

#endif
