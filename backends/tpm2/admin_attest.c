/*
 * attest: {"file": "...", "nonce": "...", "has_pin", "has_none"} has the TPM certify a key; the
 * answer is what verify takes, all of it in base64: "key" and "attestation_key" (TPM2B_PUBLIC),
 * "statement" (TPMS_ATTEST), "signature" (TPMT_SIGNATURE), "certificates" of the endorsement keys
 * (X.509) as far as the TPM has them.
 */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "admin.h"
#include "attestation.h"
#include "session.h"

#define CERTIFICATE_MAX 8192
#define CHUNK_MAX 512 /* what any TPM gives at once */

/* TCG EK Credential Profile 2.5, section 2.2.1.4: RSA 2048, ECC P-256, P-384, RSA 3072. */
static const TPM2_HANDLE certificate_places[] = {0x01c00002, 0x01c0000a, 0x01c00016, 0x01c0001c};

struct certification {
	TPM2B_DATA nonce;
	TPM2B_PUBLIC *attestation_key;
	TPM2B_ATTEST *statement;
	TPMT_SIGNATURE *signature;
	json_t *certificates;
};

/* ---- Certificates of endorsement keys ---- */

/* Their place has an empty authorisation value, which goes by HMAC as well. */
static TSS2_RC read_chunks(struct held *held, ESYS_TR place, uint8_t *out, UINT16 size)
{
	for (UINT16 at = 0; at < size;) {
		UINT16 chunk = size - at < CHUNK_MAX ? (UINT16)(size - at) : CHUNK_MAX;
		TPM2B_MAX_NV_BUFFER *data = NULL;
		TSS2_RC code = Esys_NV_Read(held->tpm.esys, place, place, held->session,
			ESYS_TR_NONE, ESYS_TR_NONE, chunk, at, &data);

		if (code != TSS2_RC_SUCCESS)
			return code;
		if (data->size != chunk) {
			Esys_Free(data);
			return TPM2_RC_SIZE;
		}
		memcpy(out + at, data->buffer, chunk);
		at = (UINT16)(at + chunk);
		Esys_Free(data);
	}
	return TSS2_RC_SUCCESS;
}

/* One that is not there, or can't be read, is left out. */
static void read_certificate(struct held *held, TPM2_HANDLE handle, json_t *certificates)
{
	ESYS_CONTEXT *esys = held->tpm.esys;
	ESYS_TR place = ESYS_TR_NONE;
	TPM2B_NV_PUBLIC *public = NULL;
	uint8_t bytes[CERTIFICATE_MAX];

	if (Esys_TR_FromTPMPublic(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &place) !=
		TSS2_RC_SUCCESS)
		return;
	if (Esys_NV_ReadPublic(esys, place, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public,
		    NULL) == TSS2_RC_SUCCESS &&
		public->nvPublic.dataSize <= sizeof(bytes) &&
		read_chunks(held, place, bytes, public->nvPublic.dataSize) == TSS2_RC_SUCCESS)
		json_array_append_new(
			certificates, admin_base64(BYTES(bytes, public->nvPublic.dataSize)));
	Esys_Free(public);
	tpm_forget(esys, &place);
}

/* ---- The statement ---- */

static TSS2_RC make_attestation_key(
	ESYS_CONTEXT *esys, struct certification *certification, ESYS_TR *out)
{
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPM2B_PUBLIC template = attestation_key_template();
	const TPM2B_DATA outside = {0};
	const TPML_PCR_SELECTION pcrs = {0};
	ESYS_TR session;
	TSS2_RC code = tpm_session_start(esys, ESYS_TR_NONE, &session);

	*out = ESYS_TR_NONE;
	if (code == TSS2_RC_SUCCESS)
		code = Esys_CreatePrimary(esys, ESYS_TR_RH_ENDORSEMENT, session, ESYS_TR_NONE,
			ESYS_TR_NONE, &sensitive, &template, &outside, &pcrs, out,
			&certification->attestation_key, NULL, NULL, NULL);
	tpm_flush(esys, &session);
	return code;
}

