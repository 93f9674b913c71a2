/*
 * Checks that need no TPM.
 */
#include "attestation.h"

#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>
#include <keystile/public_key.h>

#include "key_blob.h"

#define ATTESTATION_ATTRIBUTES                                                                     \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
		TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |             \
		TPMA_OBJECT_SIGN_ENCRYPT)

TPM2B_PUBLIC attestation_key_template(void)
{
	TPM2B_PUBLIC public = {.publicArea = {.type = TPM2_ALG_ECC,
				       .nameAlg = TPM2_ALG_SHA256,
				       .objectAttributes = ATTESTATION_ATTRIBUTES}};
	TPMS_ECC_PARMS *parameters = &public.publicArea.parameters.eccDetail;

	parameters->curveID = TPM2_ECC_NIST_P256;
	parameters->symmetric.algorithm = TPM2_ALG_NULL;
	parameters->scheme.scheme = TPM2_ALG_ECDSA;
	parameters->scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
	parameters->kdf.scheme = TPM2_ALG_NULL;
	return public;
}

bool attestation_nonce(const char *text, TPM2B_DATA *out)
{
	unsigned len = 0;

	if (EVP_Digest(text, strlen(text), out->buffer, &len, EVP_sha256(), NULL) != 1)
		return false;
	out->size = (UINT16)len;
	return true;
}

bool attestation_name(const TPMT_PUBLIC *public, TPM2B_NAME *out)
{
	uint8_t area[sizeof(*public)];
	size_t len = 0, written = 0;
	unsigned digest_len = 0;

	if (public->nameAlg != TPM2_ALG_SHA256 ||
		Tss2_MU_UINT16_Marshal(public->nameAlg, out->name, sizeof(out->name), &written) !=
			TSS2_RC_SUCCESS ||
		Tss2_MU_TPMT_PUBLIC_Marshal(public, area, sizeof(area), &len) != TSS2_RC_SUCCESS ||
		EVP_Digest(area, len, out->name + written, &digest_len, EVP_sha256(), NULL) != 1)
		return false;
	out->size = (UINT16)(written + digest_len);
	return true;
}

/* ---- The signature ---- */

/* As SSH has it, since there is a verifier for that: string algorithm, string (mpint r, mpint s).
 */
static enum ks_error put_signature(const TPMS_SIGNATURE_ECC *signature, struct buf *out)
{
	uint8_t raw[64] = {0};
	const TPM2B_ECC_PARAMETER *r = &signature->signatureR, *s = &signature->signatureS;

	if (r->size > 32 || s->size > 32)
		return KS_BAD_INPUT;
	memcpy(raw + 32 - r->size, r->buffer, r->size);
	memcpy(raw + 64 - s->size, s->buffer, s->size);
	return signature_put(out, KS_ALGORITHM_ECDSA_P256, BYTES(raw, sizeof(raw)));
}

static bool is_signed(const struct attestation *attestation)
{
	AUTO(buf) blob = {0};
	AUTO(buf) signature = {0};
	struct public_key *key = NULL;
	enum ks_error error = tpm_key_blob(&attestation->attestation_key.publicArea, &blob);

	if (error == KS_OK)
		error = public_key_parse(buf_bytes(&blob), &key);
	if (error == KS_OK)
		error = put_signature(&attestation->signature.signature.ecdsa, &signature);
	if (error == KS_OK)
		error = public_key_verify(key, buf_bytes(&signature), attestation->statement,
			PERMIT_NOTHING_OLD, NULL);
	public_key_free(&key);
	return error == KS_OK;
}

/* One that is restricted signs nothing that looks like a statement but its TPM's own. */
static bool is_attestation_key(const TPMT_PUBLIC *public)
{
	const TPM2B_PUBLIC wanted = attestation_key_template();

	return public->type == TPM2_ALG_ECC && public->nameAlg == TPM2_ALG_SHA256 &&
	       public->objectAttributes == wanted.publicArea.objectAttributes &&
	       public->parameters.eccDetail.curveID == TPM2_ECC_NIST_P256;
}

/* ---- The statement ---- */

static bool same_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static const char *judge_statement(const struct attestation *attestation, const TPMS_ATTEST *said)
{
	TPM2B_NAME name = {0};
	const TPM2B_NAME *certified = &said->attested.certify.name;

	if (said->magic != TPM2_GENERATED_VALUE || said->type != TPM2_ST_ATTEST_CERTIFY)
		return "does not say that a key was certified";
	if (!same_bytes(said->extraData.buffer, said->extraData.size, attestation->nonce.buffer,
		    attestation->nonce.size))
		return "was made with another nonce: it may be an old one";
	if (!attestation_name(&attestation->key.publicArea, &name) ||
		!same_bytes(name.name, name.size, certified->name, certified->size))
		return "is about another key";
	return NULL;
}

const char *attestation_wrong(const struct attestation *attestation, uint64_t *firmware)
{
	const struct bytes statement = attestation->statement;
	TPMS_ATTEST said = {0};
	size_t at = 0;

	*firmware = 0;
	if (!is_attestation_key(&attestation->attestation_key.publicArea))
		return "is signed with a key that might sign anything";
	if (attestation->signature.sigAlg != TPM2_ALG_ECDSA || !is_signed(attestation))
		return "is not signed with the attestation key";
	if (Tss2_MU_TPMS_ATTEST_Unmarshal(statement.data, statement.len, &at, &said) !=
			TSS2_RC_SUCCESS ||
		at != statement.len)
		return "is malformed";
	*firmware = said.firmwareVersion;
	return judge_statement(attestation, &said);
}
