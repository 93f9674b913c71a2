/*
 * challenge: {"proof": what attest answered, "roots": "PEM of certificate authorities"} makes a
 * secret that only the proof's TPM can read, if the proof is true. Needs no TPM. Where roots are
 * given, an endorsement key that one of them vouches for is asked, else the first.
 */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>

#include "attestation.h"
#include "credential.h"
#include "duplicate.h"
#include "proof.h"

static bool put_credential(json_t *answer, const struct credential *credential)
{
	uint8_t bytes[sizeof(*credential)];
	size_t len = 0, seed_len = 0;

	if (Tss2_MU_TPM2B_ID_OBJECT_Marshal(&credential->blob, bytes, sizeof(bytes), &len) !=
			TSS2_RC_SUCCESS ||
		json_object_set_new(answer, "credential", admin_base64(BYTES(bytes, len))) != 0)
		return false;
	return Tss2_MU_TPM2B_ENCRYPTED_SECRET_Marshal(
		       &credential->seed, bytes, sizeof(bytes), &seed_len) == TSS2_RC_SUCCESS &&
	       json_object_set_new(answer, "seed", admin_base64(BYTES(bytes, seed_len))) == 0;
}

static enum ks_error make(
	struct admin *admin, const struct proof_key *key, const TPM2B_NAME *attestation_key)
{
	const TPMT_PUBLIC *target = &key->public.publicArea;
	uint8_t secret[CREDENTIAL_SECRET_LEN], digest[TPM2_SHA256_DIGEST_SIZE];
	struct credential credential;
	enum ks_error error = KS_DEVICE_FAILED;

	if (RAND_bytes(secret, sizeof(secret)) == 1)
		error = credential_make(target, attestation_key, secret, &credential);
	if (error == KS_OK)
		error = credential_digest(target, attestation_key, secret, digest);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (error == KS_OK &&
		(!put_credential(admin->answer, &credential) ||
			json_object_set_new(admin->answer, "place", json_string(key->place)) != 0 ||
			json_object_set_new(admin->answer, "digest",
				admin_base64(BYTES(digest, sizeof(digest)))) != 0))
		error = KS_NO_MEMORY;
	return error;
}

static const struct proof_key *choose(struct admin *admin, const struct proof_keys *keys)
{
	const bool any = *admin_text(admin, "roots") == '\0';

	for (size_t i = 0; i < keys->count; i++)
		if ((any || keys->keys[i].trusted) &&
			duplicate_target_wrong(&keys->keys[i].public.publicArea) == NULL)
			return &keys->keys[i];
	ks_explain(admin->operation,
		any ? "the proof has no endorsement key that could be asked"
		    : "no endorsement key of the proof has a certificate that leads to one of "
		      "those that were given");
	return NULL;
}

enum ks_error admin_challenge(struct admin *admin)
{
	const json_t *proof = json_object_get(admin->request, "proof");
	const struct proof_key *key;
	struct proof_keys keys;
	TPM2B_PUBLIC attestation_key;
	TPM2B_NAME name = {0};
	enum ks_error error = KS_REFUSED;

	if (!proof_get_public(proof, "attestation_key", &attestation_key) ||
		!attestation_name(&attestation_key.publicArea, &name)) {
		ks_explain(admin->operation, "the proof is malformed");
		return KS_BAD_INPUT;
	}
	proof_keys_read(admin, proof, &keys);
	key = choose(admin, &keys);
	if (key != NULL)
		error = make(admin, key, &name);
	proof_keys_deinit(&keys);
	return error;
}
