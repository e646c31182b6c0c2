#ifndef HOOK_H_
#define HOOK_H_

/*
 * A hypervisor asks whether a VM may be started, as libvirt does by its hook for QEMU.  It is answered from this site's
 * records alone, without a lock, and without asking the hypervisor, which waits.
 */
struct hook_question {
	const char *home;       /* the site's, or NULL: the default */
	const char *name;       /* what the VM is called at the host */
	const char *operation;  /* as libvirt says it: "prepare", "start", ... */
	const char *phase;      /* "begin", "end", "-" */
	const char *definition; /* the VM's, in XML; of no proper form, or empty, it says nothing */
};

/* 0: it may, or it is no start, or no VM of ours; 1, said: it may not. */
int hook(const struct hook_question *q);

/* The first UUID element of that text, by a plain search: 1; 0 if there is none in its usual form. */
int hook_uuid(const char *text, char uuid[37]);

#endif
