/*
 * A TPM's device node that comes after the worker, or goes and comes back: what a process may open
 * is settled when it confines itself, so one that sees another node than it began with has to end,
 * and the agent starts it anew.
 */
#ifndef KEYSTILE_TPM2_DEVICE_H
#define KEYSTILE_TPM2_DEVICE_H

#include <stdbool.h>
#include <sys/types.h>

/* Zeroed: none. */
struct tpm_device {
	const char *path; /* NULL: the TCTI is none of a device; borrowed */
	ino_t inode;	  /* 0: it was not there */
};

struct tpm_device tpm_device_seen(const char *tcti);
/* There is one now, and it is another. */
bool tpm_device_changed(const struct tpm_device *before);

#endif
