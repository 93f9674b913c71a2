/*
 * Landlock: which files this process may touch from now on, by raw system calls, as the C library
 * of our floor has none. The rules hold for the calling thread and all that it starts later, for
 * good. What a right means stands in the kernel's userspace-api/landlock documentation.
 */
#ifndef KEYSTILE_WORKER_LANDLOCK_H
#define KEYSTILE_WORKER_LANDLOCK_H

#include <stdbool.h>

#include <keystile/error.h>

enum landlock_access {
	LANDLOCK_READ,	 /* read files, list folders; for the loader too */
	LANDLOCK_WRITE,	 /* besides: write, create and remove files and folders below */
	LANDLOCK_LIST,	 /* list folders, and read nothing in them */
	LANDLOCK_DEVICE, /* besides reading: write and ioctl, but create nothing */
};

/* The version of the kernel's interface, 0 where it has none. */
unsigned landlock_version(void);

struct landlock {
	int ruleset; /* -1: the kernel has none */
	unsigned abi;
	unsigned long long rights; /* of files that this kernel can withhold */
};

/* What is not withheld, because somebody else must decide on it. */
struct landlock_leave {
	bool tcp;
	bool abstract; /* sockets */
};

/*
 * Withholds every file, TCP, abstract sockets and signals of others, but what is to be left, as far
 * as the kernel can. KS_UNSUPPORTED: it can't at all; landlock->abi is 0 then.
 */
KS_MUST_CHECK enum ks_error landlock_init(struct landlock *landlock, struct landlock_leave leave);
/* One file, or a folder with all that is below. A path that isn't there is granted nothing. */
KS_MUST_CHECK enum ks_error landlock_grant(
	struct landlock *landlock, const char *path, enum landlock_access access);
/* The same, but nothing where a symbolic link is on the way: what lies at that very name. */
KS_MUST_CHECK enum ks_error landlock_grant_exactly(
	struct landlock *landlock, const char *path, enum landlock_access access);
/* From here on it holds. PR_SET_NO_NEW_PRIVS must be set. Closes the ruleset in any case. */
KS_MUST_CHECK enum ks_error landlock_enforce(struct landlock *landlock);

#endif
