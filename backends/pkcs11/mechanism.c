/*
 * Chooses the mechanism for an algorithm and makes its input. Hashing is done here, not by the
 * token: CKM_RSA_PKCS and CKM_ECDSA are what every token has.
 */
#include "mechanism.h"

#include <string.h>

#include <openssl/evp.h>

#include <keystile/log.h>

/* DigestInfo up to the digest, RFC 8017 section 9.2 note 1. */
static const uint8_t sha1_info[] = {
	0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};
static const uint8_t sha256_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
static const uint8_t sha512_info[] = {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40};

struct recipe {
	const char *key_type; /* as the key's blob begins */
	CK_MECHANISM_TYPE type;
	const EVP_MD *(*hash)(void); /* NULL: the token hashes */
	const uint8_t *info;
	size_t info_len;
};

static const struct recipe recipes[KS_ALGORITHM_COUNT] = {
	[KS_ALGORITHM_ED25519] = {"ssh-ed25519", CKM_EDDSA, NULL, NULL, 0},
	[KS_ALGORITHM_ECDSA_P256] = {"ecdsa-sha2-nistp256", CKM_ECDSA, EVP_sha256, NULL, 0},
	[KS_ALGORITHM_ECDSA_P384] = {"ecdsa-sha2-nistp384", CKM_ECDSA, EVP_sha384, NULL, 0},
	[KS_ALGORITHM_ECDSA_P521] = {"ecdsa-sha2-nistp521", CKM_ECDSA, EVP_sha512, NULL, 0},
	[KS_ALGORITHM_RSA_SHA1] = {"ssh-rsa", CKM_RSA_PKCS, EVP_sha1, sha1_info, sizeof(sha1_info)},
	[KS_ALGORITHM_RSA_SHA256] = {"ssh-rsa", CKM_RSA_PKCS, EVP_sha256, sha256_info,
		sizeof(sha256_info)},
	[KS_ALGORITHM_RSA_SHA512] = {"ssh-rsa", CKM_RSA_PKCS, EVP_sha512, sha512_info,
		sizeof(sha512_info)},
};

static const struct recipe *find_recipe(const struct ks_sign *request)
{
	struct reader reader = reader_of(request->blob);
	const struct recipe *recipe;

	if ((unsigned)request->algorithm >= KS_ALGORITHM_COUNT)
		return NULL;
	recipe = &recipes[request->algorithm];
	if (!recipe->key_type || !bytes_equal_text(reader_string(&reader), recipe->key_type))
		return NULL;
	return recipe;
}

enum ks_error mechanism_prepare(
	struct mechanism *mechanism, struct ks_operation *operation, const struct ks_sign *request)
{
	const struct recipe *recipe = find_recipe(request);
	unsigned len = 0;

	if (!recipe) {
		log_info("%s is no algorithm for this key", ks_algorithm_name(request->algorithm));
		ks_explain(operation, "this key makes no signatures of the kind asked for");
		return KS_UNSUPPORTED;
	}
	mechanism->mechanism = (CK_MECHANISM){.mechanism = recipe->type};
	mechanism->input = request->data;
	if (!recipe->hash)
		return KS_OK;
	if (recipe->info_len)
		memcpy(mechanism->hashed, recipe->info, recipe->info_len);
	if (!EVP_Digest(request->data.data, request->data.len, mechanism->hashed + recipe->info_len,
		    &len, recipe->hash(), NULL))
		return KS_NO_MEMORY;
	mechanism->input = BYTES(mechanism->hashed, recipe->info_len + len);
	return KS_OK;
}
