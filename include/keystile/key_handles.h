/*
 * For backends that sign with security keys: the keys that clients handed over. Of such a key there
 * is no private part, only the handle with which its authenticator finds it. Some keep the key
 * itself in the handle, so it lies in memory for secrets.
 */
#ifndef KEYSTILE_KEY_HANDLES_H
#define KEYSTILE_KEY_HANDLES_H

#include <pthread.h>

#include <keystile/backend.h>
#include <keystile/private_key.h>

#define KEY_HANDLE_MAX 2048 /* bytes; CTAP 2.1 has at most 1,023 */
#define KEY_HANDLES_MAX 1024

/* Counted: a key may be removed or replaced while a signature with it waits for its touch. */
struct key_handle {
	struct key_handle *next;
	unsigned references;  /* the list's, and signatures' */
	struct buf blob;      /* as it is listed */
	char *application;    /* the relying party */
	struct secret secret; /* private_key borrows from it */
	struct private_key key;
};

struct key_handles {
	pthread_mutex_t lock;
	struct key_handle *first;
	size_t count;
};

void key_handles_init(struct key_handles *keys);

/* Takes a copy of what private_key_read() reads, in place of one with the same blob. */
KS_MUST_CHECK enum ks_error key_handles_add(struct key_handles *keys,
	struct ks_operation *operation, const struct secret *secret, struct buf *blob);
KS_MUST_CHECK enum ks_error key_handles_remove(struct key_handles *keys, struct bytes blob);
/* A reference, for key_handles_release(); NULL when it is not there. */
struct key_handle *key_handles_find(struct key_handles *keys, struct bytes blob);
void key_handles_release(struct key_handles *keys, struct key_handle *kept); /* NULL is fine */
void key_handles_deinit(struct key_handles *keys);

#endif
