/*
 * verify: {"proof": what attest answered, "nonce": "...", "roots": "PEM of certificate
 * authorities", "challenge" and "answer": what those answered}. Needs no TPM. The answer says what
 * is proved: "made_inside", "stays_inside", "attestation_key" (its name), "firmware", and of each
 * of the "endorsement_keys" whether it has "answered", its "certificate", and whether that is
 * "trusted" (by the roots).
 */
#include <stdio.h>
#include <string.h>

#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "attestation.h"
#include "credential.h"
#include "proof.h"

static bool take_signature(const json_t *from, TPMT_SIGNATURE *out)
{
	AUTO(buf) bytes = {0};
	size_t at = 0;

	return admin_from_base64(json_object_get(from, "signature"), &bytes) == KS_OK &&
	       Tss2_MU_TPMT_SIGNATURE_Unmarshal(bytes.data, bytes.len, &at, out) ==
		       TSS2_RC_SUCCESS &&
	       at == bytes.len;
}

/* ---- Endorsement keys ---- */

/* Whether the answer is the secret that the challenge was made around, for this key. */
static bool has_answered(
	const struct admin *admin, const struct proof_key *key, const TPMT_PUBLIC *attestation_key)
{
	const json_t *challenge = json_object_get(admin->request, "challenge");
	const json_t *answer = json_object_get(admin->request, "answer");
	uint8_t digest[TPM2_SHA256_DIGEST_SIZE];
	TPM2B_NAME name = {0};
	AUTO(buf) secret = {0};
	AUTO(buf) wanted = {0};

	return admin_from_base64(json_object_get(answer, "answer"), &secret) == KS_OK &&
	       secret.len == CREDENTIAL_SECRET_LEN &&
	       admin_from_base64(json_object_get(challenge, "digest"), &wanted) == KS_OK &&
	       attestation_name(attestation_key, &name) &&
	       credential_digest(&key->public.publicArea, &name, secret.data, digest) == KS_OK &&
	       bytes_equal(BYTES(digest, sizeof(digest)), buf_bytes(&wanted));
}

static json_t *describe_key(const struct proof_key *key, bool answered)
{
	json_t *out = json_pack("{s:s, s:b, s:b}", "place", key->place, "answered", (int)answered,
		"trusted", (int)key->trusted);

	if (out != NULL && admin_put_public(out, &key->public.publicArea) == KS_OK)
		json_object_set_new(out, "certificate",
			key->certificate != NULL ? certificate_describe(key->certificate)
						 : json_null());
	return out;
}

struct endorsed {
	bool answered; /* one of the keys has */
	bool trusted;  /* one of the keys has a certificate that leads to a root */
	bool both;     /* and it is the same one */
};

static json_t *describe_keys(
	const struct admin *admin, const struct attestation *attestation, struct endorsed *out)
{
	json_t *list = json_array();
	struct proof_keys keys;

	proof_keys_read(admin, json_object_get(admin->request, "proof"), &keys);
	for (size_t i = 0; i < keys.count; i++) {
		const struct proof_key *key = &keys.keys[i];
		bool answered = has_answered(admin, key, &attestation->attestation_key.publicArea);

		out->answered = out->answered || answered;
		out->trusted = out->trusted || key->trusted;
		out->both = out->both || (answered && key->trusted);
		json_array_append_new(list, describe_key(key, answered));
	}
	proof_keys_deinit(&keys);
	return list;
}

/* Where roots are named they have to vouch, and where a challenge is its answer has to be right. */
static enum ks_error judge_keys(struct admin *admin, const struct endorsed *endorsed)
{
	const bool asked = json_object_get(admin->request, "answer") != NULL;
	const bool rooted = *admin_text(admin, "roots") != '\0';

	if (asked && !endorsed->answered) {
		ks_explain(admin->operation, "the answer is wrong: it is not that of the TPM with "
					     "this attestation key to this challenge");
		return KS_REFUSED;
	}
	if (!rooted || (asked ? endorsed->both : endorsed->trusted))
		return KS_OK;
	ks_explain(admin->operation,
		"the endorsement key has no certificate that leads to one of those that were "
		"given");
	return KS_REFUSED;
}

/* ---- The verdict ---- */

static enum ks_error put_facts(
	struct admin *admin, const struct attestation *attestation, uint64_t firmware)
{
	const TPMA_OBJECT attributes = attestation->key.publicArea.objectAttributes;
	const TPMA_OBJECT stays = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT;
	char hex[2 * sizeof(TPM2B_NAME) + 1], version[32];
	TPM2B_NAME name = {0};

	if (!attestation_name(&attestation->attestation_key.publicArea, &name))
		return KS_NO_MEMORY;
	text_hex(BYTES(name.name, name.size), hex);
	snprintf(version, sizeof(version), "%u.%u.%u.%u", (unsigned)(firmware >> 48),
		(unsigned)(firmware >> 32 & 0xffff), (unsigned)(firmware >> 16 & 0xffff),
		(unsigned)(firmware & 0xffff));
	json_object_set_new(admin->answer, "attestation_key", json_string(hex));
	json_object_set_new(admin->answer, "firmware", json_string(version));
	json_object_set_new(
		admin->answer, "stays_inside", json_boolean((attributes & stays) == stays));
	json_object_set_new(admin->answer, "made_inside",
		json_boolean((attributes & stays) == stays &&
			     (attributes & TPMA_OBJECT_SENSITIVEDATAORIGIN) != 0));
	return admin_put_public(admin->answer, &attestation->key.publicArea);
}

static const char *read_proof(const struct admin *admin, struct buf *statement,
	struct attestation *out, uint64_t *firmware)
{
	const json_t *from = json_object_get(admin->request, "proof");

	if (admin_from_base64(json_object_get(from, "statement"), statement) != KS_OK ||
		!proof_get_public(from, "key", &out->key) ||
		!proof_get_public(from, "attestation_key", &out->attestation_key) ||
		!take_signature(from, &out->signature) ||
		!attestation_nonce(admin_text(admin, "nonce"), &out->nonce))
		return "is malformed";
	out->statement = buf_bytes(statement);
	return attestation_wrong(out, firmware);
}

enum ks_error admin_verify(struct admin *admin)
{
	AUTO(buf) statement = {0};
	struct attestation attestation = {0};
	struct endorsed endorsed = {0};
	uint64_t firmware = 0;
	const char *wrong = read_proof(admin, &statement, &attestation, &firmware);
	enum ks_error error;

	if (wrong != NULL) {
		ks_explain(admin->operation, "the proof %s", wrong);
		return KS_REFUSED;
	}
	json_object_set_new(
		admin->answer, "endorsement_keys", describe_keys(admin, &attestation, &endorsed));
	error = judge_keys(admin, &endorsed);
	return error == KS_OK ? put_facts(admin, &attestation, firmware) : error;
}
