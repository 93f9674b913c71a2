/*
 * A table sorted by blobs: looked through in eleven steps, whatever blobs clients choose. OpenSSL's
 * form of a key takes many times the room of the key, so only some are kept in it.
 */
#include "store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "locked.h"

#define READY_MAX 32

struct kept_key {
	enum key_kind kind;
	uint8_t *secret; /* the private part's fields as strings; locked memory */
	size_t secret_len;
	struct usable ready; /* empty: to be made */
	uint64_t used;	     /* when, in uses of the store */
	size_t blob_len;
	uint8_t blob[];
};

struct store {
	pthread_mutex_t lock;
	struct kept_key *keys[STORE_KEYS_MAX]; /* sorted */
	size_t count;
	size_t bytes;
	struct kept_key *ready[READY_MAX]; /* those whose ready is set, in no order */
	uint64_t uses;
};

struct store *store_new(void)
{
	struct store *store = calloc(1, sizeof(*store));

	if (store != NULL)
		pthread_mutex_init(&store->lock, NULL);
	return store;
}

/* ---- Keys in OpenSSL's form; under the lock ---- */

static void unready(struct store *store, struct kept_key *key)
{
	if (key->ready.pkey == NULL)
		return;
	for (unsigned i = 0; i < READY_MAX; i++)
		if (store->ready[i] == key)
			store->ready[i] = NULL;
	usable_free(&key->ready);
}

/* The place of the one that was used least recently, now free. */
static unsigned ready_place(struct store *store)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < READY_MAX; i++) {
		if (store->ready[i] == NULL)
			return i;
		if (store->ready[i]->used < store->ready[oldest]->used)
			oldest = i;
	}
	unready(store, store->ready[oldest]);
	return oldest;
}

static struct usable make_ready(const struct kept_key *key)
{
	struct reader in = reader_of(BYTES(key->secret, key->secret_len));
	struct material material = {0};
	struct usable usable = {0};
	struct public_key *public;

	if (public_key_parse(BYTES(key->blob, key->blob_len), &public) != KS_OK)
		return usable;
	for (; in.left > 0 && material.count < MATERIAL_FIELDS; material.count++)
		material.fields[material.count] = reader_string(&in);
	usable = material_make(public, &material);
	public_key_free(&public);
	return usable;
}

/* References; empty when out of memory. */
static struct usable take_ready(struct store *store, struct kept_key *key)
{
	key->used = ++store->uses;
	if (key->ready.pkey == NULL) {
		key->ready = make_ready(key);
		if (key->ready.pkey == NULL)
			return key->ready;
		store->ready[ready_place(store)] = key;
	}
	return usable_share(&key->ready);
}

/* ---- The table; under the lock ---- */

static void kept_key_free(struct kept_key *key)
{
	if (key == NULL)
		return;
	locked_free(key->secret);
	free(key);
}

static size_t size_of(const struct kept_key *key)
{
	return key->blob_len + key->secret_len;
}

static int compare(struct bytes blob, const struct kept_key *key)
{
	if (blob.len != key->blob_len)
		return blob.len < key->blob_len ? -1 : 1;
	return memcmp(blob.data, key->blob, blob.len);
}

/* Where the key is or would be. */
static size_t find(const struct store *store, struct bytes blob, bool *found)
{
	size_t low = 0, high = store->count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(blob, store->keys[middle]);

		if (order == 0)
			*found = true;
		if (order <= 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void drop(struct store *store, struct kept_key *key)
{
	unready(store, key);
	store->bytes -= size_of(key);
	kept_key_free(key);
}

static enum ks_error insert(struct store *store, struct kept_key *key)
{
	bool found;
	size_t at = find(store, BYTES(key->blob, key->blob_len), &found);
	size_t replaced = found ? size_of(store->keys[at]) : 0;

	if ((!found && store->count == STORE_KEYS_MAX) ||
		store->bytes - replaced + size_of(key) > STORE_BYTES_MAX)
		return KS_BUSY;
	if (found) {
		drop(store, store->keys[at]);
	} else {
		memmove(&store->keys[at + 1], &store->keys[at],
			(store->count - at) * sizeof(struct kept_key *));
		store->count++;
	}
	store->keys[at] = key;
	store->bytes += size_of(key);
	return KS_OK;
}

/* ---- What others call ---- */

static void put_field(uint8_t **at, struct bytes field)
{
	for (unsigned i = 0; i < 4; i++)
		*(*at)++ = (uint8_t)(field.len >> (8 * (3 - i)));
	if (field.len > 0)
		memcpy(*at, field.data, field.len);
	*at += field.len;
}

static bool copy_secret(struct kept_key *kept, const struct material *material)
{
	uint8_t *at;

	for (unsigned i = 0; i < material->count; i++)
		kept->secret_len += 4 + material->fields[i].len;
	kept->secret = at = locked_alloc(kept->secret_len);
	if (at == NULL)
		return false;
	for (unsigned i = 0; i < material->count; i++)
		put_field(&at, material->fields[i]);
	return true;
}

enum ks_error store_put(struct store *store, const struct private_key *key, struct bytes blob)
{
	struct material material = material_of(key);
	struct kept_key *kept = calloc(1, sizeof(*kept) + blob.len);
	enum ks_error error = KS_NO_MEMORY;

	if (kept == NULL)
		return KS_NO_MEMORY;
	kept->kind = key->kind;
	kept->blob_len = blob.len;
	memcpy(kept->blob, blob.data, blob.len);
	if (copy_secret(kept, &material)) {
		pthread_mutex_lock(&store->lock);
		error = insert(store, kept);
		pthread_mutex_unlock(&store->lock);
	}
	if (error != KS_OK)
		kept_key_free(kept);
	return error;
}

enum ks_error store_remove(struct store *store, struct bytes blob)
{
	bool found;

	pthread_mutex_lock(&store->lock);
	size_t at = find(store, blob, &found);
	if (found) {
		drop(store, store->keys[at]);
		store->count--;
		memmove(&store->keys[at], &store->keys[at + 1],
			(store->count - at) * sizeof(struct kept_key *));
	}
	pthread_mutex_unlock(&store->lock);
	return found ? KS_OK : KS_NO_KEY;
}

enum ks_error store_find(
	struct store *store, struct bytes blob, enum key_kind *kind, struct usable *usable)
{
	bool found, signs = false;

	*usable = (struct usable){0};
	pthread_mutex_lock(&store->lock);
	size_t at = find(store, blob, &found);
	if (found) {
		*kind = store->keys[at]->kind;
		signs = *kind != KEY_SK_ED25519 && *kind != KEY_SK_ECDSA_P256;
	}
	if (signs)
		*usable = take_ready(store, store->keys[at]);
	pthread_mutex_unlock(&store->lock);
	if (signs)
		return usable->pkey != NULL ? KS_OK : KS_NO_MEMORY;
	return found ? KS_UNSUPPORTED : KS_NO_KEY;
}

void store_free(struct store *store)
{
	if (store == NULL)
		return;
	for (size_t i = 0; i < store->count; i++)
		drop(store, store->keys[i]);
	pthread_mutex_destroy(&store->lock);
	free(store);
}