/* Each of the two keys is authorised in a session of its own. */
static TSS2_RC certify_with(struct held *held, ESYS_TR key, ESYS_TR attestation_key,
	struct certification *certification)
{
	const TPMT_SIG_SCHEME scheme = {
		.scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256};
	ESYS_CONTEXT *esys = held->tpm.esys;
	ESYS_TR session;
	TSS2_RC code = tpm_session_start(esys, ESYS_TR_NONE, &session);

	if (code == TSS2_RC_SUCCESS) /* one session of a command encrypts */
		code = Esys_TRSess_SetAttributes(esys, session, TPMA_SESSION_CONTINUESESSION, 0xff);
	if (code == TSS2_RC_SUCCESS)
		code = Esys_Certify(esys, key, attestation_key, held->session, session,
			ESYS_TR_NONE, &certification->nonce, &scheme, &certification->statement,
			&certification->signature);
	tpm_flush(esys, &session);
	return code;
}

static TSS2_RC certify(struct admin *admin, struct tpm_key *key, void *context)
{
	struct certification *certification = context;
	struct held *held = &admin->held;
	ESYS_TR attestation_key;
	TSS2_RC code = make_attestation_key(held->tpm.esys, certification, &attestation_key);

	if (code == TSS2_RC_SUCCESS)
		code = certify_with(held, key->loaded, attestation_key, certification);
	tpm_flush(held->tpm.esys, &attestation_key);
	for (size_t i = 0; code == TSS2_RC_SUCCESS &&
			   i < sizeof(certificate_places) / sizeof(certificate_places[0]);
		i++)
		read_certificate(held, certificate_places[i], certification->certificates);
	return code;
}

/* ---- The answer ---- */

static bool put_public(json_t *object, const char *name, const TPM2B_PUBLIC *public)
{
	uint8_t bytes[sizeof(*public)];
	size_t len = 0;

	return Tss2_MU_TPM2B_PUBLIC_Marshal(public, bytes, sizeof(bytes), &len) ==
		       TSS2_RC_SUCCESS &&
	       json_object_set_new(object, name, admin_base64(BYTES(bytes, len))) == 0;
}

static enum ks_error put_result(
	struct admin *admin, const struct tpm_key *key, const struct certification *certification)
{
	json_t *answer = admin->answer;
	const TPM2B_ATTEST *statement = certification->statement;
	uint8_t signature[sizeof(TPMT_SIGNATURE)];
	size_t len = 0;

	if (Tss2_MU_TPMT_SIGNATURE_Marshal(certification->signature, signature, sizeof(signature),
		    &len) != TSS2_RC_SUCCESS ||
		!put_public(answer, "key", &key->public) ||
		!put_public(answer, "attestation_key", certification->attestation_key))
		return KS_DEVICE_FAILED;
	json_object_set_new(answer, "statement",
		admin_base64(BYTES(statement->attestationData, statement->size)));
	json_object_set_new(answer, "signature", admin_base64(BYTES(signature, len)));
	json_object_set(answer, "certificates", certification->certificates);
	return KS_OK;
}

static enum ks_error attest(struct admin *admin, struct tpm_key *key)
{
	struct certification certification = {.certificates = json_array()};
	TPM2B_AUTH pin = {0};
	const struct admin_key_use use = {
		.run = certify, .context = &certification, .auth = &pin, .command = "TPM2_Certify"};
	enum ks_error error = attestation_nonce(admin_text(admin, "nonce"), &certification.nonce)
				      ? admin_pin_of(admin, key, &pin)
				      : KS_NO_MEMORY;

	if (error == KS_OK)
		error = admin_run_key(admin, key, &use);
	if (error == KS_OK)
		error = put_result(admin, key, &certification);
	explicit_bzero(&pin, sizeof(pin));
	Esys_Free(certification.attestation_key);
	Esys_Free(certification.statement);
	Esys_Free(certification.signature);
	json_decref(certification.certificates);
	return error;
}

enum ks_error admin_attest(struct admin *admin)
{
	struct tpm_key key;
	enum ks_error error = admin_key(admin, &key);

	if (error != KS_OK)
		return error;
	error = attest(admin, &key);
	held_release(&admin->held); /* holds the key */
	tpm_key_deinit(&key);
	return error;
}
