/*
 * answer: {"challenge": what challenge answered, "endorsement_pin"} has the TPM read the secret
 * (TPM2_ActivateCredential), which it does only for its own endorsement and attestation keys.
 */
#include <stdlib.h>
#include <string.h>

#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>

#include "endorsement.h"
#include "proof.h"
#include "session.h"

struct activation {
	size_t which;
	TPM2B_ID_OBJECT blob;
	TPM2B_ENCRYPTED_SECRET seed;
	TPM2B_AUTH auth; /* of the endorsement hierarchy */
	TPM2B_DIGEST *secret;
	bool refused; /* the TPM does not take the credential for its own */
};

static bool take_challenge(const json_t *from, struct activation *out)
{
	const char *place = json_string_value(json_object_get(from, "place"));
	AUTO(buf) blob = {0};
	AUTO(buf) seed = {0};
	size_t at = 0, seed_at = 0;

	out->which = place != NULL ? endorsement_at((TPM2_HANDLE)strtoul(place, NULL, 16))
				   : ENDORSEMENT_COUNT;
	return out->which < ENDORSEMENT_COUNT &&
	       admin_from_base64(json_object_get(from, "credential"), &blob) == KS_OK &&
	       admin_from_base64(json_object_get(from, "seed"), &seed) == KS_OK &&
	       Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(blob.data, blob.len, &at, &out->blob) ==
		       TSS2_RC_SUCCESS &&
	       Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(
		       seed.data, seed.len, &seed_at, &out->seed) == TSS2_RC_SUCCESS &&
	       at == blob.len && seed_at == seed.len;
}

/* Policy A of the profile: whoever may use the endorsement hierarchy may use the key. */
static TSS2_RC satisfy_policy(struct held *held, const TPM2B_AUTH *auth, ESYS_TR session)
{
	ESYS_CONTEXT *esys = held->tpm.esys;
	TSS2_RC code = Esys_TR_SetAuth(esys, ESYS_TR_RH_ENDORSEMENT, auth);

	if (code == TSS2_RC_SUCCESS)
		code = Esys_PolicySecret(esys, ESYS_TR_RH_ENDORSEMENT, session, held->session,
			ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
	tpm_clear_auth(esys, ESYS_TR_RH_ENDORSEMENT);
	return code;
}

/* Keys of the profile's lower templates go by policy only; those of its upper ones have an empty
 * authorisation value. */
static TSS2_RC start_session(
	struct held *held, const TPM2B_AUTH *auth, const TPM2B_PUBLIC *key, ESYS_TR *out)
{
	const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
	const bool by_policy = (key->publicArea.objectAttributes & TPMA_OBJECT_USERWITHAUTH) == 0;
	TSS2_RC code = Esys_StartAuthSession(held->tpm.esys, ESYS_TR_NONE, ESYS_TR_NONE,
		ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
		by_policy ? TPM2_SE_POLICY : TPM2_SE_HMAC, &none, key->publicArea.nameAlg, out);

	if (code != TSS2_RC_SUCCESS)
		*out = ESYS_TR_NONE;
	else
		code = Esys_TRSess_SetAttributes(
			held->tpm.esys, *out, TPMA_SESSION_CONTINUESESSION, 0xff);
	if (code == TSS2_RC_SUCCESS && by_policy)
		code = satisfy_policy(held, auth, *out);
	return code;
}

/* The answer's parameter is encrypted by our session, which is the attestation key's here. What the
 * TPM says against a parameter is that it can't read it. */
static TSS2_RC read_secret(struct held *held, struct activation *activation,
	ESYS_TR attestation_key, ESYS_TR endorsement_key, ESYS_TR session)
{
	const TSS2_RC about_parameter = TPM2_RC_FMT1 | TPM2_RC_P;
	TSS2_RC code = Esys_ActivateCredential(held->tpm.esys, attestation_key, endorsement_key,
		held->session, session, ESYS_TR_NONE, &activation->blob, &activation->seed,
		&activation->secret);

	activation->refused = (code & TSS2_RC_LAYER_MASK) == TSS2_TPM_RC_LAYER &&
			      (code & about_parameter) == about_parameter;
	return code;
}

static TSS2_RC activate_with(
	struct held *held, struct activation *activation, ESYS_TR attestation_key)
{
	ESYS_TR endorsement_key = ESYS_TR_NONE, session = ESYS_TR_NONE;
	TPM2B_PUBLIC *public = NULL;
	TSS2_RC code = endorsement_make(
		held, activation->which, &activation->auth, &endorsement_key, &public);

	if (code == TSS2_RC_SUCCESS)
		code = start_session(held, &activation->auth, public, &session);
	if (code == TSS2_RC_SUCCESS)
		code = read_secret(held, activation, attestation_key, endorsement_key, session);
	Esys_Free(public);
	tpm_flush(held->tpm.esys, &session);
	tpm_flush(held->tpm.esys, &endorsement_key);
	return code;
}

static TSS2_RC activate(struct admin *admin, void *context)
{
	struct activation *activation = context;
	struct held *held = &admin->held;
	ESYS_TR attestation_key;
	TSS2_RC code =
		endorsement_make_attestation_key(held, &activation->auth, &attestation_key, NULL);

	if (code == TSS2_RC_SUCCESS)
		code = activate_with(held, activation, attestation_key);
	tpm_flush(held->tpm.esys, &attestation_key);
	return code;
}

static enum ks_error answer(struct admin *admin, struct activation *activation)
{
	const struct tpm_parent parent = {
		.handle = TPM2_RH_ENDORSEMENT, .template = TPM_TEMPLATE_ECC_P256};
	enum ks_error error = admin_new_pin(admin, "endorsement_pin", &activation->auth);

	if (error != KS_OK)
		return error;
	admin->settings.parent_auth = activation->auth;
	error = admin_run(admin, &(struct admin_use){.run = activate,
					 .context = activation,
					 .parent = &parent,
					 .command = "TPM2_ActivateCredential",
					 .option = "--endorsement-password"});
	if (activation->refused)
		ks_explain(admin->operation,
			"the TPM can't read it: the challenge was made for another TPM, or for an "
			"attestation key of another one, or was changed on the way");
	if (error == KS_OK && json_object_set_new(admin->answer, "answer",
				      admin_base64(BYTES(activation->secret->buffer,
					      activation->secret->size))) != 0)
		error = KS_NO_MEMORY;
	return error;
}

enum ks_error admin_answer(struct admin *admin)
{
	struct activation activation = {0};
	enum ks_error error = KS_BAD_INPUT;

	if (take_challenge(json_object_get(admin->request, "challenge"), &activation))
		error = answer(admin, &activation);
	else
		ks_explain(admin->operation, "the challenge is malformed");
	explicit_bzero(&activation.auth, sizeof(activation.auth));
	Esys_Free(activation.secret);
	return error;
}
