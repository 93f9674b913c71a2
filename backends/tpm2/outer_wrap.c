/*
 * KDFa, AES-CFB and HMAC of OpenSSL.
 */
#include "outer_wrap.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define AES_KEY_MAX 32
#define AES_BLOCK 16

static size_t cipher_bits(const TPMT_PUBLIC *target)
{
	return target->type == TPM2_ALG_RSA ? target->parameters.rsaDetail.symmetric.keyBits.aes
					    : target->parameters.eccDetail.symmetric.keyBits.aes;
}

/* KDFa (part 1, section 11.4.10.2): the KDF of SP 800-108 in counter mode, with HMAC. */
static bool derive(const TPMT_PUBLIC *target, const struct seed *seed, const char *label,
	const TPM2B_NAME *name, uint8_t *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
	EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	struct seed key = *seed;
	TPM2B_NAME about = name != NULL ? *name : (TPM2B_NAME){0};
	char digest[SEED_DIGEST_MAX], mac[8] = "HMAC", words[16];

	strcpy(digest, seed_digest_name(target));
	strcpy(words, label);
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, mac, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.bytes, key.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, words, strlen(label)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, about.name, about.size),
		OSSL_PARAM_construct_end()};
	bool good = context != NULL && EVP_KDF_derive(context, out, len, parameters) == 1;

	OPENSSL_cleanse(&key, sizeof(key));
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return good;
}

/* In place; the initialisation vector is zero, as the key is used once. */
static bool encrypt(
	const TPMT_PUBLIC *target, const uint8_t key[static AES_KEY_MAX], uint8_t *data, size_t len)
{
	const uint8_t zeros[AES_BLOCK] = {0};
	const EVP_CIPHER *cipher =
		cipher_bits(target) == 256 ? EVP_aes_256_cfb128() : EVP_aes_128_cfb128();
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int written = 0;
	bool good = context != NULL &&
		    EVP_EncryptInit_ex2(context, cipher, key, zeros, NULL) == 1 &&
		    EVP_EncryptUpdate(context, data, &written, data, (int)len) == 1 &&
		    written == (int)len;

	EVP_CIPHER_CTX_free(context);
	return good;
}

/* HMAC over what was encrypted and the name, so that neither can be exchanged. */
static bool authenticate(const TPMT_PUBLIC *target, const struct seed *seed, struct bytes encrypted,
	const TPM2B_NAME *name, TPM2B_DIGEST *out)
{
	uint8_t key[sizeof(seed->bytes)];
	uint8_t data[OUTER_WRAP_MAX + sizeof(TPM2B_NAME)];
	unsigned len = 0;
	bool good = derive(target, seed, "INTEGRITY", NULL, key, seed->len);

	memcpy(data, encrypted.data, encrypted.len);
	memcpy(data + encrypted.len, name->name, name->size);
	good = good && HMAC(seed_digest(target), key, (int)seed->len, data,
			       encrypted.len + name->size, out->buffer, &len) != NULL;
	out->size = (UINT16)len;
	OPENSSL_cleanse(key, sizeof(key));
	return good;
}

bool outer_wrap(const TPMT_PUBLIC *target, const struct seed *seed, const TPM2B_NAME *name,
	uint8_t *data, size_t len, TPM2B_DIGEST *mac)
{
	uint8_t key[AES_KEY_MAX];
	bool good = len <= OUTER_WRAP_MAX &&
		    derive(target, seed, "STORAGE", name, key, cipher_bits(target) / 8) &&
		    encrypt(target, key, data, len) &&
		    authenticate(target, seed, BYTES(data, len), name, mac);

	OPENSSL_cleanse(key, sizeof(key));
	return good;
}
