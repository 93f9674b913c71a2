/*
 * Public parts of keys as a hostile TPM gives them out: what becomes a blob must be one that SSH's
 * parser takes as a kind that a TPM has, or refuses.
 */
#include <stdlib.h>

#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>

#include "key_blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_blob(struct bytes blob)
{
	struct public_key *key = NULL;

	if (public_key_parse(blob, &key) == KS_OK && key->kind != KEY_RSA &&
		(key->kind < KEY_ECDSA_P256 || key->kind > KEY_ECDSA_P521))
		abort();
	public_key_free(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	TPM2B_PUBLIC public = {0};
	AUTO(buf) blob = {0};
	size_t at = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(data, len, &at, &public) != TSS2_RC_SUCCESS)
		return 0;
	if (tpm_key_blob(&public.publicArea, &blob) == KS_OK)
		check_blob(buf_bytes(&blob));
	return 0;
}
