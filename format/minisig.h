#ifndef MINISIG_H_
#define MINISIG_H_

#include <stddef.h>
#include <stdint.h>

#include "record.h"

/*
 * Signatures as minisign(1) makes and checks them, in its prehashed form "ED": Ed25519 over the BLAKE2b-512 of a
 * file, and once more over that signature and a comment.  The messages that are signed have 64 bytes, the output
 * of a hash, or begin with a signature, so that neither can be one of ours, which begin with words; see card(5).
 */
#define MINISIG_KEY 57u      /* a public key as one line, and its NUL */
#define MINISIG_MAX 1024u    /* more than the text of a signature */
#define MINISIG_COMMENT 512u /* more than the longest comment that is taken */

/* The public key as minisign -P takes it. */
void minisig_key(char out[MINISIG_KEY], const uint8_t key[RECORD_KEY]);

/**
 * The text of a signature over n bytes of data, with a trusted comment: one line of printable text of less than
 * MINISIG_COMMENT bytes.  Return its length.
 */
size_t minisig_encode(char out[MINISIG_MAX], const void *data, size_t n, const char *comment,
    const uint8_t secret[RECORD_SECRET]);

#endif
