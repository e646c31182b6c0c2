#ifndef VERSION_H_
#define VERSION_H_

/* The one place that says it: every tool prints it, and "make deb" names the packages by it. */
#define VERSION "0.9.0"

#endif
