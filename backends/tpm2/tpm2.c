/*
 * The tpm2 backend: keys that a TPM 2.0 wraps or keeps. The table and what is too short for a
 * file of its own; provider.c has the keys, sign.c the way to a signature, held.c what is kept in
 * the TPM.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "admin.h"
#include "provider.h"
#include "remembered.h"
#include "sign.h"
#include "wanted.h"

#define SCHEME "tpm2:"
#define HANDLE_LEN 10 /* 0x81000001 */

static bool is_persistent_handle(const char *text)
{
	return strlen(text) == HANDLE_LEN && strncasecmp(text, "0x81", 4) == 0 &&
	       strspn(text + 2, "0123456789abcdefABCDEF") == HANDLE_LEN - 2;
}

static enum ks_error put_path(
	struct ks_operation *operation, const char *path, struct buf *canonical)
{
	AUTO(text) real = realpath(path, NULL);

	if (real == NULL) {
		ks_explain(operation, "there is no such key file");
		return KS_NO_KEY;
	}
	buf_put(canonical, bytes_of(real));
	return buf_status(canonical);
}

/* Here, where the process is not confined yet, the folder of state is made. */
static void make_state(void)
{
	AUTO(text) folder = remembered_folder();

	if (folder != NULL)
		remembered_make(folder);
	else
		log_warning("nobody knows a home folder: another TPM in place of this one would "
			    "not be noticed");
	(void)setenv("TSS2_LOG", "all+NONE", 0);
}

static enum ks_error tpm2_locate(
	struct ks_operation *operation, const char *provider, struct buf *canonical)
{
	const char *what = provider + strlen(SCHEME);

	make_state();
	buf_put(canonical, bytes_of(SCHEME));
	if (what[0] == '\0')
		return buf_status(canonical);
	if (what[0] == '/')
		return put_path(operation, what, canonical);
	if (is_persistent_handle(what)) {
		for (; *what != '\0'; what++)
			buf_put_u8(canonical, (uint8_t)tolower((unsigned char)*what));
		return buf_status(canonical);
	}
	ks_explain(operation, "a TPM's keys are tpm2: (all of ~/.ssh/*.tpm), tpm2:/PATH or "
			      "tpm2:0x81......");
	return KS_BAD_INPUT;
}

static void tpm2_close(void *state)
{
	struct tpm2 *tpm2 = state;

	provider_end_idle(tpm2);
	held_release(&tpm2->held);
	for (size_t i = 0; i < tpm2->key_count; i++) {
		tpm_key_deinit(tpm2->keys[i]);
		free(tpm2->keys[i]);
	}
	pthread_mutex_destroy(&tpm2->lock);
	tpm_settings_deinit(&tpm2->settings);
	free(tpm2->name);
	free(tpm2);
}

static enum ks_error tpm2_open(struct ks_worker *worker, struct ks_operation *operation,
	const char *canonical, void **state)
{
	struct tpm2 *tpm2 = calloc(1, sizeof(*tpm2));
	enum ks_error error;

	if (tpm2 == NULL)
		return KS_NO_MEMORY;
	tpm2->worker = worker;
	pthread_mutex_init(&tpm2->lock, NULL);
	error = tpm_settings_init(&tpm2->settings, operation);
	held_init(&tpm2->held, &tpm2->settings);
	tpm2->device = tpm_device_seen(tpm2->settings.tcti);
	(void)wanted_by_another(tpm2->settings.state_folder, &tpm2->wanted_seen);
	tpm2->name = strdup(canonical + strlen(SCHEME));
	if (error == KS_OK && tpm2->name == NULL)
		error = KS_NO_MEMORY;
	if (provider_watch_idle(tpm2) != KS_OK)
		error = KS_NO_MEMORY;
	if (error != KS_OK) {
		tpm2_close(tpm2);
		return error;
	}
	*state = tpm2;
	return KS_OK;
}

static enum ks_error tpm2_list(void *state, struct ks_operation *operation)
{
	return provider_list(state, operation);
}

static enum ks_error tpm2_login(
	void *state, struct ks_operation *operation, const struct secret *pin)
{
	enum ks_error error = provider_list(state, operation);

	return error == KS_OK ? tpm2_try_pin(state, operation, pin) : error;
}

static enum ks_error tpm2_sign_for(void *state, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature)
{
	return tpm2_sign(state, operation, request, signature);
}

/* The TPM is given back as a whole: what it holds for one key it holds for all. */
static enum ks_error tpm2_release(void *state, struct ks_operation *operation, uint32_t token)
{
	struct tpm2 *tpm2 = state;

	(void)operation;
	pthread_mutex_lock(&tpm2->lock);
	if (token < tpm2->key_count)
		provider_forget_pin(tpm2, tpm2->keys[token]);
	held_release(&tpm2->held);
	pthread_mutex_unlock(&tpm2->lock);
	return KS_OK;
}

extern KS_NEEDS(tpm2);
extern KS_BACKEND(tpm2);

KS_BACKEND(tpm2) = {
	.version = KEYSTILE_BACKEND_VERSION,
	.needs = &ks_needs_tpm2,
	.parallel = 8,
	.locate = tpm2_locate,
	.open = tpm2_open,
	.list = tpm2_list,
	.login = tpm2_login,
	.sign = tpm2_sign_for,
	.release = tpm2_release,
	.administer = tpm_administer,
	.close = tpm2_close,
};
