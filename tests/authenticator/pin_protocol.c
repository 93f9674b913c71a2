/* HMAC, HKDF and AES-256-CBC without padding. */
#include "pin_protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#define BLOCK 16
#define SIGNED_MAX 2048

static void must(bool good)
{
	if (!good) {
		fprintf(stderr, "authenticator: OpenSSL failed\n");
		abort();
	}
}

static void hkdf(const uint8_t agreed[KEY_COORDINATE], const char *info, uint8_t out[32])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	char digest[] = "SHA256";
	uint8_t salt[32] = {0};
	OSSL_PARAM params[5];

	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)agreed, KEY_COORDINATE);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof(salt));
	params[3] = OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, strlen(info));
	params[4] = OSSL_PARAM_construct_end();
	must(context != NULL && EVP_KDF_derive(context, out, 32, params) == 1);
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

void pin_secret_derive(int protocol, const uint8_t agreed[KEY_COORDINATE], struct pin_secret *out)
{
	out->protocol = protocol;
	if (protocol == 1) {
		key_hash((struct span){.data = agreed, .len = KEY_COORDINATE}, out->hmac);
		memcpy(out->aes, out->hmac, sizeof(out->aes));
	} else {
		hkdf(agreed, "CTAP2 HMAC key", out->hmac);
		hkdf(agreed, "CTAP2 AES key", out->aes);
	}
}

static void cipher(
	bool seal, const uint8_t key[32], const uint8_t iv[BLOCK], struct span in, uint8_t *out)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int len = 0;

	must(context != NULL &&
		EVP_CipherInit_ex(context, EVP_aes_256_cbc(), NULL, key, iv, seal) == 1);
	EVP_CIPHER_CTX_set_padding(context, 0);
	must(EVP_CipherUpdate(context, out, &len, in.data, (int)in.len) == 1);
	EVP_CIPHER_CTX_free(context);
}

size_t pin_encrypt(const struct pin_secret *secret, struct span in, uint8_t out[PIN_SEALED_MAX])
{
	uint8_t iv[BLOCK] = {0};

	if (secret->protocol == 1) {
		cipher(true, secret->aes, iv, in, out);
		return in.len;
	}
	must(RAND_bytes(iv, sizeof(iv)) == 1);
	memcpy(out, iv, BLOCK);
	cipher(true, secret->aes, iv, in, out + BLOCK);
	return in.len + BLOCK;
}

bool pin_decrypt(const struct pin_secret *secret, struct span in, uint8_t out[PIN_SEALED_MAX],
	size_t *out_len)
{
	uint8_t iv[BLOCK] = {0};

	if (secret->protocol == 2) {
		if (in.len < BLOCK)
			return false;
		memcpy(iv, in.data, BLOCK);
		in.data += BLOCK;
		in.len -= BLOCK;
	}
	if (in.len == 0 || in.len % BLOCK != 0 || in.len > PIN_SEALED_MAX)
		return false;
	cipher(false, secret->aes, iv, in, out);
	*out_len = in.len;
	return true;
}

bool pin_verify(int protocol, const uint8_t key[32], struct span message, struct span more,
	struct span proof)
{
	uint8_t whole[SIGNED_MAX];
	uint8_t mac[32];
	size_t wanted = protocol == 1 ? 16 : 32;
	unsigned len = sizeof(mac);

	if (message.len > sizeof(whole) || more.len > sizeof(whole) - message.len)
		return false;
	if (message.len > 0)
		memcpy(whole, message.data, message.len);
	if (more.len > 0)
		memcpy(whole + message.len, more.data, more.len);
	must(HMAC(EVP_sha256(), key, 32, whole, message.len + more.len, mac, &len) != NULL);
	return proof.len == wanted && CRYPTO_memcmp(mac, proof.data, wanted) == 0;
}
