/*
 * Locked memory for libassuan, in whose buffers a PIN lies on its way.
 */
#ifndef KEYSTILE_PROMPT_PINENTRY_MEMORY_H
#define KEYSTILE_PROMPT_PINENTRY_MEMORY_H

#include <assuan.h>

#include <keystile/error.h>

/* Hooks for assuan_new_ext(), which copies them. One conversation a process. */
KS_MUST_CHECK enum ks_error pinentry_memory_init(struct assuan_malloc_hooks *hooks);
void pinentry_memory_deinit(void); /* wipes */

#endif
