/*
 * Hashes, schemes, padding, and the one command.
 */
#include "signature.h"

#include <string.h>

#include <openssl/evp.h>

#include "key_blob.h"
#include "session.h"

static const struct {
	enum ks_algorithm algorithm;
	TPMI_ALG_HASH hash;
	const char *name;
	UINT16 len;
	TPMI_ECC_CURVE curve; /* 0: RSA */
} algorithms[] = {
	{KS_ALGORITHM_ECDSA_P256, TPM2_ALG_SHA256, "SHA256", 32, TPM2_ECC_NIST_P256},
	{KS_ALGORITHM_ECDSA_P384, TPM2_ALG_SHA384, "SHA384", 48, TPM2_ECC_NIST_P384},
	{KS_ALGORITHM_ECDSA_P521, TPM2_ALG_SHA512, "SHA512", 64, TPM2_ECC_NIST_P521},
	{KS_ALGORITHM_RSA_SHA256, TPM2_ALG_SHA256, "SHA256", 32, 0},
	{KS_ALGORITHM_RSA_SHA512, TPM2_ALG_SHA512, "SHA512", 64, 0},
};

/* DER of DigestInfo up to the digest (RFC 8017, section 9.2). */
static const uint8_t sha256_prefix[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
static const uint8_t sha512_prefix[] = {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40};

/* The scheme that is written into the key, if any, has to be the one that is asked for. */
static bool scheme_allows(const TPMT_PUBLIC *area, TPMI_ALG_HASH hash)
{
	const bool rsa = area->type == TPM2_ALG_RSA;
	const TPMI_ALG_SIG_SCHEME scheme = rsa ? area->parameters.rsaDetail.scheme.scheme
					       : area->parameters.eccDetail.scheme.scheme;

	if (scheme == TPM2_ALG_NULL)
		return true;
	if (rsa)
		return scheme == TPM2_ALG_RSASSA &&
		       area->parameters.rsaDetail.scheme.details.rsassa.hashAlg == hash;
	return scheme == TPM2_ALG_ECDSA &&
	       area->parameters.eccDetail.scheme.details.ecdsa.hashAlg == hash;
}

static enum ks_error refuse(struct ks_operation *operation, const char *why)
{
	ks_explain(operation, "%s", why);
	return KS_UNSUPPORTED;
}

enum ks_error tpm_signature_prepare(struct ks_operation *operation, const struct tpm_key *key,
	enum ks_algorithm algorithm, struct bytes data, struct tpm_signature *out)
{
	const TPMT_PUBLIC *area = &key->public.publicArea;
	const TPMI_ECC_CURVE curve =
		area->type == TPM2_ALG_ECC ? area->parameters.eccDetail.curveID : 0;
	size_t i = 0;

	if (algorithm == KS_ALGORITHM_RSA_SHA1)
		return refuse(operation, "signatures with SHA-1 are not made with a TPM");
	while (i < sizeof(algorithms) / sizeof(algorithms[0]) &&
		algorithms[i].algorithm != algorithm)
		i++;
	if (i == sizeof(algorithms) / sizeof(algorithms[0]) || algorithms[i].curve != curve)
		return refuse(operation, "this key does not have that algorithm");
	if (!scheme_allows(area, algorithms[i].hash))
		return refuse(operation, "this key was made for another hash or padding");
	*out = (struct tpm_signature){.hash = algorithms[i].hash, .digest.size = algorithms[i].len};
	if (EVP_Q_digest(NULL, algorithms[i].name, NULL, data.data, data.len, out->digest.buffer,
		    NULL) != 1)
		return KS_NO_MEMORY;
	return KS_OK;
}

/* Leading zeros that the TPM may have left out. */
static bool put_number(struct tpm_signature *out, const uint8_t *data, size_t len, size_t wanted)
{
	if (len > wanted || out->len + wanted > sizeof(out->raw))
		return false;
	memset(out->raw + out->len, 0, wanted - len);
	memcpy(out->raw + out->len + wanted - len, data, len);
	out->len += wanted;
	return true;
}

static bool take_ecdsa(
	const struct tpm_key *key, const TPMT_SIGNATURE *made, struct tpm_signature *out)
{
	const TPMS_SIGNATURE_ECC *ecdsa = &made->signature.ecdsa;
	const size_t len = tpm_curve_len(key->public.publicArea.parameters.eccDetail.curveID);

	return made->sigAlg == TPM2_ALG_ECDSA &&
	       put_number(out, ecdsa->signatureR.buffer, ecdsa->signatureR.size, len) &&
	       put_number(out, ecdsa->signatureS.buffer, ecdsa->signatureS.size, len);
}

static bool take_rsa(
	const struct tpm_key *key, const TPMT_SIGNATURE *made, struct tpm_signature *out)
{
	const TPM2B_PUBLIC_KEY_RSA *rsa = &made->signature.rsassa.sig;

	return made->sigAlg == TPM2_ALG_RSASSA &&
	       put_number(out, rsa->buffer, rsa->size, key->public.publicArea.unique.rsa.size);
}

static TSS2_RC sign(struct held *held, struct tpm_key *key, struct tpm_signature *signature)
{
	const bool rsa = key->public.publicArea.type == TPM2_ALG_RSA;
	const TPMT_SIG_SCHEME scheme = {.scheme = rsa ? TPM2_ALG_RSASSA : TPM2_ALG_ECDSA,
		.details.any.hashAlg = signature->hash};
	const TPMT_TK_HASHCHECK not_made_by_the_tpm = {
		.tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL};
	TPMT_SIGNATURE *made = NULL;
	TSS2_RC code;

	code = Esys_Sign(held->tpm.esys, key->loaded, held->session, ESYS_TR_NONE, ESYS_TR_NONE,
		&signature->digest, &scheme, &not_made_by_the_tpm, &made);
	signature->len = 0;
	if (code == TSS2_RC_SUCCESS &&
		!(rsa ? take_rsa(key, made, signature) : take_ecdsa(key, made, signature)))
		code = TSS2_ESYS_RC_MALFORMED_RESPONSE;
	Esys_Free(made);
	return code;
}

/* EMSA-PKCS1-v1_5 of the digest; false: the modulus is too short. */
static bool pad(const struct tpm_signature *signature, size_t modulus, TPM2B_PUBLIC_KEY_RSA *out)
{
	const bool sha256 = signature->hash == TPM2_ALG_SHA256;
	const uint8_t *prefix = sha256 ? sha256_prefix : sha512_prefix;
	const size_t prefix_len = sha256 ? sizeof(sha256_prefix) : sizeof(sha512_prefix);
	const size_t tail = prefix_len + signature->digest.size;

	if (modulus > sizeof(out->buffer) || modulus < tail + 11)
		return false;
	out->size = (UINT16)modulus;
	memset(out->buffer, 0xff, modulus);
	out->buffer[0] = 0;
	out->buffer[1] = 1;
	out->buffer[modulus - tail - 1] = 0;
	memcpy(out->buffer + modulus - tail, prefix, prefix_len);
	memcpy(out->buffer + modulus - signature->digest.size, signature->digest.buffer,
		signature->digest.size);
	return true;
}

static TSS2_RC decrypt(struct held *held, struct tpm_key *key, struct tpm_signature *signature)
{
	const size_t modulus = key->public.publicArea.unique.rsa.size;
	const TPMT_RSA_DECRYPT raw = {.scheme = TPM2_ALG_NULL};
	const TPM2B_DATA no_label = {0};
	TPM2B_PUBLIC_KEY_RSA padded = {0};
	TPM2B_PUBLIC_KEY_RSA *made = NULL;
	TSS2_RC code;

	if (!pad(signature, modulus, &padded))
		return TPM2_RC_KEY_SIZE;
	code = Esys_RSA_Decrypt(held->tpm.esys, key->loaded, held->session, ESYS_TR_NONE,
		ESYS_TR_NONE, &padded, &raw, &no_label, &made);
	signature->len = 0;
	if (code == TSS2_RC_SUCCESS && !put_number(signature, made->buffer, made->size, modulus))
		code = TSS2_ESYS_RC_MALFORMED_RESPONSE;
	Esys_Free(made);
	return code;
}

/* The key may decrypt with any padding, so also with none: then padding can be done here. */
static bool may_pad_here(const struct tpm_key *key)
{
	const TPMT_PUBLIC *area = &key->public.publicArea;

	return area->type == TPM2_ALG_RSA && (area->objectAttributes & TPMA_OBJECT_DECRYPT) != 0 &&
	       area->parameters.rsaDetail.scheme.scheme == TPM2_ALG_NULL;
}

TSS2_RC tpm_signature_make(struct held *held, struct tpm_key *key, const struct secret *pin,
	struct tpm_signature *signature)
{
	TPM2B_AUTH auth = {0};
	TSS2_RC code = TPM2_RC_SCHEME;

	if (pin != NULL && pin->len > sizeof(auth.buffer))
		return TPM2_RC_BAD_AUTH;
	if (pin != NULL) {
		auth.size = (UINT16)pin->len;
		memcpy(auth.buffer, pin->data, pin->len);
	}
	(void)Esys_TR_SetAuth(held->tpm.esys, key->loaded, &auth);
	explicit_bzero(&auth, sizeof(auth));
	if (!key->padded_here)
		code = sign(held, key, signature);
	if (tpm_trouble(code) == TPM_LACKS && may_pad_here(key)) {
		code = decrypt(held, key, signature);
		key->padded_here = key->padded_here || code == TSS2_RC_SUCCESS;
	}
	tpm_clear_auth(held->tpm.esys, key->loaded);
	return code;
}
