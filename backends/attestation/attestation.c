/*
 * Checks what a card attests of its keys, for the agent, which parses no certificates of strangers.
 * It has no tokens; the agent asks it for one key, and its process ends.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include <keystile/backend.h>
#include <keystile/cleanup.h>

#include "proof.h"

#define NAME "attestation:"

extern KS_NEEDS(attestation);

static enum ks_error attestation_locate(
	struct ks_operation *operation, const char *provider, struct buf *canonical)
{
	if (strcmp(provider, NAME) != 0) {
		ks_explain(operation, "nothing follows \"attestation:\"");
		return KS_BAD_INPUT;
	}
	buf_put(canonical, bytes_of(provider));
	return buf_status(canonical);
}

static enum ks_error attestation_open(struct ks_worker *worker, struct ks_operation *operation,
	const char *canonical, void **state)
{
	(void)worker;
	(void)operation;
	(void)canonical;
	*state = NULL;
	return KS_OK;
}

static void attestation_close(void *state)
{
	(void)state;
}

static enum ks_error attestation_list(void *state, struct ks_operation *operation)
{
	(void)state;
	(void)operation;
	return KS_OK;
}

static enum ks_error attestation_login(
	void *state, struct ks_operation *operation, const struct secret *pin)
{
	(void)state;
	(void)operation;
	(void)pin;
	return KS_UNSUPPORTED;
}

static enum ks_error attestation_sign(void *state, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature)
{
	(void)state;
	(void)operation;
	(void)request;
	(void)signature;
	return KS_NO_KEY;
}

/* Appends what is there in base64; false where it is none. */
static bool read_field(const json_t *object, const char *name, struct buf *out)
{
	const char *text = json_string_value(json_object_get(object, name));
	size_t len = text != NULL ? strlen(text) : 0;
	uint8_t *room = len == 0 || len % 4 != 0 ? NULL : buf_reserve(out, len / 4 * 3);
	int got = room == NULL ? -1 : EVP_DecodeBlock(room, (const unsigned char *)text, (int)len);

	if (got < 0)
		return false;
	out->len += (size_t)got;
	for (size_t i = 1; i <= 2 && text[len - i] == '='; i++)
		out->len--;
	return true;
}

static enum ks_error put_answer(bool proven, const char *words, struct buf *answer)
{
	json_t *object = json_pack("{s:b,s:s}", "touch", proven, "why", proven ? "" : words);
	AUTO(text) text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	if (text == NULL)
		return KS_NO_MEMORY;
	buf_put(answer, bytes_of(text));
	return buf_status(answer);
}

static enum ks_error check(const json_t *object, struct buf *answer)
{
	AUTO(buf) key = {0};
	AUTO(buf) certificate = {0};
	AUTO(buf) signer = {0};
	struct claim claim;
	enum ks_error error;
	const char *words;
	bool proven;

	if (!read_field(object, "key", &key) || !read_field(object, "certificate", &certificate) ||
		!read_field(object, "signer", &signer))
		return KS_BAD_INPUT;
	claim = (struct claim){.key = buf_bytes(&key),
		.certificate = buf_bytes(&certificate),
		.signer = buf_bytes(&signer)};
	error = proof_of_touch(&claim, &proven, &words);
	return error == KS_OK ? put_answer(proven, words, answer) : error;
}

/* {"verb": "attest", "key": BLOB, "certificate": DER, "signer": DER}, the three in base64. */
static enum ks_error attestation_administer(void *state, struct ks_operation *operation,
	struct bytes request, const struct secret *secrets, struct buf *answer)
{
	json_t *object = json_loadb((const char *)request.data, request.len, 0, NULL);
	const char *verb = json_string_value(json_object_get(object, "verb"));
	bool known = verb != NULL && strcmp(verb, "attest") == 0;
	enum ks_error error = known ? check(object, answer) : KS_UNSUPPORTED;

	(void)state;
	(void)operation;
	(void)secrets;
	json_decref(object);
	return error;
}

KS_BACKEND(attestation) = {
	.version = KEYSTILE_BACKEND_VERSION,
	.needs = &ks_needs_attestation,
	.parallel = 1,
	.locate = attestation_locate,
	.open = attestation_open,
	.list = attestation_list,
	.login = attestation_login,
	.sign = attestation_sign,
	.administer = attestation_administer,
	.close = attestation_close,
};
