#ifndef SITEMAP_H_
#define SITEMAP_H_

#include "bounds.h"

/*
 * The file HOME/map: what definitions from other sites are changed to here.  vmferry-libvirt(1) has its words.
 */
#define SITEMAP_NETS 256u

enum sitemap_kind { SITEMAP_NETWORK, SITEMAP_BRIDGE, SITEMAP_DEVICE };

/* A network of the primary, "*" for all others of that kind, is this one here: a network of libvirt's, or a bridge. */
struct sitemap_net {
	enum sitemap_kind from, to;
	char from_name[LIMIT_NAME + 1], to_name[LIMIT_NAME + 1];
};

struct sitemap {
	unsigned nnets;
	struct sitemap_net nets[SITEMAP_NETS];
	char test_network[LIMIT_NAME + 1]; /* these are empty where nothing is said */
	char emulator[LIMIT_NAME + 1];
	char type[8]; /* kvm, qemu */
	char machine[64];
	char cpu[64];
	int new_macs, keep_kernel;
};

/* Read HOME/map, M being the caller's to free with sitemap_free; no file is an empty one.  0; 1, said with the line; -1. */
int sitemap_read(struct sitemap **M);
void sitemap_free(struct sitemap *M);

/* What that network of the primary is here; NULL: nothing is said of it. */
const struct sitemap_net *sitemap_find(const struct sitemap *M, enum sitemap_kind kind, const char *name);

/* "network", "bridge" or "device". */
const char *sitemap_kind_name(enum sitemap_kind k);

#endif
