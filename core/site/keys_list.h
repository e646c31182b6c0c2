#ifndef KEYS_LIST_H_
#define KEYS_LIST_H_

#include "site/site.h"

/* Print the keys of this site and of those that it knows, for people or as JSON: 0 or -1. */
int keys_list(const struct site *S, int json);

#endif
