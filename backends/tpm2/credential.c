/*
 * The wrapping is that of duplicate.c, with another label and around a secret instead of a key.
 */
#include "credential.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <tss2/tss2_mu.h>

#include "duplicate.h"
#include "outer_wrap.h"

/* The digest, then what was encrypted. */
static bool put_blob(const TPM2B_DIGEST *mac, struct bytes encrypted, TPM2B_ID_OBJECT *out)
{
	size_t at = 0;

	if (Tss2_MU_TPM2B_DIGEST_Marshal(mac, out->credential, sizeof(out->credential), &at) !=
			TSS2_RC_SUCCESS ||
		encrypted.len > sizeof(out->credential) - at)
		return false;
	memcpy(out->credential + at, encrypted.data, encrypted.len);
	out->size = (UINT16)(at + encrypted.len);
	return true;
}

static bool wrap(const TPMT_PUBLIC *target, const struct seed *seed, const TPM2B_NAME *name,
	const uint8_t *secret, TPM2B_ID_OBJECT *out)
{
	TPM2B_DIGEST plain = {.size = CREDENTIAL_SECRET_LEN}, mac = {0};
	uint8_t data[sizeof(plain)];
	size_t len = 0;
	bool good;

	memcpy(plain.buffer, secret, CREDENTIAL_SECRET_LEN);
	good = Tss2_MU_TPM2B_DIGEST_Marshal(&plain, data, sizeof(data), &len) == TSS2_RC_SUCCESS &&
	       outer_wrap(target, seed, name, data, len, &mac) &&
	       put_blob(&mac, BYTES(data, len), out);
	OPENSSL_cleanse(&plain, sizeof(plain));
	OPENSSL_cleanse(data, sizeof(data));
	return good;
}

enum ks_error credential_make(const TPMT_PUBLIC *target, const TPM2B_NAME *name,
	const uint8_t secret[static CREDENTIAL_SECRET_LEN], struct credential *out)
{
	struct seed seed = {0};
	bool good;

	*out = (struct credential){0};
	good = duplicate_target_wrong(target) == NULL &&
	       seed_make(target, "IDENTITY", &seed, &out->seed) &&
	       wrap(target, &seed, name, secret, &out->blob);
	OPENSSL_cleanse(&seed, sizeof(seed));
	ERR_clear_error();
	return good ? KS_OK : KS_DEVICE_FAILED;
}

enum ks_error credential_digest(const TPMT_PUBLIC *target, const TPM2B_NAME *name,
	const uint8_t secret[static CREDENTIAL_SECRET_LEN],
	uint8_t out[static TPM2_SHA256_DIGEST_SIZE])
{
	uint8_t bytes[CREDENTIAL_SECRET_LEN + sizeof(name->name) + sizeof(*target)];
	size_t len = CREDENTIAL_SECRET_LEN + name->size;
	unsigned got = 0;
	bool good;

	memcpy(bytes, secret, CREDENTIAL_SECRET_LEN);
	memcpy(bytes + CREDENTIAL_SECRET_LEN, name->name, name->size);
	good = Tss2_MU_TPMT_PUBLIC_Marshal(target, bytes, sizeof(bytes), &len) == TSS2_RC_SUCCESS &&
	       EVP_Digest(bytes, len, out, &got, EVP_sha256(), NULL) == 1;
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return good ? KS_OK : KS_DEVICE_FAILED;
}
