/*
 * See password_hash.h. The cost is scrypt's own advice for somebody who waits for an answer
 * (2^14, r = 8, p = 1: 16 MiB, some 50 ms). It is against who comes to read the hash; against who
 * asks the agent, lock.c is slower than any hash.
 */
#include "password_hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#define SCRYPT_N ((uint64_t)1 << 14)
#define SCRYPT_R ((uint32_t)8)
#define SCRYPT_P ((uint32_t)1)

enum ks_error password_digest(struct bytes password, uint8_t out[PASSWORD_DIGEST])
{
	return EVP_Digest(password.data, password.len, out, NULL, EVP_sha256(), NULL) == 1
		       ? KS_OK
		       : KS_NO_MEMORY;
}

enum ks_error password_hash_new_salt(struct password_hash *hash)
{
	return RAND_bytes(hash->salt, sizeof(hash->salt)) == 1 ? KS_OK : KS_NO_MEMORY;
}

enum ks_error password_hash_derive(
	struct password_hash *hash, const uint8_t digest[PASSWORD_DIGEST])
{
	uint64_t n = SCRYPT_N;
	uint32_t r = SCRYPT_R;
	uint32_t p = SCRYPT_P;
	EVP_KDF *scrypt = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_SCRYPT, NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(scrypt);
	/* OpenSSL takes what it only reads as something that it might write. */
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)digest, PASSWORD_DIGEST),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_SALT, hash->salt, sizeof(hash->salt)),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
		OSSL_PARAM_construct_end(),
	};
	bool derived = context != NULL &&
		       EVP_KDF_derive(context, hash->key, sizeof(hash->key), params) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(scrypt);
	return derived ? KS_OK : KS_NO_MEMORY;
}

bool password_hash_equal(const struct password_hash *one, const struct password_hash *other)
{
	return CRYPTO_memcmp(one->key, other->key, sizeof(one->key)) == 0;
}
