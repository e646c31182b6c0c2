#ifndef COMPLETE_H_
#define COMPLETE_H_

/*
 * What a word on a command line may become, for shells that complete it.  The table is made from the man pages when
 * vmferry is built (doc/completion/table.awk), so that it has every option that they have.
 */
struct complete_row {
	const char
	    *path; /* "" (before the verb), a verb, or a verb and the word that goes with it: "trust add" */
	const char *token; /* an option; a verb, in path ""; or "": the words of that path */
	const char *
	    values; /* what it takes, divided by '|': words, @vm, @site, @file, @dir, * (something); "": nothing */
	const char *text; /* what it is for, or "" */
};
extern const struct complete_row complete_table[]; /* up to one whose path is NULL */

/**
 * Print what the last of n words behind "vmferry" (at least one, which may be empty) can become.  The first line is what
 * shells have to add themselves: files, directories or none; then a line for each candidate, with a tab and a text
 * where there is one.  home: the site's home, where the words do not say it; NULL: the default.  0; -1, said.
 */
int complete(const char *home, unsigned n, char *const words[]);

#endif
