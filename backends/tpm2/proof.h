/*
 * The conversation by which a key is proved to be in a certain TPM, as it goes from one machine to
 * the other in JSON; what is not text is in base64.
 *
 *	proof		what attest answers: "key" and "attestation_key" (TPM2B_PUBLIC), "statement"
 *			(TPMS_ATTEST), "signature" (TPMT_SIGNATURE), "endorsement_keys", each with
 *			"place" ("0x01c0000a", which names the template), "public" (TPM2B_PUBLIC)
 *			and "certificate" (X.509) where there is one, and "chain", certificates that
 *			lead to those
 *	challenge	what challenge answers: "place" of the endorsement key that is asked,
 *			"credential" (TPM2B_ID_OBJECT), "seed" (TPM2B_ENCRYPTED_SECRET), and
 *			"digest", by which the answer is known
 *	answer		what answer answers: "answer", the secret
 */
#ifndef KEYSTILE_TPM2_PROOF_H
#define KEYSTILE_TPM2_PROOF_H

#include "admin.h"
#include "certificate.h"

#define PROOF_KEYS_MAX 8

struct proof_key {
	const char *place; /* borrowed */
	TPM2B_PUBLIC public;
	X509 *certificate; /* NULL: none, or none of this key */
	bool trusted;
};

/* Endorsement keys of a proof. Zeroed means none. */
struct proof_keys {
	struct proof_key keys[PROOF_KEYS_MAX];
	size_t count;
};

/* "endorsement_keys" and "chain" of a proof, held against the request's "roots". What is malformed
 * is left out. */
void proof_keys_read(const struct admin *admin, const json_t *proof, struct proof_keys *out);
void proof_keys_deinit(struct proof_keys *keys);

/* Structures in base64; false where they are malformed or go on. */
bool proof_get_public(const json_t *from, const char *name, TPM2B_PUBLIC *out);
bool proof_put_public(json_t *to, const char *name, const TPM2B_PUBLIC *public);

#endif
