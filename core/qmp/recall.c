#include "qmp/recall.h"

#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "base/state.h"

/* The folder, and the file in it: 0; 2, unsaid: there is no home; -1, said. */
static int
find_paths(const char *name, const char *what, char folder[PATH_MAX], char path[PATH_MAX])
{
	const char *home = getenv("VMFERRY_HOME");
	unsigned char h[crypto_generichash_BYTES_MIN];
	char hex[2 * sizeof h + 1];

	if (home == NULL || home[0] != '/')
		return (2);
	crypto_generichash(h, sizeof h, (const unsigned char *)name, strlen(name), NULL, 0);
	sodium_bin2hex(hex, sizeof hex, h, sizeof h);
	if (io_path(folder, "%s/qmp", home) != 0)
		return (-1);
	return (io_path(path, "%s/%s-%s.json", folder, hex, what));
}

int
recall_keep(const char *name, const char *what, json_t *J)
{
	char folder[PATH_MAX], path[PATH_MAX];
	int rc = find_paths(name, what, folder, path);

	if (rc == 0 && io_mkdir(folder, 0700) == 0)
		return (state_write(path, J));
	json_decref(J);
	return (rc == 2 ? 0 : -1);
}

json_t *
recall_get(const char *name, const char *what)
{
	char folder[PATH_MAX], path[PATH_MAX];

	if (find_paths(name, what, folder, path) != 0 || io_exists(path) != 1)
		return (NULL);
	return (state_read(path));
}

int
recall_remove(const char *name, const char *what)
{
	char folder[PATH_MAX], path[PATH_MAX];
	int rc = find_paths(name, what, folder, path);

	if (rc != 0)
		return (rc == 2 ? 0 : -1);
	return (io_exists(path) == 1 ? io_remove(path) : 0);
}
