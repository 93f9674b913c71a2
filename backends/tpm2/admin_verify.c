/*
 * verify: {"attestation": what attest answered, "nonce": "...", "roots": "PEM of certificate
 * authorities"}. Needs no TPM. The answer says what is proved: "made_inside", "stays_inside",
 * "attestation_key" (its name), "firmware", and of each certificate "subject", "issuer" and
 * "trusted" (by the roots).
 */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "admin.h"
#include "attestation.h"

#define NAME_MAX_SHOWN 256
#define CERTIFICATES_MAX 8

static bool take_public(const json_t *from, const char *name, TPM2B_PUBLIC *out)
{
	AUTO(buf) bytes = {0};
	size_t at = 0;

	return admin_from_base64(json_object_get(from, name), &bytes) == KS_OK &&
	       Tss2_MU_TPM2B_PUBLIC_Unmarshal(bytes.data, bytes.len, &at, out) == TSS2_RC_SUCCESS &&
	       at == bytes.len;
}

static bool take_signature(const json_t *from, TPMT_SIGNATURE *out)
{
	AUTO(buf) bytes = {0};
	size_t at = 0;

	return admin_from_base64(json_object_get(from, "signature"), &bytes) == KS_OK &&
	       Tss2_MU_TPMT_SIGNATURE_Unmarshal(bytes.data, bytes.len, &at, out) ==
		       TSS2_RC_SUCCESS &&
	       at == bytes.len;
}

/* ---- Certificates ---- */

static X509_STORE *read_roots(const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509_STORE *store = X509_STORE_new();
	X509 *root;

	while (in != NULL && store != NULL &&
		(root = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		(void)X509_STORE_add_cert(store, root);
		X509_free(root);
	}
	BIO_free(in);
	ERR_clear_error();
	return store;
}

/* Endorsement certificates have critical extensions that OpenSSL does not know. */
static bool is_trusted(X509 *certificate, X509_STORE *roots)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	bool trusted = context != NULL && roots != NULL &&
		       X509_STORE_CTX_init(context, roots, certificate, NULL) == 1;

	if (trusted) {
		X509_STORE_CTX_set_flags(
			context, X509_V_FLAG_IGNORE_CRITICAL | X509_V_FLAG_PARTIAL_CHAIN);
		trusted = X509_verify_cert(context) == 1;
	}
	X509_STORE_CTX_free(context);
	ERR_clear_error();
	return trusted;
}

static json_t *name_of(const X509_NAME *name)
{
	char text[NAME_MAX_SHOWN] = "";

	return json_string(X509_NAME_oneline(name, text, sizeof(text)) != NULL ? text : "");
}

static void describe_certificate(const json_t *text, X509_STORE *roots, json_t *list)
{
	AUTO(buf) bytes = {0};
	const unsigned char *at;
	X509 *certificate;

	if (admin_from_base64(text, &bytes) != KS_OK)
		return;
	at = bytes.data;
	certificate = d2i_X509(NULL, &at, (long)bytes.len);
	if (certificate != NULL)
		json_array_append_new(
			list, json_pack("{s:o, s:o, s:b}", "subject",
				      name_of(X509_get_subject_name(certificate)), "issuer",
				      name_of(X509_get_issuer_name(certificate)), "trusted",
				      is_trusted(certificate, roots)));
	X509_free(certificate);
	ERR_clear_error();
}

static json_t *describe_certificates(const struct admin *admin, const json_t *from)
{
	X509_STORE *roots = read_roots(admin_text(admin, "roots"));
	json_t *list = json_array();
	const json_t *given = json_object_get(from, "certificates");

	for (size_t i = 0; i < json_array_size(given) && i < CERTIFICATES_MAX; i++)
		describe_certificate(json_array_get(given, i), roots, list);
	X509_STORE_free(roots);
	return list;
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

enum ks_error admin_verify(struct admin *admin)
{
	const json_t *from = json_object_get(admin->request, "attestation");
	AUTO(buf) statement = {0};
	struct attestation attestation = {0};
	const char *wrong = "is malformed";
	uint64_t firmware = 0;

	if (admin_from_base64(json_object_get(from, "statement"), &statement) == KS_OK &&
		take_public(from, "key", &attestation.key) &&
		take_public(from, "attestation_key", &attestation.attestation_key) &&
		take_signature(from, &attestation.signature) &&
		attestation_nonce(admin_text(admin, "nonce"), &attestation.nonce)) {
		attestation.statement = buf_bytes(&statement);
		wrong = attestation_wrong(&attestation, &firmware);
	}
	if (wrong != NULL) {
		ks_explain(admin->operation, "the attestation %s", wrong);
		return KS_REFUSED;
	}
	json_object_set_new(admin->answer, "certificates", describe_certificates(admin, from));
	return put_facts(admin, &attestation, firmware);
}
