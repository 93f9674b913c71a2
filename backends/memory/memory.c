/*
 * The memory backend: the keys that people add with plain ssh-add. They live in this process only,
 * in locked memory (locked.h), and are gone with it. No hardware stands behind them: they prove no
 * presence, and which requests may use them is for the agent to decide.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <keystile/backend.h>
#include <keystile/log.h>

#include "locked.h"
#include "signer.h"
#include "store.h"

#define TOKEN_ID 1

struct memory {
	struct ks_worker *worker;
	struct store *store;
	pthread_mutex_t lock;
	bool told; /* that memory is not locked; under the lock */
};

static enum ks_error memory_locate(
	struct ks_operation *operation, const char *provider, struct buf *canonical)
{
	if (strcmp(provider, "memory:") != 0) {
		ks_explain(operation, "there is one memory, and its name is memory:");
		return KS_BAD_INPUT;
	}
	buf_put(canonical, bytes_of(provider));
	return KS_OK;
}

static void memory_close(void *state)
{
	struct memory *memory = state;

	store_free(memory->store);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

/* Added keys are not reported (backend.h): the agent knows them by the answers. */
static void report(struct ks_worker *worker)
{
	static const struct ks_token token = {.id = TOKEN_ID,
		.label = "memory",
		.serial = "",
		.model = "",
		.location = "",
		.tries_left = KS_TRIES_UNKNOWN};

	ks_token_is(worker, &token, NULL, 0);
}

static enum ks_error memory_open(struct ks_worker *worker, struct ks_operation *operation,
	const char *canonical, void **state)
{
	struct memory *memory;
	enum ks_error error = locked_init();

	(void)operation;
	(void)canonical;
	if (error != KS_OK)
		return error;
	memory = calloc(1, sizeof(*memory));
	if (memory == NULL)
		return KS_NO_MEMORY;
	memory->worker = worker;
	pthread_mutex_init(&memory->lock, NULL);
	memory->store = store_new();
	if (memory->store == NULL) {
		memory_close(memory);
		return KS_NO_MEMORY;
	}
	report(worker);
	*state = memory;
	return KS_OK;
}

static enum ks_error memory_list(void *state, struct ks_operation *operation)
{
	const struct memory *memory = state;

	(void)operation;
	report(memory->worker);
	return KS_OK;
}

static enum ks_error memory_login(
	void *state, struct ks_operation *operation, const struct secret *pin)
{
	(void)state;
	(void)pin;
	ks_explain(operation, "keys in memory have no PIN");
	return KS_UNSUPPORTED;
}

/* Once in a worker's life, and the key is kept all the same. */
static void tell_of_unlocked(struct memory *memory)
{
	pthread_mutex_lock(&memory->lock);
	bool tell = !memory->told && !locked_is_complete();
	memory->told = memory->told || tell;
	pthread_mutex_unlock(&memory->lock);
	if (tell)
		log_warning("private keys may be swapped out: not all of their memory can be "
			    "locked (RLIMIT_MEMLOCK)");
}

static enum ks_error memory_add(
	void *state, struct ks_operation *operation, const struct secret *key, struct buf *blob)
{
	struct memory *memory = state;
	struct private_key private;
	const char *why = NULL;
	size_t start = blob->len;
	struct usable usable;
	enum ks_error error =
		material_accept(BYTES(key->data, key->len), &private, blob, &usable, &why);

	usable_free(&usable);
	if (error == KS_OK) {
		error = store_put(
			memory->store, &private, BYTES(blob->data + start, blob->len - start));
		why = error == KS_BUSY ? "there are too many keys in memory already" : NULL;
	}
	if (error != KS_OK && error != KS_NO_MEMORY && why != NULL)
		ks_explain(operation, "%s", why);
	tell_of_unlocked(memory);
	return error;
}

static enum ks_error memory_remove(void *state, struct ks_operation *operation, struct bytes blob)
{
	struct memory *memory = state;

	(void)operation;
	return store_remove(memory->store, blob);
}

/* What can be said without the key. */
static enum ks_error check_request(struct ks_operation *operation, const struct ks_sign *request)
{
	if (request->token != TOKEN_ID)
		return KS_NO_TOKEN;
	if (request->demand == KS_PRESENCE_NONE)
		return KS_OK;
	ks_explain(operation, "a key in memory proves neither a touch nor a PIN");
	return KS_UNSUPPORTED;
}

static enum ks_error memory_sign(void *state, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature)
{
	struct memory *memory = state;
	enum key_kind kind = KEY_KIND_COUNT;
	struct usable usable;
	enum ks_error error = check_request(operation, request);

	if (error != KS_OK)
		return error;
	error = store_find(memory->store, request->blob, &kind, &usable);
	if (error == KS_UNSUPPORTED)
		ks_explain(operation,
			"a security key signs with its token; give its middleware with ssh-add -S");
	if (error != KS_OK)
		return error;
	error = signer_sign(&usable, kind, request->algorithm, request->data, signature);
	usable_free(&usable);
	if (error == KS_UNSUPPORTED)
		ks_explain(operation, "this key makes no signatures of the kind asked for");
	if (error == KS_DEVICE_FAILED)
		ks_explain(operation, "OpenSSL makes no signature with it");
	return error;
}

extern KS_NEEDS(memory);
extern KS_BACKEND(memory);

KS_BACKEND(memory) = {
	.version = KEYSTILE_BACKEND_VERSION,
	.needs = &ks_needs_memory,
	.parallel = 5, /* four signatures, and a change to the keys */
	.locate = memory_locate,
	.open = memory_open,
	.list = memory_list,
	.login = memory_login,
	.sign = memory_sign,
	.add = memory_add,
	.remove = memory_remove,
	.close = memory_close,
};
