#ifndef REPORT_STYLE_H_
#define REPORT_STYLE_H_

#include <stdio.h>

/* How the page looks: on a phone and a desk, in the light and in the dark, and on paper.  It names nothing outside. */
void report_style_put(FILE *out);

#endif
