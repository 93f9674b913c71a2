/* Key pairs, their public halves as COSE has them, hashes and signatures: what OpenSSL is for here.
 */
#ifndef AUTHENTICATOR_KEY_H
#define AUTHENTICATOR_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "item.h"

enum key_algorithm { KEY_ES256 = -7, KEY_EDDSA = -8, KEY_ECDH = -25 };

#define KEY_HASH_LEN 32
#define KEY_SIGNATURE_MAX 80
#define KEY_COORDINATE 32

EVP_PKEY *key_new(enum key_algorithm algorithm);

#define KEY_SEED_LEN 32

/* Of Ed25519. */
EVP_PKEY *key_from_seed(const uint8_t seed[KEY_SEED_LEN]);

/* The point of a key on P-256: x and y. */
void key_point(const EVP_PKEY *key, uint8_t x[KEY_COORDINATE], uint8_t y[KEY_COORDINATE]);

/* A public key on P-256; NULL: no such point. */
EVP_PKEY *key_from_point(const uint8_t x[KEY_COORDINATE], const uint8_t y[KEY_COORDINATE]);

cbor_item_t *key_cose(const EVP_PKEY *key, enum key_algorithm algorithm);

/* The x of the point that two halves make together. False: they don't. */
bool key_agree(EVP_PKEY *ours, EVP_PKEY *theirs, uint8_t out[KEY_COORDINATE]);

/* DER for ES256, 64 bytes for EdDSA; its length. */
size_t key_sign(EVP_PKEY *key, enum key_algorithm algorithm, struct span data,
	uint8_t out[KEY_SIGNATURE_MAX]);

void key_hash(struct span data, uint8_t out[KEY_HASH_LEN]);

/* A certificate for attestations: in DER, of at most room bytes; its length. */
size_t key_certificate(EVP_PKEY *key, const uint8_t aaguid[16], uint8_t *out, size_t room);

#endif
