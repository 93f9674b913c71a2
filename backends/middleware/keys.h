/*
 * The keys that this worker was given for its library: of a security key's key there is no private
 * part, only the handle with which its authenticator finds it. Some libraries keep the key itself
 * in the handle, so it lies in memory for secrets.
 */
#ifndef KEYSTILE_MIDDLEWARE_KEYS_H
#define KEYSTILE_MIDDLEWARE_KEYS_H

#include <pthread.h>

#include <keystile/backend.h>
#include <keystile/private_key.h>

#define KEYS_MAX 1024

/* Counted: a key may be removed or replaced while a signature with it waits for its touch. */
struct kept_key {
	struct kept_key *next;
	unsigned references;  /* the list's, and signatures' */
	struct buf blob;      /* as it is listed */
	char *application;    /* the relying party */
	struct secret secret; /* private_key borrows from it */
	struct private_key key;
};

struct kept_keys {
	pthread_mutex_t lock;
	struct kept_key *first;
	size_t count;
};

void keys_init(struct kept_keys *keys);

/* Takes a copy of what private_key_read() reads, in place of one with the same blob. */
KS_MUST_CHECK enum ks_error keys_add(struct kept_keys *keys, struct ks_operation *operation,
	const struct secret *secret, struct buf *blob);
KS_MUST_CHECK enum ks_error keys_remove(struct kept_keys *keys, struct bytes blob);
/* A reference, for keys_release(); NULL when it is not there. */
struct kept_key *keys_find(struct kept_keys *keys, struct bytes blob);
void keys_release(struct kept_keys *keys, struct kept_key *kept); /* NULL is fine */
void keys_deinit(struct kept_keys *keys);

#endif
