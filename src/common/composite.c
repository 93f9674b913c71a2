/*
 * Composite signatures: the message that is signed, and verifying. Names of parameters are written
 * out: the headers before OpenSSL 3.5 do not have them.
 */
#include <keystile/composite.h>

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define PREFIX "CompositeAlgorithmSignatures2025"
#define LABEL "COMPSIG-MLDSA44-Ed25519-SHA512"
#define SHA512_BYTES ((size_t)64)

bool composite_available(void)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, COMPOSITE_MLDSA, NULL);
	bool available = context != NULL;

	EVP_PKEY_CTX_free(context);
	if (!available)
		ERR_clear_error();
	return available;
}

/* Between the label and the hash stands the length of an application's context: SSH has none. */
bool composite_message(struct bytes data, uint8_t message[static COMPOSITE_MESSAGE])
{
	static const char head[] = PREFIX LABEL; /* its NUL is that length */

	_Static_assert(sizeof(head) + SHA512_BYTES == COMPOSITE_MESSAGE, "length of the message");
	memcpy(message, head, sizeof(head));
	return EVP_Digest(data.data, data.len, message + sizeof(head), NULL, EVP_sha512(), NULL) ==
	       1;
}

void composite_parameters(OSSL_PARAM parameters[static COMPOSITE_PARAMETERS])
{
	static char label[] = LABEL; /* OpenSSL only reads it, but can't say so */

	parameters[0] =
		OSSL_PARAM_construct_octet_string("context-string", label, sizeof(label) - 1);
	parameters[1] = OSSL_PARAM_construct_end();
}

static enum ks_error verify_half(
	EVP_PKEY *pkey, const OSSL_PARAM *parameters, struct bytes signature, struct bytes message)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	enum ks_error error = KS_REFUSED;

	if (!context)
		return KS_NO_MEMORY;
	if (EVP_DigestVerifyInit_ex(context, NULL, NULL, NULL, NULL, pkey, parameters) == 1 &&
		EVP_DigestVerify(
			context, signature.data, signature.len, message.data, message.len) == 1)
		error = KS_OK;
	EVP_MD_CTX_free(context);
	if (error != KS_OK)
		ERR_clear_error();
	return error;
}

enum ks_error composite_verify(
	EVP_PKEY *mldsa, EVP_PKEY *ed25519, struct bytes signature, struct bytes data)
{
	OSSL_PARAM parameters[COMPOSITE_PARAMETERS];
	uint8_t message[COMPOSITE_MESSAGE];
	enum ks_error error;

	if (signature.len != COMPOSITE_SIGNATURE)
		return KS_BAD_INPUT;
	if (!composite_message(data, message))
		return KS_NO_MEMORY;
	composite_parameters(parameters);
	error = verify_half(mldsa, parameters, BYTES(signature.data, COMPOSITE_MLDSA_SIGNATURE),
		BYTES(message, sizeof(message)));
	if (error != KS_OK)
		return error;
	return verify_half(ed25519, NULL,
		BYTES(signature.data + COMPOSITE_MLDSA_SIGNATURE, COMPOSITE_ED25519_SIGNATURE),
		BYTES(message, sizeof(message)));
}
