#ifndef BOUNDS_H_
#define BOUNDS_H_

/*
 * The bounds of format version 1.  Whatever is read from outside is held against these before it is used
 * or allocated; bundle(5) states them.
 */
#include <stdint.h>

#define LIMIT_BLOCK 4096u                              /* the granularity of change: bytes in a leaf */
#define LIMIT_SECTOR 512u                              /* disk sizes are multiples of this */
#define LIMIT_DISK_SIZE (UINT64_C(1) << 46)            /* 64 TiB */
#define LIMIT_DISKS 64u                                /* replicated disks of one VM */
#define LIMIT_TARGETS 32u                              /* sites that one bundle is sealed to */
#define LIMIT_NAME 255u                                /* bytes in the name of a VM or a site */
#define LIMIT_DISK_ID 64u                              /* bytes in the id of a disk */
#define LIMIT_JSON 65536u                              /* bytes in header.json and in end.json */
#define LIMIT_DATA (4u << 20)                          /* bytes of data in one segment */
#define LIMIT_EXTENTS 65536u                           /* extents in one segment */
#define LIMIT_PLAIN (LIMIT_DATA + 24u * LIMIT_EXTENTS) /* a segment before compression */
#define LIMIT_STORED (LIMIT_PLAIN + (LIMIT_PLAIN >> 7) + 1024u) /* and as it is stored */
#define LIMIT_SEGMENTS 80000000u      /* segments in one bundle: its manifest stays below 8 GiB */
#define LIMIT_VOLUMES 65536u          /* volumes of one bundle */
#define LIMIT_BLOBS (1u << 20)        /* opaque members in one bundle */
#define LIMIT_DEFINITION 262144u      /* bytes in the definition of a VM */
#define LIMIT_SEALED 24576u           /* and as a header carries it: compressed, and encrypted */
#define LIMIT_PARTS 32u               /* bundles that are combined in one */
#define LIMIT_SEQ (UINT64_C(1) << 48) /* recovery points of one lineage */
#define LIMIT_POINTS 1000u            /* recovery points that a replica keeps */

#endif
