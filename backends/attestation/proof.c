/*
 * See proof.h. Times are not looked at: what is attested is how a key was made, which does not
 * change, and cards have no clock.
 */
#include "proof.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <keystile/cleanup.h>
#include <keystile/public_key.h>

#include "roots.h"

/* PIN policy and touch policy, a byte each, in the order of GET METADATA. */
#define POLICIES "1.3.6.1.4.1.41482.3.8"
#define POLICIES_LEN 2
#define TOUCH_ALWAYS 2
/* The maker's root, its authorities, the card's own certificate, the key's. */
#define DEPTH_MAX 6
#define STRENGTH 2 /* of OpenSSL's levels: 112 bits, which no SHA-1 has */

typedef X509 *x509_auto;
typedef struct roots roots_auto;

static void x509_cleanup(x509_auto *certificate)
{
	X509_free(*certificate);
}

static void roots_cleanup(roots_auto *roots)
{
	roots_deinit(roots);
}

/* NULL: it is none, or more than one. */
static X509 *parse(struct bytes der)
{
	const unsigned char *next = der.data;
	X509 *certificate = d2i_X509(NULL, &next, (long)der.len);

	if (certificate != NULL && next != der.data + der.len) {
		X509_free(certificate);
		return NULL;
	}
	return certificate;
}

static bool is_of_key(X509 *certificate, struct bytes key)
{
	AUTO(buf) blob = {0};
	EVP_PKEY *pkey = X509_get0_pubkey(certificate);

	return pkey != NULL && public_key_put_pkey(&blob, pkey) == KS_OK && !blob.failed &&
	       bytes_equal(buf_bytes(&blob), key);
}

static bool touch_always(X509 *certificate)
{
	ASN1_OBJECT *name = OBJ_txt2obj(POLICIES, 1);
	int at = name == NULL ? -1 : X509_get_ext_by_OBJ(certificate, name, -1);
	const ASN1_OCTET_STRING *value = NULL;

	if (at >= 0 && X509_get_ext_by_OBJ(certificate, name, at) < 0)
		value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
	ASN1_OBJECT_free(name);
	return value != NULL && ASN1_STRING_length(value) == POLICIES_LEN &&
	       ASN1_STRING_get0_data(value)[1] == TOUCH_ALWAYS;
}

/* The signer of the claim may stand between, as may the folder's certificates. */
static enum ks_error leads_to_root(
	const struct roots *roots, X509 *certificate, X509 *signer, bool *leads)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	STACK_OF(X509) *links = sk_X509_dup(roots->links);
	bool ready = context != NULL && links != NULL && sk_X509_push(links, signer) > 0 &&
		     X509_STORE_CTX_init(context, roots->trusted, certificate, links) == 1;

	if (ready) {
		X509_VERIFY_PARAM *rules = X509_STORE_CTX_get0_param(context);

		X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_NO_CHECK_TIME);
		X509_VERIFY_PARAM_set_depth(rules, DEPTH_MAX);
		X509_VERIFY_PARAM_set_auth_level(rules, STRENGTH);
		*leads = X509_verify_cert(context) == 1;
	}
	ERR_clear_error();
	X509_STORE_CTX_free(context);
	sk_X509_free(links);
	return ready ? KS_OK : KS_NO_MEMORY;
}

static enum ks_error judge(const struct claim *claim, bool *leads, const char **words)
{
	AUTO(x509) certificate = parse(claim->certificate);
	AUTO(x509) signer = parse(claim->signer);
	AUTO(roots) roots = {0};
	enum ks_error error = roots_read(&roots);

	if (error != KS_OK)
		return error;
	if (certificate == NULL || signer == NULL)
		*words = "the card's certificates make no sense";
	else if (!is_of_key(certificate, claim->key))
		*words = "the card attests another key";
	else if (!touch_always(certificate))
		*words = "the card attests no touch for each signature";
	else if (roots.count == 0)
		*words = "no maker's certificate is trusted (keystile.conf(5), FILES)";
	else
		error = leads_to_root(&roots, certificate, signer, leads);
	return error;
}

enum ks_error proof_of_touch(const struct claim *claim, bool *proven, const char **words)
{
	enum ks_error error;

	*proven = false;
	*words = NULL;
	error = judge(claim, proven, words);
	if (error == KS_OK && !*proven && *words == NULL)
		*words = "no maker's certificate that is trusted leads to the card's";
	return error;
}
