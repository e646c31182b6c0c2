#include "frame.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void
name_of(char out[FRAME_NAME], const struct record *R, int is_record)
{
	switch (R->type) {
	case RECORD_HEADER:
		strcpy(out, is_record ? "header.rec" : "header.json");
		break;
	case RECORD_VOLUME:
		strcpy(out, is_record ? "volume.rec" : "volume");
		break;
	case RECORD_SEGMENT:
		snprintf(out, FRAME_NAME, "s/%010" PRIu64 ".%s", R->number, is_record ? "rec" : "dat");
		break;
	case RECORD_INDEX:
		strcpy(out, is_record ? "index.rec" : "index");
		break;
	case RECORD_MANIFEST:
		strcpy(out, is_record ? "manifest.rec" : "manifest");
		break;
	case RECORD_END:
		strcpy(out, is_record ? "end.rec" : "end.json");
		break;
	case RECORD_BLOB:
		snprintf(out, FRAME_NAME, "b/%010" PRIu64 ".%s", R->number, is_record ? "rec" : "dat");
		break;
	case RECORD_VOLUME_END:
		strcpy(out, is_record ? "volume-end.rec" : "volume-end");
		break;
	}
}

void
frame_name(char out[FRAME_NAME], const struct record *R)
{
	name_of(out, R, 0);
}

/* The one ustar header for a regular file of that name and size: mode 0644, owner 0, time 0. */
static void
tar_header(uint8_t out[FRAME_TAR], const char *name, uint64_t size)
{
	char *h = (char *)out;
	unsigned sum = 0;

	memset(h, 0, FRAME_TAR);
	memcpy(h, name, strlen(name));
	strcpy(h + 100, "0000644");
	strcpy(h + 108, "0000000");
	strcpy(h + 116, "0000000");
	snprintf(h + 124, 12, "%011" PRIo64, size & UINT64_C(077777777777));
	strcpy(h + 136, "00000000000");
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\00000", 8);
	strcpy(h + 329, "0000000");
	strcpy(h + 337, "0000000");
	for (size_t i = 0; i < FRAME_TAR; i++)
		sum += out[i];
	snprintf(h + 148, 8, "%06o", sum & 0777777);
	h[155] = ' ';
}

void
frame_head(uint8_t out[FRAME_HEAD], const struct record *R, const uint8_t rec[RECORD_SIZE])
{
	char name[FRAME_NAME];

	memset(out, 0, FRAME_HEAD);
	name_of(name, R, 1);
	tar_header(out, name, RECORD_SIZE);
	memcpy(out + FRAME_TAR, rec, RECORD_SIZE);
}

void
frame_payload(uint8_t out[FRAME_TAR], const struct record *R)
{
	char name[FRAME_NAME];

	name_of(name, R, 0);
	tar_header(out, name, R->stored);
}

size_t
frame_padding(uint64_t n)
{
	return ((size_t)((FRAME_TAR - n % FRAME_TAR) % FRAME_TAR));
}

uint64_t
frame_size(uint64_t stored)
{
	return (FRAME_HEAD + (stored == 0 ? 0 : FRAME_TAR + stored + frame_padding(stored)));
}

const uint8_t *
frame_record(const uint8_t head[FRAME_HEAD])
{
	return (head + FRAME_TAR);
}

const char *
frame_check_head(const uint8_t head[FRAME_HEAD], const struct record *R)
{
	uint8_t want[FRAME_HEAD] = { 0 };

	frame_head(want, R, frame_record(head));
	if (memcmp(head, want, FRAME_HEAD) != 0)
		return ("the tar header of the record is not the one it must have");
	return (NULL);
}

const char *
frame_check_payload(const uint8_t tar[FRAME_TAR], const struct record *R)
{
	uint8_t want[FRAME_TAR] = { 0 };

	frame_payload(want, R);
	if (memcmp(tar, want, FRAME_TAR) != 0)
		return ("the tar header of the payload is not the one it must have");
	return (NULL);
}
