/*
 * attest: {"file": "...", "nonce": "...", "has_pin", "has_none", "endorsement_pin"} has the TPM
 * certify a key; the answer is a proof as in proof.h.
 */
#include <stdio.h>
#include <string.h>

#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>

#include "attestation.h"
#include "endorsement.h"
#include "nv.h"
#include "proof.h"
#include "session.h"

struct certification {
	TPM2B_DATA nonce;
	TPM2B_AUTH auth; /* of the endorsement hierarchy */
	TPM2B_PUBLIC *attestation_key;
	TPM2B_ATTEST *statement;
	TPMT_SIGNATURE *signature;
	json_t *endorsement_keys;
	struct buf chain;
	bool refused; /* by the endorsement hierarchy */
	bool foreign; /* a certificate was of no key that the TPM makes here */
};

/* Once more, if the TPM lost something meanwhile. */
static void clear(struct certification *certification)
{
	Esys_Free(certification->attestation_key);
	Esys_Free(certification->statement);
	Esys_Free(certification->signature);
	certification->attestation_key = NULL;
	certification->statement = NULL;
	certification->signature = NULL;
	json_array_clear(certification->endorsement_keys);
	buf_deinit(&certification->chain);
}

/* ---- Endorsement keys ---- */

static bool is_of(struct bytes der, const TPM2B_PUBLIC *public)
{
	X509 *certificate = certificate_parse(der);
	bool is = certificate != NULL && certificate_is_of(certificate, &public->publicArea);

	X509_free(certificate);
	return is;
}

static void put_key(struct certification *certification, size_t which, const TPM2B_PUBLIC *public,
	const struct buf *certificate)
{
	json_t *key = json_object();
	char place[16];

	snprintf(place, sizeof(place), "0x%08x", (unsigned)endorsement_place(which));
	json_object_set_new(key, "place", json_string(place));
	if (certificate != NULL)
		json_object_set_new(key, "certificate", admin_base64(buf_bytes(certificate)));
	if (proof_put_public(key, "public", public))
		json_array_append(certification->endorsement_keys, key);
	json_decref(key);
}

/* certificate may be NULL. */
static TSS2_RC add_key(struct held *held, struct certification *certification, size_t which,
	const struct buf *certificate)
{
	TPM2B_PUBLIC *public = NULL;
	ESYS_TR key = ESYS_TR_NONE;
	TSS2_RC code = endorsement_make(held, which, &certification->auth, &key, &public);

	tpm_flush(held->tpm.esys, &key);
	if (code != TSS2_RC_SUCCESS)
		return code;
	if (certificate == NULL || is_of(buf_bytes(certificate), public))
		put_key(certification, which, public, certificate);
	else
		certification->foreign = true;
	Esys_Free(public);
	return code;
}

/* Those with a certificate; where there is none, one without. */
static TSS2_RC add_keys(struct held *held, struct certification *certification)
{
	TSS2_RC code = TSS2_RC_SUCCESS;

	for (size_t which = 0; which < ENDORSEMENT_COUNT && code == TSS2_RC_SUCCESS; which++) {
		AUTO(buf) certificate = {0};

		if (nv_read(held, endorsement_place(which), &certificate))
			code = add_key(held, certification, which, &certificate);
	}
	endorsement_chain(held, &certification->chain);
	if (code != TSS2_RC_SUCCESS || json_array_size(certification->endorsement_keys) > 0)
		return code;
	code = add_key(held, certification, ENDORSEMENT_USUAL, NULL);
	return tpm_trouble(code) == TPM_LACKS
		       ? add_key(held, certification, ENDORSEMENT_USUAL_RSA, NULL)
		       : code;
}

/* ---- The statement ---- */

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
	TSS2_RC code;

	clear(certification);
	code = endorsement_make_attestation_key(
		held, &certification->auth, &attestation_key, &certification->attestation_key);
	certification->refused = admin_is_refusal(code);
	if (code == TSS2_RC_SUCCESS)
		code = certify_with(held, key->loaded, attestation_key, certification);
	tpm_flush(held->tpm.esys, &attestation_key);
	return code == TSS2_RC_SUCCESS ? add_keys(held, certification) : code;
}

/* ---- The answer ---- */

static enum ks_error put_result(
	struct admin *admin, const struct tpm_key *key, const struct certification *certification)
{
	json_t *answer = admin->answer;
	const TPM2B_ATTEST *statement = certification->statement;
	uint8_t signature[sizeof(TPMT_SIGNATURE)];
	size_t len = 0;

	if (Tss2_MU_TPMT_SIGNATURE_Marshal(certification->signature, signature, sizeof(signature),
		    &len) != TSS2_RC_SUCCESS ||
		!proof_put_public(answer, "key", &key->public) ||
		!proof_put_public(answer, "attestation_key", certification->attestation_key))
		return KS_DEVICE_FAILED;
	json_object_set_new(answer, "statement",
		admin_base64(BYTES(statement->attestationData, statement->size)));
	json_object_set_new(answer, "signature", admin_base64(BYTES(signature, len)));
	json_object_set_new(answer, "endorsement_keys", json_copy(certification->endorsement_keys));
	if (certification->chain.len > 0)
		json_object_set_new(
			answer, "chain", admin_base64(buf_bytes(&certification->chain)));
	return KS_OK;
}

static enum ks_error attest(
	struct admin *admin, struct tpm_key *key, struct certification *certification)
{
	TPM2B_AUTH pin = {0};
	const struct admin_key_use use = {
		.run = certify, .context = certification, .auth = &pin, .command = "TPM2_Certify"};
	enum ks_error error = admin_new_pin(admin, "endorsement_pin", &certification->auth);

	if (error == KS_OK && !attestation_nonce(admin_text(admin, "nonce"), &certification->nonce))
		error = KS_NO_MEMORY;
	if (error == KS_OK)
		error = admin_pin_of(admin, key, &pin);
	if (error == KS_OK) {
		ks_progress(admin->operation, "the TPM makes its endorsement keys: that may take "
					      "a minute where they are RSA");
		error = admin_run_key(admin, key, &use);
	}
	explicit_bzero(&pin, sizeof(pin));
	if (error != KS_OK && certification->refused)
		admin_explain_password(admin, "--endorsement-password");
	if (error == KS_OK && certification->foreign)
		ks_progress(admin->operation, "a certificate in the TPM is left out: it is of no "
					      "endorsement key that the TPM makes by the TCG's "
					      "templates");
	return error == KS_OK ? put_result(admin, key, certification) : error;
}

enum ks_error admin_attest(struct admin *admin)
{
	struct certification certification = {.endorsement_keys = json_array()};
	struct tpm_key key;
	enum ks_error error = admin_key(admin, &key);

	if (error == KS_OK) {
		error = attest(admin, &key, &certification);
		held_release(&admin->held); /* holds the key */
		tpm_key_deinit(&key);
	}
	clear(&certification);
	json_decref(certification.endorsement_keys);
	explicit_bzero(&certification.auth, sizeof(certification.auth));
	return error;
}
