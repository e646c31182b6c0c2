#ifndef CYCLE_H_
#define CYCLE_H_

#include "primary/ship.h"
#include "tally/tally.h"

/* What becomes of a primary's cycles, for its figures (tally).  No work fails by any of these. */

/* All of the bundle is where it belongs. */
void cycle_sent(const struct ship *s);

/* The export ended with rc; one that was refused before anything of it was begun is no cycle. */
void cycle_failed(const struct ship *s, int rc);

/* The target has acknowledged a point, and so many bundles were on their way to it until then, and are now. */
void cycle_acked(const struct primary *P, const struct primary_target *t, unsigned before, unsigned now);

#endif
