/*
 * Reading what others wrote: nothing of it is believed before the verdict.
 */
#include "proof.h"

#include <string.h>

#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>

bool proof_get_public(const json_t *from, const char *name, TPM2B_PUBLIC *out)
{
	AUTO(buf) bytes = {0};
	size_t at = 0;

	*out = (TPM2B_PUBLIC){0};
	return admin_from_base64(json_object_get(from, name), &bytes) == KS_OK &&
	       Tss2_MU_TPM2B_PUBLIC_Unmarshal(bytes.data, bytes.len, &at, out) == TSS2_RC_SUCCESS &&
	       at == bytes.len;
}

bool proof_put_public(json_t *to, const char *name, const TPM2B_PUBLIC *public)
{
	uint8_t bytes[sizeof(*public)];
	size_t len = 0;

	return Tss2_MU_TPM2B_PUBLIC_Marshal(public, bytes, sizeof(bytes), &len) ==
		       TSS2_RC_SUCCESS &&
	       json_object_set_new(to, name, admin_base64(BYTES(bytes, len))) == 0;
}

static void take_certificate(
	const json_t *from, const struct authorities *authorities, struct proof_key *key)
{
	AUTO(buf) der = {0};

	if (admin_from_base64(json_object_get(from, "certificate"), &der) != KS_OK)
		return;
	key->certificate = certificate_parse(buf_bytes(&der));
	if (key->certificate != NULL &&
		!certificate_is_of(key->certificate, &key->public.publicArea)) {
		X509_free(key->certificate);
		key->certificate = NULL;
	}
	key->trusted =
		key->certificate != NULL && certificate_is_trusted(key->certificate, authorities);
}

static void take_key(
	const json_t *from, const struct authorities *authorities, struct proof_keys *out)
{
	struct proof_key *key = &out->keys[out->count];

	key->place = json_string_value(json_object_get(from, "place"));
	if (key->place == NULL || !proof_get_public(from, "public", &key->public))
		return;
	take_certificate(from, authorities, key);
	out->count++;
}

void proof_keys_read(const struct admin *admin, const json_t *proof, struct proof_keys *out)
{
	const json_t *keys = json_object_get(proof, "endorsement_keys");
	struct authorities authorities;
	AUTO(buf) chain = {0};

	*out = (struct proof_keys){0};
	if (admin_from_base64(json_object_get(proof, "chain"), &chain) != KS_OK)
		buf_clear(&chain);
	authorities_init(&authorities, admin_text(admin, "roots"), buf_bytes(&chain));
	for (size_t i = 0; i < json_array_size(keys) && out->count < PROOF_KEYS_MAX; i++)
		take_key(json_array_get(keys, i), &authorities, out);
	authorities_deinit(&authorities);
}

void proof_keys_deinit(struct proof_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		X509_free(keys->keys[i].certificate);
	keys->count = 0;
}
