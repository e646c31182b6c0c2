#ifndef REPORT_TEXT_H_
#define REPORT_TEXT_H_

#include <stdint.h>
#include <stdio.h>

/*
 * Words on a page of HTML.  Whatever was not written in our own source goes through here: a name or a cause is text, and
 * can never become markup, in an element or in an attribute that stands in double quotes.  What is not printable shows as
 * U+FFFD.  Pure: all goes to out, whose errors are its owner's to see.
 */
void report_text_put(FILE *out, const char *text);

/* At most so many characters of it, the last one an ellipsis where it is longer. */
void report_text_short(FILE *out, const char *text, unsigned most);

/* The same with the commands in it, which stand in single quotes, as code. */
void report_text_advice(FILE *out, const char *text);

/* "2026-03-01 12:00 UTC" */
#define REPORT_TIME 32u
void report_text_clock(char text[REPORT_TIME], int64_t at);

/* That time as an element: as it is, or as "3 minutes ago" with the time in its title. */
void report_text_time(FILE *out, int64_t at);
void report_text_age(FILE *out, int64_t at, int64_t now);

/* Bytes, and seconds, with a unit. */
void report_text_size(FILE *out, uint64_t bytes);
void report_text_span(FILE *out, uint64_t seconds);

#endif
