/* A list, the newest first, as that is the order in which assertions are given. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

void store_init(struct store *store, const uint8_t aaguid[16])
{
	*store = (struct store){.attestation = key_new(KEY_ES256), .id_len = 48};
	store->certificate_len = key_certificate(
		store->attestation, aaguid, store->certificate, sizeof(store->certificate));
}

static void credential_free(struct credential *credential)
{
	EVP_PKEY_free(credential->key);
	free(credential);
}

void store_clear(struct store *store)
{
	while (store->newest != NULL)
		store_remove(store, store->newest);
}

void store_free(struct store *store)
{
	store_clear(store);
	EVP_PKEY_free(store->attestation);
}

void store_remove(struct store *store, struct credential *credential)
{
	struct credential **at = &store->newest;

	while (*at != NULL && *at != credential)
		at = &(*at)->older;
	if (*at != NULL) {
		*at = credential->older;
		credential_free(credential);
	}
}

static struct credential *add(struct store *store, enum key_algorithm algorithm, size_t id_len)
{
	struct credential *credential = calloc(1, sizeof(*credential));

	if (credential == NULL || RAND_bytes(credential->id, (int)id_len) != 1) {
		fprintf(stderr, "authenticator: no memory or no random bytes\n");
		abort();
	}
	credential->id_len = id_len;
	credential->algorithm = algorithm;
	credential->key = key_new(algorithm);
	credential->older = store->newest;
	store->newest = credential;
	return credential;
}

static struct credential *same_user(
	const struct store *store, const uint8_t rp_hash[KEY_HASH_LEN], const struct user *user)
{
	struct credential *one = store->newest;

	while (one != NULL && !(one->resident && memcmp(one->rp_hash, rp_hash, KEY_HASH_LEN) == 0 &&
				      one->user.id_len == user->id_len &&
				      memcmp(one->user.id, user->id, user->id_len) == 0))
		one = one->older;
	return one;
}

struct credential *store_add(struct store *store, struct span rp, const struct user *user,
	enum key_algorithm algorithm, bool resident)
{
	uint8_t rp_hash[KEY_HASH_LEN];
	struct credential *old = NULL;
	struct credential *credential = NULL;

	key_hash(rp, rp_hash);
	old = resident ? same_user(store, rp_hash, user) : NULL;
	if (old != NULL)
		store_remove(store, old);
	credential = add(store, algorithm, store->id_len);
	memcpy(credential->rp_hash, rp_hash, KEY_HASH_LEN);
	memcpy(credential->rp, rp.data, rp.len);
	credential->rp_len = rp.len;
	credential->user = *user;
	credential->resident = resident;
	credential->protect = PROTECT_OPTIONAL;
	return credential;
}

struct credential *store_hold(
	struct store *store, struct span rp, struct span id, const uint8_t seed[KEY_SEED_LEN])
{
	struct user user = {.id_len = id.len};
	struct credential *credential = NULL;

	memcpy(user.id, id.data, id.len);
	credential = store_add(store, rp, &user, KEY_EDDSA, true);
	memcpy(credential->id, id.data, id.len);
	credential->id_len = id.len;
	EVP_PKEY_free(credential->key);
	credential->key = key_from_seed(seed);
	return credential;
}

struct credential *store_add_u2f(struct store *store, const uint8_t rp_hash[KEY_HASH_LEN])
{
	struct credential *credential = add(store, KEY_ES256, STORE_U2F_ID_LEN);

	memcpy(credential->rp_hash, rp_hash, KEY_HASH_LEN);
	credential->protect = PROTECT_OPTIONAL;
	return credential;
}

static bool has_id(const struct credential *credential, struct span id)
{
	return credential->id_len == id.len && memcmp(credential->id, id.data, id.len) == 0;
}

struct credential *store_find(
	const struct store *store, const uint8_t rp_hash[KEY_HASH_LEN], struct span id)
{
	struct credential *one = store->newest;

	while (one != NULL &&
		!(has_id(one, id) && memcmp(one->rp_hash, rp_hash, KEY_HASH_LEN) == 0))
		one = one->older;
	return one;
}

struct credential *store_find_resident(const struct store *store, struct span id)
{
	struct credential *one = store->newest;

	while (one != NULL && !(one->resident && has_id(one, id)))
		one = one->older;
	return one;
}

unsigned store_residents(const struct store *store)
{
	unsigned count = 0;

	for (const struct credential *one = store->newest; one != NULL; one = one->older)
		count += one->resident;
	return count;
}
