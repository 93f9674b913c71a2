/*
 * The four keys of PIV, and the one that YubiKeys attest with; filled from PEM files.
 */
#include "slot.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>

#include "tlv.h"

/* NIST SP 800-73-4 part 1, tables 3 and 4b: who wants a PIN, and where the certificate is. */
static const struct slot empty[SLOT_COUNT] = {
	{.id = 0x9a, .object = 0x5fc105, .pin = PIN_ONCE, .touch = TOUCH_NEVER},
	{.id = 0x9c, .object = 0x5fc10a, .pin = PIN_ALWAYS, .touch = TOUCH_NEVER},
	{.id = 0x9d, .object = 0x5fc10b, .pin = PIN_ONCE, .touch = TOUCH_NEVER},
	{.id = 0x9e, .object = 0x5fc101, .pin = PIN_NEVER, .touch = TOUCH_NEVER},
	{.id = 0xf9, .object = 0x5fff01, .pin = PIN_NEVER, .touch = TOUCH_NEVER},
};

void slots_init(struct slot slots[SLOT_COUNT])
{
	memcpy(slots, empty, sizeof(empty));
}

void slots_deinit(struct slot slots[SLOT_COUNT])
{
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		EVP_PKEY_free(slots[i].key);
		buf_deinit(&slots[i].certificate);
		buf_deinit(&slots[i].attestation);
	}
}

struct slot *slots_find(struct slot slots[SLOT_COUNT], unsigned id)
{
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		if (slots[i].id == id)
			return &slots[i];
	}
	return NULL;
}

static bool read_algorithm(struct slot *slot)
{
	int bits = EVP_PKEY_get_bits(slot->key);

	if (EVP_PKEY_is_a(slot->key, "RSA") && bits == 2048)
		slot->algorithm = ALGORITHM_RSA_2048;
	else if (EVP_PKEY_is_a(slot->key, "EC") && bits == 256)
		slot->algorithm = ALGORITHM_P256;
	else if (EVP_PKEY_is_a(slot->key, "EC") && bits == 384)
		slot->algorithm = ALGORITHM_P384;
	else
		return false;
	return true;
}

static bool read_key(struct slot *slot, const char *path)
{
	FILE *file = fopen(path, "re");

	if (file != NULL) {
		EVP_PKEY_free(slot->key);
		slot->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
		fclose(file);
	}
	return slot->key != NULL && read_algorithm(slot);
}

static bool read_certificate(struct buf *out, const char *path)
{
	FILE *file = fopen(path, "re");
	X509 *certificate = file != NULL ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	uint8_t *der = NULL;
	int len = certificate != NULL ? i2d_X509(certificate, &der) : -1;

	if (len > 0) {
		buf_clear(out);
		buf_put(out, BYTES(der, (size_t)len));
	}
	OPENSSL_free(der);
	X509_free(certificate);
	if (file != NULL)
		fclose(file);
	return len > 0;
}

/* The place of a word in a list that begins with number 1; 0: it is not there. */
static int number_of(const char *word, const char *const *list)
{
	for (int i = 0; list[i] != NULL; i++) {
		if (strcmp(word, list[i]) == 0)
			return i + 1;
	}
	return 0;
}

static bool set(struct slot *slot, const char *name, const char *value)
{
	static const char *const pins[] = {"never", "once", "always", NULL};
	static const char *const touches[] = {"never", "always", "cached", NULL};
	int number;

	if (strcmp(name, "key") == 0)
		return read_key(slot, value);
	if (strcmp(name, "cert") == 0)
		return read_certificate(&slot->certificate, value);
	if (strcmp(name, "attestation") == 0)
		return read_certificate(&slot->attestation, value);
	if (strcmp(name, "pin") == 0) {
		number = number_of(value, pins);
		slot->pin = (enum pin_policy)number;
		return number > 0;
	}
	number = number_of(value, touches);
	slot->touch = (enum touch_policy)number;
	return strcmp(name, "touch") == 0 && number > 0;
}

bool slots_fill(struct slot slots[SLOT_COUNT], const char *description)
{
	AUTO(text) copy = strdup(description);
	char *rest = NULL, *word = copy != NULL ? strtok_r(copy, ",", &rest) : NULL;
	struct slot *slot =
		word != NULL ? slots_find(slots, (unsigned)strtoul(word, NULL, 16)) : NULL;
	bool good = slot != NULL;

	while (good && (word = strtok_r(NULL, ",", &rest)) != NULL) {
		char *value = strchr(word, '=');

		if (value != NULL)
			*value++ = '\0';
		if (value != NULL)
			good = set(slot, word, value);
		else
			good = slot->imported = strcmp(word, "imported") == 0;
	}
	if (!good)
		fprintf(stderr, "piv-card: %s: %s is not understood\n", description,
			word != NULL ? word : "");
	return good;
}

static void put_number(struct buf *out, unsigned tag, const EVP_PKEY *key, const char *name)
{
	BIGNUM *number = NULL;
	uint8_t bytes[512];
	int len = 0;

	if (EVP_PKEY_get_bn_param(key, name, &number) && BN_num_bytes(number) <= 512)
		len = BN_bn2bin(number, bytes);
	BN_free(number);
	tlv_put(out, tag, BYTES(bytes, (size_t)len));
}

bool slot_put_public(const struct slot *slot, struct buf *out)
{
	uint8_t point[200];
	size_t len = 0;

	if (slot->algorithm == ALGORITHM_RSA_2048) {
		put_number(out, 0x81, slot->key, OSSL_PKEY_PARAM_RSA_N);
		put_number(out, 0x82, slot->key, OSSL_PKEY_PARAM_RSA_E);
		return true;
	}
	if (!EVP_PKEY_get_octet_string_param(
		    slot->key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len))
		return false;
	tlv_put(out, 0x86, BYTES(point, len));
	return true;
}
