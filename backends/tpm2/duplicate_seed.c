/*
 * All of the cryptography is OpenSSL's, KDFe too: it is the one-step KDF of SP 800-56C.
 */
#include "duplicate_seed.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>

#include "key_blob.h"
#include "public_pkey.h"

const char *seed_digest_name(const TPMT_PUBLIC *target)
{
	switch (target->nameAlg) {
	case TPM2_ALG_SHA256:
		return "SHA256";
	case TPM2_ALG_SHA384:
		return "SHA384";
	default:
		return NULL;
	}
}

const EVP_MD *seed_digest(const TPMT_PUBLIC *target)
{
	return target->nameAlg == TPM2_ALG_SHA384 ? EVP_sha384() : EVP_sha256();
}

/* ---- RSA ---- */

/* The context takes the label's copy. */
static bool set_oaep(EVP_PKEY_CTX *context, const EVP_MD *digest, const char *label)
{
	const size_t len = strlen(label) + 1; /* its NUL goes along */
	void *copy = OPENSSL_memdup(label, len);

	if (copy != NULL && EVP_PKEY_encrypt_init(context) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_oaep_md(context, digest) == 1 &&
		EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) == 1 &&
		EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, (int)len) == 1)
		return true;
	OPENSSL_free(copy);
	return false;
}

static bool make_for_rsa(const TPMT_PUBLIC *target, const char *label, struct seed *seed,
	TPM2B_ENCRYPTED_SECRET *secret)
{
	EVP_PKEY *pkey = public_pkey(target);
	EVP_PKEY_CTX *context = pkey != NULL ? EVP_PKEY_CTX_new(pkey, NULL) : NULL;
	size_t len = sizeof(secret->secret);
	bool good = context != NULL && RAND_bytes(seed->bytes, (int)seed->len) == 1 &&
		    set_oaep(context, seed_digest(target), label) &&
		    EVP_PKEY_encrypt(context, secret->secret, &len, seed->bytes, seed->len) == 1;

	secret->size = good ? (UINT16)len : 0;
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(pkey);
	return good;
}

/* ---- Elliptic curves ---- */

struct agreement {
	size_t len; /* of a coordinate */
	EVP_PKEY *own;
	EVP_PKEY *theirs;
	uint8_t own_point[PUBLIC_POINT_MAX];
	uint8_t their_point[PUBLIC_POINT_MAX];
	uint8_t shared[PUBLIC_COORDINATE_MAX];
};

static bool agree(struct agreement *agreement)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(agreement->own, NULL);
	size_t len = sizeof(agreement->shared);
	bool good = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
		    EVP_PKEY_derive_set_peer(context, agreement->theirs) == 1 &&
		    EVP_PKEY_derive(context, agreement->shared, &len) == 1 && len == agreement->len;

	EVP_PKEY_CTX_free(context);
	return good;
}

/* KDFe: what both know, the label, the x of the one who sends and of the one who receives. */
static bool derive_seed(const TPMT_PUBLIC *target, const char *label, struct agreement *agreement,
	struct seed *seed)
{
	const size_t label_len = strlen(label) + 1; /* its NUL goes along */
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SSKDF", NULL);
	EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	uint8_t info[SEED_LABEL_MAX + 2 * PUBLIC_COORDINATE_MAX];
	char digest[SEED_DIGEST_MAX];

	strcpy(digest, seed_digest_name(target));
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, agreement->shared, agreement->len),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_INFO, info, label_len + 2 * agreement->len),
		OSSL_PARAM_construct_end()};

	memcpy(info, label, label_len);
	memcpy(info + label_len, agreement->own_point + 1, agreement->len);
	memcpy(info + label_len + agreement->len, agreement->their_point + 1, agreement->len);
	bool good =
		context != NULL && EVP_KDF_derive(context, seed->bytes, seed->len, parameters) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return good;
}

static bool put_secret(const struct agreement *agreement, TPM2B_ENCRYPTED_SECRET *secret)
{
	TPMS_ECC_POINT point = {.x.size = (UINT16)agreement->len, .y.size = (UINT16)agreement->len};
	size_t at = 0;

	memcpy(point.x.buffer, agreement->own_point + 1, agreement->len);
	memcpy(point.y.buffer, agreement->own_point + 1 + agreement->len, agreement->len);
	if (Tss2_MU_TPMS_ECC_POINT_Marshal(&point, secret->secret, sizeof(secret->secret), &at) !=
		TSS2_RC_SUCCESS)
		return false;
	secret->size = (UINT16)at;
	return true;
}

static bool make_own(struct agreement *agreement, const char *group)
{
	size_t len = 0;

	agreement->own = EVP_PKEY_Q_keygen(NULL, NULL, "EC", group);
	return agreement->own != NULL &&
	       EVP_PKEY_get_octet_string_param(agreement->own, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
		       agreement->own_point, sizeof(agreement->own_point), &len) == 1 &&
	       len == 1 + 2 * agreement->len && agreement->own_point[0] == 4;
}

static bool make_for_ecc(const TPMT_PUBLIC *target, const char *label, struct seed *seed,
	TPM2B_ENCRYPTED_SECRET *secret)
{
	TPMI_ECC_CURVE curve = target->parameters.eccDetail.curveID;
	struct agreement agreement = {.len = tpm_curve_len(curve)};
	bool good = public_group(curve) != NULL &&
		    public_point(&target->unique.ecc, agreement.len, agreement.their_point) &&
		    make_own(&agreement, public_group(curve));

	if (good)
		agreement.theirs = public_pkey(target);
	good = good && agreement.theirs != NULL && agree(&agreement) &&
	       derive_seed(target, label, &agreement, seed) && put_secret(&agreement, secret);
	EVP_PKEY_free(agreement.own);
	EVP_PKEY_free(agreement.theirs);
	OPENSSL_cleanse(&agreement, sizeof(agreement));
	return good;
}

bool seed_make(const TPMT_PUBLIC *target, const char *label, struct seed *seed,
	TPM2B_ENCRYPTED_SECRET *secret)
{
	bool good;

	if (strlen(label) >= SEED_LABEL_MAX)
		return false;
	seed->len = (size_t)EVP_MD_get_size(seed_digest(target));
	good = target->type == TPM2_ALG_RSA ? make_for_rsa(target, label, seed, secret)
					    : make_for_ecc(target, label, seed, secret);
	ERR_clear_error();
	return good;
}
