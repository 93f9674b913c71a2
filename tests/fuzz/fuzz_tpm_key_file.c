/*
 * Hostile TPM 2.0 key files. An input is a whole file, or the DER in one, so that the fuzzer need
 * not find out about PEM. What is taken must be written, and read again, as the same.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/pem.h>

#include <keystile/cleanup.h>

#include "key_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_same(const struct tpm_key_file *a, const struct tpm_key_file *b)
{
	require(a->kind == b->kind && a->empty_auth == b->empty_auth);
	require(a->rsa_parent == b->rsa_parent && a->parent == b->parent);
	require(same_text(a->description, b->description));
	/* Both were zeroed before they were read, what lies between their members too. */
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
	require(memcmp(&a->public, &b->public, sizeof(a->public)) == 0);
	require(memcmp(&a->private, &b->private, sizeof(a->private)) == 0);
	require(memcmp(&a->secret, &b->secret, sizeof(a->secret)) == 0);
}

static void check_text(struct bytes text)
{
	struct tpm_key_file file, again;
	AUTO(buf) written = {0};
	const char *wrong;

	if (tpm_key_file_parse(text, &file, &wrong) != KS_OK) {
		require(wrong != NULL && file.description == NULL);
		return;
	}
	require(wrong == NULL);
	require(tpm_key_file_put(&file, &written) == KS_OK);
	require(tpm_key_file_parse(buf_bytes(&written), &again, &wrong) == KS_OK);
	check_same(&file, &again);
	tpm_key_file_deinit(&file);
	tpm_key_file_deinit(&again);
}

static void check_der(struct bytes der)
{
	BIO *text = BIO_new(BIO_s_mem());
	char *data = NULL;

	require(text != NULL);
	if (PEM_write_bio(text, "TSS2 PRIVATE KEY", "", der.data, (long)der.len) > 0) {
		long len = BIO_get_mem_data(text, &data);

		check_text(BYTES((const uint8_t *)data, (size_t)len));
	}
	BIO_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	check_text(BYTES(data, len));
	if (len > 0)
		check_der(BYTES(data, len));
	return 0;
}
