/*
 * The library's side of a call: dlopen(), the version, sk_sign(), and what it returned. Nothing is
 * closed or freed, as the process ends with the call.
 */
#include "library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <keystile/text.h>

#include "sk_api.h"

#define NUMBER_MAX 64 /* the longest of what a signature consists of */

struct library {
	void *handle;
	sk_api_version_function *version;
	sk_sign_function *sign;
};

void library_answer_error(struct buf *answer, enum ks_error error, const char *words)
{
	buf_put_u32(answer, (uint32_t)error);
	buf_put_text(answer, words);
}

/* POSIX has dlsym() return an object pointer for functions as well. */
static bool find(const struct library *library, const char *name, void *function)
{
	void *found = dlsym(library->handle, name);

	memcpy(function, &found, sizeof(found));
	return found != NULL;
}

static bool is_no_library(struct buf *answer, const char *why)
{
	char quoted[TEXT_WORDS_MAX], words[TEXT_WORDS_MAX + 80];

	snprintf(words, sizeof(words), "it is no security key library that can be loaded: %s",
		text_quote_words(bytes_of(why), quoted));
	library_answer_error(answer, KS_DEVICE_FAILED, words);
	return false;
}

static bool is_of_another_version(struct buf *answer, uint32_t version)
{
	char words[160];

	snprintf(words, sizeof(words),
		"the library is made for version %u of OpenSSH's security key interface, not for "
		"%u; use one of OpenSSH 8.9 or later",
		(unsigned)(version >> 16), (unsigned)(SK_VERSION_MAJOR >> 16));
	library_answer_error(answer, KS_DEVICE_FAILED, words);
	return false;
}

/* False once the answer is given. */
static bool load(const char *path, struct library *library, struct buf *answer)
{
	uint32_t version;

	library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library->handle == NULL)
		return is_no_library(answer, dlerror());
	if (!find(library, "sk_api_version", (void *)&library->version) ||
		!find(library, "sk_sign", (void *)&library->sign))
		return is_no_library(answer, "it lacks sk_api_version or sk_sign");
	version = library->version();
	if ((version & SK_VERSION_MAJOR_MASK) != SK_VERSION_MAJOR)
		return is_of_another_version(answer, version);
	return true;
}

void library_check(const struct library_call *call, struct buf *answer)
{
	struct library library;

	if (load(call->path, &library, answer))
		library_answer_error(answer, KS_OK, "");
}

static void answer_failure(struct buf *answer, int value)
{
	char words[80];

	switch (value) {
	case SK_ERROR_UNSUPPORTED:
		library_answer_error(answer, KS_UNSUPPORTED,
			"the library or the security key can't do what this key needs");
		return;
	case SK_ERROR_PIN_REQUIRED:
		library_answer_error(answer, KS_PIN_NEEDED, "the security key wants its PIN");
		return;
	case SK_ERROR_DEVICE_NOT_FOUND:
		library_answer_error(
			answer, KS_NO_TOKEN, "plug in the security key that holds this key");
		return;
	default:
		snprintf(words, sizeof(words), "the library could not sign (error %d)", value);
		library_answer_error(answer, KS_DEVICE_FAILED, words);
	}
}

/* A length that no signature has is not believed: nothing is read there. */
static bool is_number(const uint8_t *data, size_t len)
{
	return len <= NUMBER_MAX && (data != NULL || len == 0);
}

static void answer_response(struct buf *answer, const struct sk_sign_response *response)
{
	if (response == NULL || !is_number(response->sig_r, response->sig_r_len) ||
		!is_number(response->sig_s, response->sig_s_len)) {
		library_answer_error(
			answer, KS_DEVICE_FAILED, "the library gave no usable signature");
		return;
	}
	library_answer_error(answer, KS_OK, "");
	buf_put_u8(answer, response->flags);
	buf_put_u32(answer, response->counter);
	buf_put_string(answer, BYTES(response->sig_r, response->sig_r_len));
	buf_put_string(answer, BYTES(response->sig_s, response->sig_s_len));
}

void library_sign(const struct library_call *call, const struct secret *secret, struct buf *answer)
{
	struct reader in = reader_of(BYTES(secret->data, secret->len));
	struct bytes key_handle = reader_string(&in);
	const char *pin = call->with_pin ? (const char *)in.data : NULL;
	struct sk_sign_response *response = NULL;
	struct library library;

	if (in.failed || (call->with_pin && memchr(in.data, '\0', in.left) == NULL)) {
		library_answer_error(
			answer, KS_BAD_INPUT, "the key handle could not be handed over");
		return;
	}
	if (!load(call->path, &library, answer))
		return;
	int value =
		library.sign(call->algorithm, call->data.data, call->data.len, call->application,
			key_handle.data, key_handle.len, call->flags, pin, NULL, &response);
	if (value == 0)
		answer_response(answer, response);
	else
		answer_failure(answer, value);
}
