/*
 * All of it is OpenSSL's, but for what an endorsement certificate is for.
 */
#include "certificate.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "public_pkey.h"

#define NAME_MAX_SHOWN 256
#define CHAIN_MAX 8

static const char endorsement_usage[] = "2.23.133.8.1"; /* tcg-kp-EKCertificate */

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

static STACK_OF(X509) * read_chain(struct bytes der)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	const unsigned char *at = der.data, *end = der.data + der.len;

	for (int i = 0; chain != NULL && at < end && i < CHAIN_MAX; i++) {
		X509 *one = d2i_X509(NULL, &at, end - at);

		if (one == NULL || sk_X509_push(chain, one) <= 0) {
			X509_free(one);
			break;
		}
	}
	ERR_clear_error();
	return chain;
}

void authorities_init(struct authorities *authorities, const char *pem, struct bytes chain)
{
	authorities->roots = read_roots(pem);
	authorities->chain = read_chain(chain);
}

void authorities_deinit(struct authorities *authorities)
{
	X509_STORE_free(authorities->roots);
	sk_X509_pop_free(authorities->chain, X509_free);
	*authorities = (struct authorities){0};
}

X509 *certificate_parse(struct bytes der)
{
	const unsigned char *at = der.data;
	X509 *certificate = der.len > 0 ? d2i_X509(NULL, &at, (long)der.len) : NULL;

	ERR_clear_error();
	return certificate;
}

bool certificate_is_of(X509 *certificate, const TPMT_PUBLIC *key)
{
	EVP_PKEY *pkey = public_pkey(key);
	EVP_PKEY *theirs = X509_get0_pubkey(certificate);
	bool same = pkey != NULL && theirs != NULL && EVP_PKEY_eq(pkey, theirs) == 1;

	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return same;
}

/* Makers sign other things with the same authority. Old certificates do not say what they are for.
 */
static bool is_for_endorsement(X509 *certificate)
{
	EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
	char text[64];
	bool found = usages == NULL;

	for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
		if (OBJ_obj2txt(text, sizeof(text), sk_ASN1_OBJECT_value(usages, i), 1) > 0 &&
			strcmp(text, endorsement_usage) == 0)
			found = true;
	sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
	return found;
}

/* Endorsement certificates have critical extensions that OpenSSL does not know. */
bool certificate_is_trusted(X509 *certificate, const struct authorities *authorities)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	bool trusted = context != NULL && authorities->roots != NULL &&
		       is_for_endorsement(certificate) &&
		       X509_STORE_CTX_init(
			       context, authorities->roots, certificate, authorities->chain) == 1;

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

static json_t *serial_of(const X509 *certificate)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	char *text = number != NULL ? BN_bn2hex(number) : NULL;
	json_t *serial = json_string(text != NULL ? text : "");

	OPENSSL_free(text);
	BN_free(number);
	return serial;
}

json_t *certificate_describe(X509 *certificate)
{
	return json_pack("{s:o, s:o, s:o}", "subject", name_of(X509_get_subject_name(certificate)),
		"issuer", name_of(X509_get_issuer_name(certificate)), "serial",
		serial_of(certificate));
}
