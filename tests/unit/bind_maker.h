/*
 * Host keys and session binds for tests, made by OpenSSL: the agent must believe what a host
 * signed and nothing else.
 */
#ifndef BIND_MAKER_H
#define BIND_MAKER_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <keystile/cleanup.h>
#include <keystile/public_key.h>

/* A key of its kind, and the way it signs. The caller frees it with EVP_PKEY_free(). */
static inline EVP_PKEY *host_key_make(enum ks_algorithm algorithm)
{
	switch (algorithm) {
	case KS_ALGORITHM_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	case KS_ALGORITHM_ECDSA_P256:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	case KS_ALGORITHM_ECDSA_P384:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	case KS_ALGORITHM_ECDSA_P521:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
	default:
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	}
}

static inline const EVP_MD *host_key_digest(enum ks_algorithm algorithm)
{
	switch (algorithm) {
	case KS_ALGORITHM_ED25519:
		return NULL;
	case KS_ALGORITHM_ECDSA_P384:
		return EVP_sha384();
	case KS_ALGORITHM_ECDSA_P521:
	case KS_ALGORITHM_RSA_SHA512:
		return EVP_sha512();
	case KS_ALGORITHM_RSA_SHA1:
		return EVP_sha1();
	default:
		return EVP_sha256();
	}
}

/* r and s of a DER signature, each as long as a coordinate, as tokens return them. */
static inline size_t raw_of_der(const uint8_t *der, size_t len, size_t coordinate, uint8_t *raw)
{
	ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &der, (long)len);
	size_t written = 0;

	if (numbers != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(numbers), raw, (int)coordinate) > 0 &&
		BN_bn2binpad(ECDSA_SIG_get0_s(numbers), raw + coordinate, (int)coordinate) > 0)
		written = 2 * coordinate;
	ECDSA_SIG_free(numbers);
	return written;
}

/* Appends string algorithm, string signature. */
static inline enum ks_error host_key_sign(
	struct buf *out, EVP_PKEY *key, enum ks_algorithm algorithm, struct bytes data)
{
	uint8_t made[1024], raw[1024];
	size_t len = sizeof(made);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool signed_well =
		context != NULL &&
		EVP_DigestSignInit(context, NULL, host_key_digest(algorithm), NULL, key) == 1 &&
		EVP_DigestSign(context, made, &len, data.data, data.len) == 1;

	EVP_MD_CTX_free(context);
	if (!signed_well)
		return KS_DEVICE_FAILED;
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
		return signature_put(out, algorithm, BYTES(made, len));
	len = raw_of_der(made, len, ((size_t)EVP_PKEY_get_bits(key) + 7) / 8, raw);
	return signature_put(out, algorithm, BYTES(raw, len));
}

/* One bind; what is left empty is made honestly. */
struct bind_draft {
	EVP_PKEY *key;
	enum ks_algorithm algorithm;
	struct bytes session_id;
	struct bytes host_key;	/* another blob than the key's */
	struct bytes signature; /* another one */
	uint8_t forwarding;
};

/* Appends the body of the extension. */
static inline void bind_put(struct buf *out, const struct bind_draft *draft)
{
	AUTO(buf) blob = {0}, signature = {0};

	if (public_key_put_pkey(&blob, draft->key) != KS_OK ||
		host_key_sign(&signature, draft->key, draft->algorithm, draft->session_id) != KS_OK)
		out->failed = true;
	buf_put_string(out, draft->host_key.data != NULL ? draft->host_key : buf_bytes(&blob));
	buf_put_string(out, draft->session_id);
	buf_put_string(
		out, draft->signature.data != NULL ? draft->signature : buf_bytes(&signature));
	buf_put_u8(out, draft->forwarding);
}

#endif
