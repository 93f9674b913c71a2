/*
 * Memory for private keys: locked against swapping as far as the limit goes, left out of dumps,
 * empty in a forked child, wiped when it is given back. Everything that OpenSSL allocates in this
 * process comes from here too, so that no number it computes with lies elsewhere.
 */
#ifndef MEMORY_LOCKED_H
#define MEMORY_LOCKED_H

#include <stdbool.h>
#include <stddef.h>

#include <keystile/error.h>

/*
 * Before anything else of OpenSSL is called in this process: KS_DEVICE_FAILED where it is too late
 * to give OpenSSL its memory. Once; what is there stays until the process ends.
 */
KS_MUST_CHECK enum ks_error locked_init(void);

/* Zeroed and aligned for anything; NULL when it is full or size is 0. From any thread. */
void *locked_alloc(size_t size);
/* Keeps the content as far as it fits; NULL, and the old memory stays, when full. */
void *locked_resize(void *memory, size_t size);
void locked_free(void *memory); /* wipes; NULL is no harm */

/* False once some of it could not be locked: RLIMIT_MEMLOCK is too low. */
bool locked_is_complete(void);

#endif
