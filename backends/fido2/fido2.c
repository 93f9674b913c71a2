/*
 * The fido2 backend: security keys, through libfido2. The worker keeps the handles of keys that
 * clients hand over, finds the tokens that are plugged in, and decides which one signs; it speaks
 * with none of them itself: each that is in use has a process of its own (session.h), which what a
 * token sends can break, and nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <keystile/cleanup.h>

#include "admin.h"
#include "kept_pin.h"
#include "signing.h"

#define PROVIDER "fido2:"
#define KEYS_ID (TOKEN_FIRST_ID - 1) /* the token that added keys are said to be of */

extern KS_NEEDS(fido2);
extern KS_BACKEND(fido2);

struct fido2 {
	struct ks_worker *worker;
	struct key_handles keys;
	struct tokens tokens;
	struct finder *finder;
	struct residents residents;
};

static enum ks_error fido2_locate(
	struct ks_operation *operation, const char *provider, struct buf *canonical)
{
	if (strcmp(provider, PROVIDER) != 0) {
		ks_explain(operation, "there is but one, " PROVIDER);
		return KS_BAD_INPUT;
	}
	buf_put(canonical, bytes_of(PROVIDER));
	return buf_status(canonical);
}

static void fido2_close(void *state)
{
	struct fido2 *fido2 = state;

	finder_stop(&fido2->finder);
	residents_deinit(&fido2->residents);
	tokens_deinit(&fido2->tokens);
	key_handles_deinit(&fido2->keys);
	free(fido2);
}

/* First of all tokens: what clients add is of the first one (backend.h). */
static void report_keys_token(const struct fido2 *fido2)
{
	const struct ks_token token = {.id = KEYS_ID,
		.label = "security keys",
		.serial = "",
		.model = "",
		.location = "",
		.tries_left = KS_TRIES_UNKNOWN};

	ks_token_is(fido2->worker, &token, NULL, 0);
}

static enum ks_error fido2_open(struct ks_worker *worker, struct ks_operation *operation,
	const char *canonical, void **state)
{
	struct fido2 *fido2 = calloc(1, sizeof(*fido2));
	enum ks_error error;

	(void)canonical;
	if (fido2 == NULL)
		return KS_NO_MEMORY;
	fido2->worker = worker;
	key_handles_init(&fido2->keys);
	error = tokens_init(&fido2->tokens, worker);
	if (error == KS_OK)
		error = kept_pin_seconds(operation, &fido2->tokens.pin_seconds);
	fido2->tokens.report = residents_report;
	fido2->tokens.report_owner = &fido2->residents;
	residents_init(&fido2->residents, &fido2->tokens);
	report_keys_token(fido2);
	if (error == KS_OK)
		error = finder_start(&fido2->tokens, &fido2->finder);
	fido2->residents.finder = fido2->finder;
	if (error != KS_OK) {
		fido2_close(fido2);
		return error;
	}
	*state = fido2;
	return KS_OK;
}

static enum ks_error fido2_list(void *state, struct ks_operation *operation)
{
	struct fido2 *fido2 = state;

	(void)operation;
	report_keys_token(fido2);
	tokens_report(&fido2->tokens);
	return KS_OK;
}

/* For what is on the token: signatures that want a PIN get one of their own. */
static enum ks_error fido2_login(
	void *state, struct ks_operation *operation, const struct secret *pin)
{
	struct fido2 *fido2 = state;
	enum ks_error error = residents_want(&fido2->residents, operation);

	if (error == KS_OK)
		error = residents_load_with(&fido2->residents, operation, pin);
	return error;
}

/* No answer but that it is done. */
static enum ks_error load(
	struct fido2 *fido2, struct ks_operation *operation, bool ask, const char *name)
{
	enum ks_error error = residents_want(&fido2->residents, operation);

	(void)fido2_list(fido2, operation);
	if (error == KS_OK && ask)
		error = residents_load_asking(&fido2->residents, operation, name);
	return error;
}

static enum ks_error drop_answer(json_t *said, enum ks_error error)
{
	json_decref(said);
	return error;
}

static enum ks_error put_answer(json_t *said, struct buf *answer)
{
	AUTO(text) text = json_dumps(said, JSON_COMPACT);

	buf_put(answer, bytes_of(text));
	return drop_answer(said, text == NULL ? KS_NO_MEMORY : buf_status(answer));
}

static enum ks_error fido2_administer(void *state, struct ks_operation *operation,
	struct bytes request, const struct secret *secrets, struct buf *answer)
{
	struct fido2 *fido2 = state;
	json_t *object =
		json_loadb((const char *)request.data, request.len, JSON_REJECT_DUPLICATES, NULL);
	const char *verb = json_string_value(json_object_get(object, "verb"));
	const char *name = json_string_value(json_object_get(object, "token"));
	json_t *said = json_object();
	enum ks_error error = KS_UNSUPPORTED;

	(void)secrets;
	if (verb != NULL && strcmp(verb, "list") == 0)
		error = admin_list(&fido2->residents, operation, name,
			json_is_true(json_object_get(object, "pin")), said);
	if (verb != NULL && strcmp(verb, "load") == 0)
		error = load(fido2, operation, json_is_true(json_object_get(object, "ask")), name);
	if (verb != NULL && strcmp(verb, "rest") == 0) {
		residents_rest(&fido2->residents);
		error = KS_OK;
	}
	json_decref(object);
	return error == KS_OK ? put_answer(said, answer) : drop_answer(said, error);
}

static enum ks_error fido2_add(
	void *state, struct ks_operation *operation, const struct secret *key, struct buf *blob)
{
	struct fido2 *fido2 = state;

	return key_handles_add(&fido2->keys, operation, key, blob);
}

static enum ks_error fido2_remove(void *state, struct ks_operation *operation, struct bytes blob)
{
	struct fido2 *fido2 = state;

	(void)operation;
	return key_handles_remove(&fido2->keys, blob);
}

static bool fits(enum ks_algorithm algorithm, enum key_kind kind)
{
	return (algorithm == KS_ALGORITHM_SK_ED25519 && kind == KEY_SK_ED25519) ||
	       (algorithm == KS_ALGORITHM_SK_ECDSA_P256 && kind == KEY_SK_ECDSA_P256);
}

static enum ks_error fido2_sign(void *state, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature)
{
	struct fido2 *fido2 = state;
	bool added = request->token == KEYS_ID;
	struct key_handles *keys = added ? &fido2->keys : &fido2->residents.handles;
	struct key_handle *key;
	struct signing signing = {.operation = operation,
		.tokens = &fido2->tokens,
		.finder = fido2->finder,
		.request = request};
	enum ks_error error = KS_UNSUPPORTED;

	key = key_handles_find(keys, request->blob);
	if (key == NULL)
		return KS_NO_KEY;
	signing.key = key;
	if (fits(request->algorithm, key->key.kind))
		error = signing_run(&signing, signature);
	key_handles_release(keys, key);
	return error;
}

KS_BACKEND(fido2) = {
	.version = KEYSTILE_BACKEND_VERSION,
	.needs = &ks_needs_fido2,
	/* Signatures with several tokens, those that wait for them, and a change to the keys. */
	.parallel = 16,
	.locate = fido2_locate,
	.open = fido2_open,
	.list = fido2_list,
	.login = fido2_login,
	.sign = fido2_sign,
	.add = fido2_add,
	.remove = fido2_remove,
	.administer = fido2_administer,
	.close = fido2_close,
};
