#ifndef MANIFEST_H_
#define MANIFEST_H_

#include <stdint.h>

#include "medium/medium.h"
#include "record.h"

/*
 * The manifest of a bundle on a medium: STEM.b2, one line for each of its volumes there, which "b2sum -c STEM.b2"
 * checks, and STEM.b2.minisig, which signs that; see minisig.h.  For auditors with ordinary tools: our own
 * verification needs neither.
 *
 *    BLAKE2b-256 (web1-delta-41-43.1a2b3c4d.001.vmf) = HEX
 */

/**
 * Put the digest of a volume of that name into the manifest of stem, in place of what it said of that volume, and
 * sign it with secret; durable.  0; -1, said.
 */
int manifest_add(const struct medium *M, const char *stem, const char *volume,
    const uint8_t digest[RECORD_DIGEST], const uint8_t secret[RECORD_SECRET]);

/* Take a volume out again, and the manifest with its last one. */
int manifest_drop(
    const struct medium *M, const char *stem, const char *volume, const uint8_t secret[RECORD_SECRET]);

#endif
