#ifndef STATUS_H_
#define STATUS_H_

#include "site/site.h"

/**
 * Print what this site replicates, or one VM of it by name or UUID: a line for each, or JSON.  Nothing is read but the
 * records, what is free at the stores, and the names of exports that are not finished.  0; 1, said: there is no such VM;
 * -1, said: also where a record could not be read.
 */
int status(const struct site *S, const char *vm, int json);

#endif
