/*
 * The wrapping around a key: encrypted and authenticated with keys from one seed.
 */
#include "duplicate.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <tss2/tss2_mu.h>

#include "attestation.h"
#include "duplicate_seed.h"
#include "key_blob.h"

#define AES_KEY_MAX 32
#define AES_BLOCK 16

const char *duplicate_target_wrong(const TPMT_PUBLIC *target)
{
	const TPMA_OBJECT storage = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
	const TPMT_SYM_DEF_OBJECT *cipher = target->type == TPM2_ALG_RSA
						    ? &target->parameters.rsaDetail.symmetric
						    : &target->parameters.eccDetail.symmetric;

	if (target->type != TPM2_ALG_RSA && target->type != TPM2_ALG_ECC)
		return "is no storage key of a kind that is known here";
	if ((target->objectAttributes & storage) != storage ||
		(target->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT) != 0)
		return "is no storage key";
	if ((target->objectAttributes & TPMA_OBJECT_FIXEDTPM) == 0)
		return "is a storage key that may leave its TPM, and so may what is below it";
	if (cipher->algorithm != TPM2_ALG_AES || cipher->mode.aes != TPM2_ALG_CFB ||
		(cipher->keyBits.aes != 128 && cipher->keyBits.aes != 256) ||
		seed_digest_name(target) == NULL)
		return "is a storage key with a cipher or hash that is not known here";
	if (target->type == TPM2_ALG_ECC &&
		target->parameters.eccDetail.curveID != TPM2_ECC_NIST_P256 &&
		target->parameters.eccDetail.curveID != TPM2_ECC_NIST_P384)
		return "is a storage key on a curve that is not known here";
	if (target->type == TPM2_ALG_RSA && target->unique.rsa.size < 256)
		return "is a storage key that is too short";
	return NULL;
}

/* KDFa (part 1, section 11.4.10.2): the KDF of SP 800-108 in counter mode, with HMAC. */
static bool derive(const TPMT_PUBLIC *target, const struct seed *seed, const char *label,
	const TPM2B_NAME *name, uint8_t *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
	EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	struct seed key = *seed;
	TPM2B_NAME about = name != NULL ? *name : (TPM2B_NAME){0};
	char digest[8], mac[8] = "HMAC", words[16];
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, mac, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.bytes, key.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, words, strlen(label)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, about.name, about.size),
		OSSL_PARAM_construct_end()};

	strcpy(digest, seed_digest_name(target));
	strcpy(words, label);
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
		(target->type == TPM2_ALG_RSA
				? target->parameters.rsaDetail.symmetric.keyBits.aes
				: target->parameters.eccDetail.symmetric.keyBits.aes) == 256
			? EVP_aes_256_cfb128()
			: EVP_aes_128_cfb128();
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
	uint8_t data[sizeof(TPM2B_PRIVATE) + sizeof(TPM2B_NAME)];
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

static bool put_private(struct bytes encrypted, const TPM2B_DIGEST *mac, TPM2B_PRIVATE *out)
{
	size_t at = 0;

	if (Tss2_MU_TPM2B_DIGEST_Marshal(mac, out->buffer, sizeof(out->buffer), &at) !=
			TSS2_RC_SUCCESS ||
		encrypted.len > sizeof(out->buffer) - at)
		return false;
	memcpy(out->buffer + at, encrypted.data, encrypted.len);
	out->size = (UINT16)(at + encrypted.len);
	return true;
}

static bool wrap(const TPMT_PUBLIC *target, const struct seed *seed,
	const TPM2B_SENSITIVE *sensitive, struct duplicate *out)
{
	uint8_t data[sizeof(TPM2B_PRIVATE)], key[AES_KEY_MAX];
	size_t bits = target->type == TPM2_ALG_RSA
			      ? target->parameters.rsaDetail.symmetric.keyBits.aes
			      : target->parameters.eccDetail.symmetric.keyBits.aes;
	TPM2B_DIGEST mac = {0};
	TPM2B_NAME name = {0};
	size_t len = 0;
	bool good = attestation_name(&out->public.publicArea, &name) &&
		    Tss2_MU_TPM2B_SENSITIVE_Marshal(sensitive, data, sizeof(data), &len) ==
			    TSS2_RC_SUCCESS &&
		    derive(target, seed, "STORAGE", &name, key, bits / 8) &&
		    encrypt(target, key, data, len) &&
		    authenticate(target, seed, BYTES(data, len), &name, &mac) &&
		    put_private(BYTES(data, len), &mac, &out->private);

	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(data, sizeof(data));
	return good;
}

enum ks_error duplicate_wrap(const TPMT_PUBLIC *target, const TPM2B_PUBLIC *public,
	const TPM2B_SENSITIVE *sensitive, struct duplicate *out)
{
	struct seed seed = {0};
	bool good;

	*out = (struct duplicate){.public = *public};
	good = duplicate_target_wrong(target) == NULL && seed_make(target, &seed, &out->seed) &&
	       wrap(target, &seed, sensitive, out);
	OPENSSL_cleanse(&seed, sizeof(seed));
	ERR_clear_error();
	return good ? KS_OK : KS_DEVICE_FAILED;
}
