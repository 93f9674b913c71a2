/*
 * Memory for secrets: mapped apart, locked against swapping, left out of dumps,
 * wiped before it is given back.
 */
#ifndef KEYSTILE_SECRET_H
#define KEYSTILE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <keystile/error.h>

/* The longest PIN that is accepted from anybody, in bytes. */
#define KS_PIN_MAX 255

struct secret {
	uint8_t *data; /* NULL when empty */
	size_t len;    /* bytes in use */
	size_t cap;
	bool locked; /* mlock() worked */
};

KS_MUST_CHECK enum ks_error secret_init(struct secret *secret, size_t cap);
void secret_deinit(struct secret *secret); /* wipes and unmaps; safe on a zeroed one */
void secret_wipe(struct secret *secret);   /* wipes the content, keeps the memory */

/*
 * Reads a secret from a descriptor until its end, at most secret->cap bytes; more
 * is KS_BAD_INPUT. Blocks: for workers and helpers, whose writer has already
 * finished. Does not close fd.
 */
KS_MUST_CHECK enum ks_error secret_read(struct secret *secret, int fd);

/* What a pipe holds: more than any PIN, and as much as a message with a key. */
#define SECRET_PIPE_MAX ((size_t)64 * 1024)

/*
 * Makes a pipe, writes 1 to SECRET_PIPE_MAX bytes and closes the writing end; *out is the reading
 * end. This is how a PIN or a private key goes from one process to another: never inside a frame.
 * Never blocks: KS_NO_MEMORY where the system gives this user only pipes that are too small.
 */
KS_MUST_CHECK enum ks_error secret_to_pipe(const uint8_t *data, size_t len, int *out);

#endif
