/* The credentials of a token, resident and not, and its counter. In memory: nothing outlives it. */
#ifndef AUTHENTICATOR_STORE_H
#define AUTHENTICATOR_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key.h"

#define STORE_ID_MAX 255
#define STORE_U2F_ID_LEN 64
#define STORE_RP_MAX 256
#define STORE_USER_MAX 64
#define STORE_NAME_MAX 128
#define STORE_CERTIFICATE_MAX 1024

enum store_protect { PROTECT_NONE = 0, PROTECT_OPTIONAL = 1, PROTECT_WITH_ID = 2, PROTECT_PIN = 3 };

struct text {
	char data[STORE_NAME_MAX];
	size_t len;
};

struct user {
	uint8_t id[STORE_USER_MAX];
	size_t id_len;
	struct text name;
	struct text display_name;
};

struct credential {
	struct credential *older;
	uint8_t id[STORE_ID_MAX];
	size_t id_len;
	uint8_t rp_hash[KEY_HASH_LEN];
	char rp[STORE_RP_MAX]; /* "" for those of U2F */
	size_t rp_len;
	struct user user;
	bool resident;
	enum store_protect protect;
	enum key_algorithm algorithm;
	EVP_PKEY *key;
};

struct store {
	struct credential *newest;
	uint32_t id_len; /* of those to come; at most STORE_ID_MAX */
	uint32_t counter;
	EVP_PKEY *attestation;
	uint8_t certificate[STORE_CERTIFICATE_MAX];
	size_t certificate_len;
};

void store_init(struct store *store, const uint8_t aaguid[16]);

/* Forgets all credentials; the attestation stays, as does the counter. */
void store_clear(struct store *store);

void store_free(struct store *store);

/*
 * A new credential of an application with a key and an identifier of its own. A resident one
 * takes the place of the one that the application has for the same user.
 */
struct credential *store_add(struct store *store, struct span rp, const struct user *user,
	enum key_algorithm algorithm, bool resident);

/* A resident one of Ed25519 whose identifier and key are given. */
struct credential *store_hold(
	struct store *store, struct span rp, struct span id, const uint8_t seed[KEY_SEED_LEN]);

/* One of U2F, of which only the hash is known. */
struct credential *store_add_u2f(struct store *store, const uint8_t rp_hash[KEY_HASH_LEN]);

/* NULL: there is none of that application. */
struct credential *store_find(
	const struct store *store, const uint8_t rp_hash[KEY_HASH_LEN], struct span id);

/* A resident one by its identifier alone. */
struct credential *store_find_resident(const struct store *store, struct span id);

void store_remove(struct store *store, struct credential *credential);

unsigned store_residents(const struct store *store);

#endif
