/*
 * The keys that are kept: public blobs in ordinary memory, private parts in locked memory, and for
 * the last ones used the key as OpenSSL wants it. Every function may be called from any thread.
 */
#ifndef MEMORY_STORE_H
#define MEMORY_STORE_H

#include <openssl/types.h>

#include "material.h"

#define STORE_KEYS_MAX 2048
#define STORE_BYTES_MAX ((size_t)16 << 20) /* of blobs and private parts together */

struct store;

struct store *store_new(void); /* NULL: no memory */
void store_free(struct store *store);

/*
 * Keeps a key that was accepted, in place of one with the same blob. KS_BUSY: it is full. The old
 * key stays when there is no room for the new one.
 */
KS_MUST_CHECK enum ks_error store_put(
	struct store *store, const struct private_key *key, struct bytes blob);
/* KS_NO_KEY when it is not there. */
KS_MUST_CHECK enum ks_error store_remove(struct store *store, struct bytes blob);
/*
 * *usable holds references that are the caller's. KS_NO_KEY when it is not there, KS_UNSUPPORTED
 * for a security key.
 */
KS_MUST_CHECK enum ks_error store_find(
	struct store *store, struct bytes blob, enum key_kind *kind, struct usable *usable);

#endif
