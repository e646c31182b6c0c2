#include "site/slip.h"

#include "base/io.h"
#include "bundle/writer.h"

int
slip_write(const struct header *H, const struct site *S, struct outfile *F)
{
	struct trailer T = { .ndisks = 0 };
	char tmp[PATH_MAX];
	struct writer *W;
	int rc = -1;

	if (io_path(tmp, "%s/tmp", site_home(S)) != 0 || (W = writer_new(F, tmp, site_secret(S))) == NULL)
		return (-1);
	if (writer_header(W, H) == 0 && writer_finish(W, H, &T) == 0)
		rc = outfile_commit(F);
	writer_free(W);
	return (rc);
}
