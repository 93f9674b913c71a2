/*
 * The middleware backend: OpenSSH's libraries for security keys, named by `ssh-add -S` or
 * SSH_SK_PROVIDER and given to the agent with each key. One library per worker,
 * "middleware:/path/to/library.so"; it is loaded anew, and looked at anew, for each signature.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/library_path.h>

#include "apart.h"
#include "response.h"
#include "sign.h"

#define SCHEME "middleware:"
#define TOKEN_ID 1

extern KS_NEEDS(middleware);
extern KS_BACKEND(middleware);

struct middleware {
	struct ks_worker *worker;
	char *path;
	struct key_handles keys;
	pthread_mutex_t signing; /* held for the length of a signature */
};

static struct ks_token describe(const struct middleware *middleware)
{
	const char *name = strrchr(middleware->path, '/');

	return (struct ks_token){.id = TOKEN_ID,
		.label = name != NULL ? name + 1 : middleware->path,
		.serial = "",
		.model = "security keys",
		.location = middleware->path,
		.tries_left = KS_TRIES_UNKNOWN};
}

static enum ks_error middleware_locate(
	struct ks_operation *operation, const char *provider, struct buf *canonical)
{
	if (strncmp(provider, SCHEME, strlen(SCHEME)) != 0) {
		ks_explain(operation, "its name does not begin with " SCHEME);
		return KS_BAD_INPUT;
	}
	buf_put(canonical, bytes_of(SCHEME));
	return library_path_locate(operation, provider + strlen(SCHEME), canonical);
}

static void middleware_close(void *state)
{
	struct middleware *middleware = state;

	key_handles_deinit(&middleware->keys);
	pthread_mutex_destroy(&middleware->signing);
	free(middleware->path);
	free(middleware);
}

static enum ks_error check_library(const char *path, struct ks_operation *operation)
{
	const struct library_call call = {.kind = LIBRARY_CHECK, .path = path};
	struct file_identity file;
	AUTO(buf) answer = {0};
	enum ks_error error = library_path_check(operation, path, &file);

	if (error == KS_OK)
		error = apart_call(operation, &call, -1, &answer);
	if (error == KS_OK)
		error = response_read_check(operation, buf_bytes(&answer));
	return error;
}

static enum ks_error middleware_open(struct ks_worker *worker, struct ks_operation *operation,
	const char *canonical, void **state)
{
	struct middleware *middleware = calloc(1, sizeof(*middleware));
	enum ks_error error = KS_NO_MEMORY;

	if (middleware == NULL)
		return KS_NO_MEMORY;
	middleware->worker = worker;
	key_handles_init(&middleware->keys);
	pthread_mutex_init(&middleware->signing, NULL);
	middleware->path = strdup(canonical + strlen(SCHEME));
	if (middleware->path != NULL)
		error = check_library(middleware->path, operation);
	if (error != KS_OK) {
		middleware_close(middleware);
		return error;
	}
	*state = middleware;
	return KS_OK;
}

/* Added keys are not reported (backend.h), and others a library does not show. */
static enum ks_error middleware_list(void *state, struct ks_operation *operation)
{
	const struct middleware *middleware = state;
	const struct ks_token token = describe(middleware);

	(void)operation;
	ks_token_is(middleware->worker, &token, NULL, 0);
	return KS_OK;
}

/* There is nothing to log in to: the PIN is given with each signature that wants it. */
static enum ks_error middleware_login(
	void *state, struct ks_operation *operation, const struct secret *pin)
{
	(void)pin;
	return middleware_list(state, operation);
}

static enum ks_error middleware_add(
	void *state, struct ks_operation *operation, const struct secret *key, struct buf *blob)
{
	struct middleware *middleware = state;

	return key_handles_add(&middleware->keys, operation, key, blob);
}

static enum ks_error middleware_remove(
	void *state, struct ks_operation *operation, struct bytes blob)
{
	struct middleware *middleware = state;

	(void)operation;
	return key_handles_remove(&middleware->keys, blob);
}

static bool fits(enum ks_algorithm algorithm, enum key_kind kind)
{
	return (algorithm == KS_ALGORITHM_SK_ED25519 && kind == KEY_SK_ED25519) ||
	       (algorithm == KS_ALGORITHM_SK_ECDSA_P256 && kind == KEY_SK_ECDSA_P256);
}

static enum ks_error sign_with(struct middleware *middleware, const struct key_handle *key,
	struct ks_operation *operation, const struct ks_sign *request, struct buf *signature)
{
	const struct ks_token token = describe(middleware);
	struct signing signing = {.operation = operation,
		.path = middleware->path,
		.token = &token,
		.key = key,
		.request = request};
	struct file_identity file;
	enum ks_error error;

	if (!fits(request->algorithm, key->key.kind))
		return KS_UNSUPPORTED;
	error = library_path_check(operation, middleware->path, &file);
	if (error != KS_OK)
		return error;
	return sign_with_library(&signing, signature);
}

static enum ks_error middleware_sign(void *state, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature)
{
	struct middleware *middleware = state;
	struct key_handle *key;
	enum ks_error error = KS_NO_KEY;

	if (request->token != TOKEN_ID)
		return KS_NO_TOKEN;
	/* Nobody holds it: the agent begins one signature at a time (backend.h). */
	if (pthread_mutex_trylock(&middleware->signing) != 0)
		return KS_BUSY;
	key = key_handles_find(&middleware->keys, request->blob);
	if (key != NULL)
		error = sign_with(middleware, key, operation, request, signature);
	key_handles_release(&middleware->keys, key);
	pthread_mutex_unlock(&middleware->signing);
	return error;
}

KS_BACKEND(middleware) = {
	.version = KEYSTILE_BACKEND_VERSION,
	.needs = &ks_needs_middleware,
	/* A signature, as an authenticator does one thing at a time, and a change to the keys. */
	.parallel = 2,
	.locate = middleware_locate,
	.open = middleware_open,
	.list = middleware_list,
	.login = middleware_login,
	.sign = middleware_sign,
	.add = middleware_add,
	.remove = middleware_remove,
	.close = middleware_close,
};
