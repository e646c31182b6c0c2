#ifndef QEMU_LOCKS_H_
#define QEMU_LOCKS_H_

/*
 * QEMU says what it does with an image by shared locks on single bytes of it (its block/file-posix.c): on byte 100 + p, that
 * it uses the permission p; on 200 + p, that it bears nobody else who does; p = 1 is to write.  To look at them costs
 * nothing, disturbs nobody, works where no tool of QEMU is, and is seen on all hosts that share the file system.
 */
#define QEMU_LOCKS_FROM 100u
#define QEMU_LOCKS 200u
#define QEMU_LOCK_WRITES 101u
#define QEMU_LOCK_NO_WRITERS 201u

#endif
