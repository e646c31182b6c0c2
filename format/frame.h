#ifndef FRAME_H_
#define FRAME_H_

#include <stddef.h>
#include <stdint.h>

#include "record.h"

/*
 * The tar frame.  A bundle is an ordinary ustar archive, but each of its headers can have only one form: the
 * one that follows from the signed record it belongs to.  So a reader parses no tar header: it makes the one
 * that must stand there and compares all 512 bytes.  See bundle(5), and ustar in POSIX.1-2017 pax(1).
 */
#define FRAME_TAR 512u      /* a tar header; payloads are padded to a multiple of this with zeroes */
#define FRAME_HEAD 1024u    /* in front of every payload: the record's tar header, the record, its padding */
#define FRAME_TRAILER 1024u /* zeroes that close the archive */
#define FRAME_NAME 32u

/* The name of the member that holds R's payload; the one of R itself ends in ".rec" instead. */
void frame_name(char out[FRAME_NAME], const struct record *R);

/* The head of R: the tar member with the packed record rec. */
void frame_head(uint8_t out[FRAME_HEAD], const struct record *R, const uint8_t rec[RECORD_SIZE]);

/* The tar header in front of R's payload, where R->stored is not zero. */
void frame_payload(uint8_t out[FRAME_TAR], const struct record *R);

/* Bytes of zeroes behind a payload of n bytes. */
size_t frame_padding(uint64_t n);

/* Bytes that a record takes in the archive with its payload and all framing. */
uint64_t frame_size(uint64_t stored);

/* Where the packed record lies in a head that was read. */
const uint8_t *frame_record(const uint8_t head[FRAME_HEAD]);

/* Is this head the only one that R can have?  NULL, or why not. */
const char *frame_check_head(const uint8_t head[FRAME_HEAD], const struct record *R);

/* The same for the tar header of R's payload. */
const char *frame_check_payload(const uint8_t tar[FRAME_TAR], const struct record *R);

#endif
