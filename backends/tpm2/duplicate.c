/*
 * The two halves of a wrapped key, and for whom one may be wrapped.
 */
#include "duplicate.h"

#include <string.h>

#include <openssl/err.h>
#include <tss2/tss2_mu.h>

#include "attestation.h"
#include "outer_wrap.h"

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
	uint8_t data[sizeof(TPM2B_PRIVATE)];
	TPM2B_DIGEST mac = {0};
	TPM2B_NAME name = {0};
	size_t len = 0;
	bool good = attestation_name(&out->public.publicArea, &name) &&
		    Tss2_MU_TPM2B_SENSITIVE_Marshal(sensitive, data, sizeof(data), &len) ==
			    TSS2_RC_SUCCESS &&
		    outer_wrap(target, seed, &name, data, len, &mac) &&
		    put_private(BYTES(data, len), &mac, &out->private);

	OPENSSL_cleanse(data, sizeof(data));
	return good;
}

enum ks_error duplicate_wrap(const TPMT_PUBLIC *target, const TPM2B_PUBLIC *public,
	const TPM2B_SENSITIVE *sensitive, struct duplicate *out)
{
	struct seed seed = {0};
	bool good;

	*out = (struct duplicate){.public = *public};
	good = duplicate_target_wrong(target) == NULL &&
	       seed_make(target, "DUPLICATE", &seed, &out->seed) &&
	       wrap(target, &seed, sensitive, out);
	OPENSSL_cleanse(&seed, sizeof(seed));
	ERR_clear_error();
	return good ? KS_OK : KS_DEVICE_FAILED;
}
