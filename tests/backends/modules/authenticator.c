/*
 * A security key library whose authenticator is software and which misbehaves on request: a key
 * handle is 32 bytes of an Ed25519 key and, behind them, the word for what shall happen. What must
 * happen when it is loaded is chosen when it is compiled (LOADED_VERSION, CRASH_WHEN_LOADED,
 * HANG_WHEN_LOADED).
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "library_call.h"
#include "sk_api.h"

#ifndef LOADED_VERSION
#define LOADED_VERSION SK_VERSION_MAJOR
#endif
#define SEED_BYTES 32
#define SIGNATURE_BYTES 64
#define ASSERTION_BYTES (2 * SHA256_DIGEST_LENGTH + 5)
#define COUNTER 7
#define PIN "1234"
#define LONG_PIN 255
#define VERIFIED 0x04

/* Declared here, as the header has but their types. */
sk_api_version_function sk_api_version;
sk_sign_function sk_sign;

#ifdef CRASH_WHEN_LOADED
__attribute__((constructor)) static void crash_when_loaded(void)
{
	abort();
}
#endif

#ifdef HANG_WHEN_LOADED
__attribute__((constructor)) static void hang_when_loaded(void)
{
	for (;;)
		pause();
}
#endif

uint32_t sk_api_version(void)
{
	return LOADED_VERSION;
}

/* What the authenticator signs: hash of the application, flags, counter, hash of the data. */
static void put_assertion(uint8_t *out, const char *application, const uint8_t *data, size_t len,
	const struct sk_sign_response *response)
{
	const uint8_t presence[5] = {response->flags, (uint8_t)(response->counter >> 24),
		(uint8_t)(response->counter >> 16), (uint8_t)(response->counter >> 8),
		(uint8_t)response->counter};

	SHA256((const uint8_t *)application, strlen(application), out);
	memcpy(out + SHA256_DIGEST_LENGTH, presence, sizeof(presence));
	SHA256(data, len, out + SHA256_DIGEST_LENGTH + sizeof(presence));
}

static bool sign_well(const uint8_t *seed, const char *application, const uint8_t *data, size_t len,
	struct sk_sign_response *response)
{
	uint8_t assertion[ASSERTION_BYTES];
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SEED_BYTES);
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	response->sig_r_len = SIGNATURE_BYTES;
	response->sig_r = calloc(1, SIGNATURE_BYTES);
	put_assertion(assertion, application, data, len, response);
	bool good = response->sig_r != NULL &&
		    EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestSign(context, response->sig_r, &response->sig_r_len, assertion,
			    sizeof(assertion)) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return good;
}

/* The agent's socket is nothing that a library may find; that of its answers leads to its worker.
 */
static bool finds_a_socket(void)
{
	bool found = false;

	for (int fd = 0; fd < 1024; fd++) {
		struct stat status;

		found |= fd != LIBRARY_CALL_ANSWER_FD && fstat(fd, &status) == 0 &&
			 S_ISSOCK(status.st_mode);
	}
	return found;
}

/* A process that lives on and keeps every descriptor open; its number. */
static uint32_t leave_a_process(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return (uint32_t)pid;
	for (;;)
		pause();
}

static void before(const char *word)
{
	if (strcmp(word, "crash") == 0)
		raise(SIGSEGV);
	if (strcmp(word, "exit") == 0)
		_exit(0);
	if (strcmp(word, "stop") == 0)
		raise(SIGSTOP); /* until the test lets it go on */
	while (strcmp(word, "hang") == 0)
		pause();
}

/* How the library fails, 0 where it does not. */
static int failure(const char *word, const char *pin)
{
	bool wants_pin = strcmp(word, "pin") == 0 || strcmp(word, "pin-unverified") == 0;
	bool wants_long = strcmp(word, "pin-long") == 0;

	if (strcmp(word, "general") == 0 || (strcmp(word, "socket") == 0 && finds_a_socket()))
		return SK_ERROR_GENERAL;
	if (strcmp(word, "unsupported") == 0)
		return SK_ERROR_UNSUPPORTED;
	if (strcmp(word, "absent") == 0)
		return SK_ERROR_DEVICE_NOT_FOUND;
	if (strcmp(word, "unheard-of") == 0)
		return 12345;
	if (wants_pin && (pin == NULL || strcmp(pin, PIN) != 0))
		return SK_ERROR_PIN_REQUIRED;
	if (wants_long && (pin == NULL || strlen(pin) != LONG_PIN || strspn(pin, "x") != LONG_PIN))
		return SK_ERROR_PIN_REQUIRED;
	return 0;
}

static void set_numbers(struct sk_sign_response *response, size_t len, uint8_t first)
{
	response->sig_r = calloc(2, 64);
	response->sig_s = calloc(2, 64);
	response->sig_r_len = response->sig_s_len = len;
	if (response->sig_r != NULL) {
		response->sig_r[0] = first;
		response->sig_r[1] = 0x7f;
		response->sig_r[len - 1] = 1;
	}
	if (response->sig_s != NULL)
		response->sig_s[len - 1] = 1;
}

static void spoil(const char *word, struct sk_sign_response **response)
{
	struct sk_sign_response *one = *response;

	if (strcmp(word, "nothing") == 0)
		*response = NULL;
	if (strcmp(word, "endless") == 0)
		one->sig_r_len = SIZE_MAX;
	if (strcmp(word, "short") == 0)
		one->sig_r_len--;
	if (strcmp(word, "empty") == 0)
		one->sig_r_len = 0;
	if (strcmp(word, "garbage") == 0)
		memset(one->sig_r, 'x', SIGNATURE_BYTES);
	if (strcmp(word, "null") == 0)
		one->sig_r = NULL;
	if (strcmp(word, "zero") == 0) {
		set_numbers(one, 32, 0x80);
		memset(one->sig_s, 0, one->sig_s_len);
	}
	if (strcmp(word, "padded") == 0)
		set_numbers(one, 33, 0);
	if (strcmp(word, "long") == 0)
		set_numbers(one, 33, 0x7f);
}

int sk_sign(uint32_t algorithm, const uint8_t *data, size_t data_len, const char *application,
	const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
	struct sk_option **options, struct sk_sign_response **response)
{
	char word[32] = "";
	int failed;

	(void)algorithm;
	(void)options;
	if (key_handle_len > SEED_BYTES && key_handle_len < SEED_BYTES + sizeof(word))
		memcpy(word, key_handle + SEED_BYTES, key_handle_len - SEED_BYTES);
	before(word);
	failed = failure(word, pin);
	if (failed != 0)
		return failed;
	*response = calloc(1, sizeof(**response));
	if (*response == NULL)
		return SK_ERROR_GENERAL;
	(*response)->counter = strcmp(word, "leave") == 0 ? leave_a_process() : COUNTER;
	(*response)->flags = flags;
	if (strcmp(word, "untouched") == 0)
		(*response)->flags = 0;
	if (strcmp(word, "pin-unverified") == 0)
		(*response)->flags &= (uint8_t)~VERIFIED;
	if (!sign_well(key_handle, application, data, data_len, *response))
		return SK_ERROR_GENERAL;
	spoil(word, response);
	return 0;
}
