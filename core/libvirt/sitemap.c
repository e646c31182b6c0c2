#include "libvirt/sitemap.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"

#define MAP_MAX 65536u
#define WORDS 6u

static const char *const kinds[] = { "network", "bridge", "device" };

const char *
sitemap_kind_name(enum sitemap_kind k)
{
	return (kinds[k]);
}

/* --- a line ------------------------------------------------------------------------------------------ */

static int
find_kind(const char *word, enum sitemap_kind *out)
{
	for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i], word) == 0) {
			*out = (enum sitemap_kind)i;
			return (0);
		}
	return (-1);
}

/* "network FROM TO", or "bridge FROM network TO".  NULL, or why not. */
static const char *
take_net(struct sitemap *M, unsigned n, char *const w[WORDS])
{
	struct sitemap_net *net = &M->nets[M->nnets];

	if (M->nnets == SITEMAP_NETS)
		return ("there are too many networks");
	(void)find_kind(w[0], &net->from);
	net->to = net->from;
	if (n == 4 && (find_kind(w[2], &net->to) != 0 || net->to == SITEMAP_DEVICE))
		return ("the third word is 'network' or 'bridge'");
	if ((n != 3 && n != 4) || (n == 3 && net->from == SITEMAP_DEVICE))
		return ("this wants the form 'network FROM TO' or 'bridge|device FROM network|bridge TO'");
	if (strlen(w[1]) > LIMIT_NAME || strlen(w[n - 1]) > LIMIT_NAME)
		return ("a name is too long");
	strcpy(net->from_name, w[1]);
	strcpy(net->to_name, w[n - 1]);
	M->nnets++;
	return (NULL);
}

static const char *
take_text(char *out, size_t size, const char *word)
{
	if (strlen(word) >= size)
		return ("this is too long");
	strcpy(out, word);
	return (NULL);
}

static const char *
take_path(char *out, size_t size, const char *word)
{
	return (word[0] != '/' ? "this wants an absolute path" : take_text(out, size, word));
}

static const char *
take_choice(int *out, const char *word, const char *no, const char *yes)
{
	if (strcmp(word, no) != 0 && strcmp(word, yes) != 0)
		return ("this word is not one of those that may stand here");
	*out = strcmp(word, yes) == 0;
	return (NULL);
}

static const char *
take_type(struct sitemap *M, const char *word)
{
	if (strcmp(word, "kvm") != 0 && strcmp(word, "qemu") != 0)
		return ("a type is 'kvm' or 'qemu'");
	return (take_text(M->type, sizeof M->type, word));
}

static const char *
take_pair(struct sitemap *M, const char *key, const char *word)
{
	if (strcmp(key, "test-network") == 0)
		return (take_text(M->test_network, sizeof M->test_network, word));
	if (strcmp(key, "emulator") == 0)
		return (take_path(M->emulator, sizeof M->emulator, word));
	if (strcmp(key, "type") == 0)
		return (take_type(M, word));
	if (strcmp(key, "machine") == 0)
		return (take_text(M->machine, sizeof M->machine, word));
	if (strcmp(key, "cpu") == 0)
		return (take_text(M->cpu, sizeof M->cpu, strcmp(word, "keep") == 0 ? "" : word));
	if (strcmp(key, "mac") == 0)
		return (take_choice(&M->new_macs, word, "keep", "new"));
	if (strcmp(key, "kernel") == 0)
		return (take_choice(&M->keep_kernel, word, "drop", "keep"));
	return ("this is no word of a map");
}

static const char *
take_line(struct sitemap *M, char *line)
{
	enum sitemap_kind kind;
	char *w[WORDS], *save = NULL;
	unsigned n = 0;

	for (char *p = strtok_r(line, " \t", &save); p != NULL && p[0] != '#';
	     p = strtok_r(NULL, " \t", &save)) {
		if (n == WORDS)
			return ("it has too many words");
		w[n++] = p;
	}
	if (n == 0)
		return (NULL);
	if (find_kind(w[0], &kind) == 0)
		return (take_net(M, n, w));
	return (n == 2 ? take_pair(M, w[0], w[1]) : "this wants one word and its value");
}

/* --- the file ---------------------------------------------------------------------------------------- */

static int
take_file(struct sitemap *M, const char *path, char *text)
{
	unsigned number = 1;

	for (char *line = text, *end; line != NULL; line = end, number++) {
		const char *why;

		if ((end = strchr(line, '\n')) != NULL)
			*end++ = '\0';
		if ((why = take_line(M, line)) != NULL)
			return (say_refused("%s: line %u: %s; see vmferry-libvirt(1)", path, number, why));
	}
	return (0);
}

int
sitemap_read(struct sitemap **out)
{
	const char *home = getenv("VMFERRY_HOME");
	struct sitemap *M = calloc(1, sizeof *M);
	char path[PATH_MAX], *text;
	size_t n;
	int rc = 0;

	*out = M;
	if (M == NULL)
		return (say_failed("there is no memory for the map"));
	if (home == NULL || home[0] != '/')
		return (0);
	if (io_path(path, "%s/map", home) != 0 || (rc = io_exists(path)) <= 0)
		return (rc);
	if ((text = io_slurp(path, MAP_MAX, &n)) == NULL)
		return (-1);
	rc = take_file(M, path, text);
	free(text);
	return (rc);
}

void
sitemap_free(struct sitemap *M)
{
	free(M);
}

const struct sitemap_net *
sitemap_find(const struct sitemap *M, enum sitemap_kind kind, const char *name)
{
	const struct sitemap_net *other = NULL;

	for (unsigned i = 0; i < M->nnets; i++) {
		if (M->nets[i].from != kind)
			continue;
		if (strcmp(M->nets[i].from_name, name) == 0)
			return (&M->nets[i]);
		if (strcmp(M->nets[i].from_name, "*") == 0)
			other = &M->nets[i];
	}
	return (other);
}
