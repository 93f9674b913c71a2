/*
 * Which keys there are, and what the agent is told of them.
 */
#include "provider.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "remembered.h"

uint64_t tpm2_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Telling the agent ---- */

struct ks_token provider_token(const struct tpm_key *key)
{
	struct ks_token token = {.id = key->token,
		.label = key->label,
		.serial = "",
		.model = "TPM 2.0",
		.location = key->location,
		.tries_left = KS_TRIES_UNKNOWN};

	if (key->pin == TPM_PIN_NONE)
		return token;
	token.tries_left = key->tries_left;
	if (key->pin == TPM_PIN_SET)
		token.flags |= KS_TOKEN_NEEDS_LOGIN;
	if (key->kept.len > 0)
		token.flags |= KS_TOKEN_LOGGED_IN;
	if (key->tries_left == 1)
		token.flags |= KS_TOKEN_LAST_TRY;
	if (key->tries_left == 0)
		token.flags |= KS_TOKEN_PIN_BLOCKED;
	return token;
}

void provider_report(struct tpm2 *tpm2, const struct tpm_key *key)
{
	const struct ks_token token = provider_token(key);
	struct ks_key keys[2] = {{.blob = buf_bytes(&key->certificate), .label = key->label},
		{.blob = buf_bytes(&key->blob), .label = key->label}};
	const bool certificate = key->certificate.len > 0;

	ks_token_is(tpm2->worker, &token, certificate ? keys : keys + 1, certificate ? 2 : 1);
}

void provider_forget_pin(struct tpm2 *tpm2, struct tpm_key *key)
{
	const bool had = key->kept.len > 0;

	secret_deinit(&key->kept);
	if (had)
		provider_report(tpm2, key);
}

struct tpm_key *provider_key(struct tpm2 *tpm2, uint32_t token, struct bytes blob)
{
	for (size_t i = 0; i < tpm2->key_count; i++)
		if (tpm2->keys[i]->token == token && tpm_key_is(tpm2->keys[i], blob))
			return tpm2->keys[i];
	return NULL;
}

/* ---- Gathering ---- */

/* Whether a list with ":" between holds the word. */
static bool lists(const char *list, const char *word)
{
	const size_t len = strlen(word);

	for (const char *at = list; *at != '\0'; at += strcspn(at, ":"), at += *at == ':')
		if (strncmp(at, word, len) == 0 && (at[len] == ':' || at[len] == '\0'))
			return true;
	return false;
}

/* One that was found to have a PIN although its file denies it, or of which a person says so. */
static void recall_pin(const struct tpm2 *tpm2, struct tpm_key *key)
{
	AUTO(text) file = NULL;
	AUTO(buf) content = {0};

	if (lists(tpm2->settings.without_pin, key->location))
		key->pin = TPM_PIN_DENIED;
	if (key->pin != TPM_PIN_DENIED || tpm2->settings.state_folder == NULL)
		return;
	file = remembered_file(tpm2->settings.state_folder, "pin", buf_bytes(&key->blob));
	if (file != NULL && remembered_read(file, &content) != KS_NO_KEY)
		key->pin = TPM_PIN_SET;
}

static bool is_known(const struct tpm2 *tpm2, const struct tpm_key *key)
{
	for (size_t i = 0; i < tpm2->key_count; i++)
		if (bytes_equal(buf_bytes(&tpm2->keys[i]->blob), buf_bytes(&key->blob)))
			return true;
	return false;
}

/* Takes what *found holds. */
static enum ks_error add_key(struct tpm2 *tpm2, struct tpm_key *found)
{
	struct tpm_key *key = NULL;

	if (!is_known(tpm2, found) && tpm2->key_count < TPM_KEYS_MAX) {
		key = malloc(sizeof(*key));
		if (key == NULL) {
			tpm_key_deinit(found);
			return KS_NO_MEMORY;
		}
		*key = *found;
		key->token = (uint32_t)tpm2->key_count;
		recall_pin(tpm2, key);
		tpm2->keys[tpm2->key_count++] = key;
		return KS_OK;
	}
	if (tpm2->key_count == TPM_KEYS_MAX)
		log_warning("more than %d keys of a TPM: the rest is left out", TPM_KEYS_MAX);
	tpm_key_deinit(found);
	return KS_OK;
}

static enum ks_error complain(
	struct ks_operation *operation, const char *what, const char *wrong, enum ks_error error)
{
	char quoted[TEXT_WORDS_MAX];

	text_quote_words(bytes_of(what), quoted);
	log_warning("%s %s", quoted, wrong);
	ks_explain(operation, "%s %s", quoted, wrong);
	return error;
}

static bool is_known_file(const struct tpm2 *tpm2, const char *path)
{
	for (size_t i = 0; i < tpm2->key_count; i++)
		if (strcmp(tpm2->keys[i]->location, path) == 0)
			return true;
	return false;
}

static enum ks_error add_file(struct tpm2 *tpm2, struct ks_operation *operation, const char *path)
{
	struct tpm_key key;
	const char *wrong = NULL;
	enum ks_error error;

	if (is_known_file(tpm2, path))
		return KS_OK;
	error = tpm_key_from_file(&key, path, &wrong);
	if (error != KS_OK)
		return complain(operation, path, wrong, error);
	return add_key(tpm2, &key);
}

struct public_read {
	TPM2_HANDLE handle;
	TPM2B_PUBLIC public;
};

static TSS2_RC read_public(struct held *held, struct tpm_key *key, void *context)
{
	struct public_read *read = context;
	ESYS_TR object = ESYS_TR_NONE;
	TPM2B_PUBLIC *public = NULL;
	TSS2_RC code;

	(void)key;
	code = Esys_TR_FromTPMPublic(
		held->tpm.esys, read->handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &object);
	if (code != TSS2_RC_SUCCESS)
		return code;
	code = Esys_ReadPublic(held->tpm.esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
		&public, NULL, NULL);
	if (code == TSS2_RC_SUCCESS)
		read->public = *public;
	Esys_Free(public);
	tpm_forget(held->tpm.esys, &object);
	return code;
}

static enum ks_error add_handle(struct tpm2 *tpm2, struct ks_operation *operation, const char *text)
{
	struct public_read read = {.handle = (TPM2_HANDLE)strtoul(text, NULL, 16)};
	const struct tpm_use use = {
		.run = read_public, .context = &read, .command = "TPM2_ReadPublic"};
	struct tpm_key key;
	enum tpm_trouble trouble;
	const char *wrong = NULL;
	enum ks_error error;

	if (is_known_file(tpm2, text))
		return KS_OK;
	error = held_ask(&tpm2->held, operation, &use, &trouble);
	if (error != KS_OK)
		return error;
	error = tpm_key_from_handle(&key, read.handle, &read.public, &wrong);
	if (error != KS_OK)
		return complain(operation, text, wrong, error);
	return add_key(tpm2, &key);
}

static enum ks_error add_one(struct tpm2 *tpm2, struct ks_operation *operation, const char *what)
{
	return what[0] == '/' ? add_file(tpm2, operation, what) : add_handle(tpm2, operation, what);
}

/* What is wrong with one does not keep the others away. */
static enum ks_error add_configured(struct tpm2 *tpm2, struct ks_operation *operation)
{
	AUTO(text) list = strdup(tpm2->settings.keys);
	char *rest = NULL;

	if (list == NULL)
		return KS_NO_MEMORY;
	for (char *one = strtok_r(list, ":", &rest); one != NULL; one = strtok_r(NULL, ":", &rest))
		if (add_one(tpm2, operation, one) == KS_NO_MEMORY)
			return KS_NO_MEMORY;
	return KS_OK;
}

static enum ks_error add_home(struct tpm2 *tpm2, struct ks_operation *operation)
{
	AUTO(text) pattern = NULL;
	glob_t found = {0};
	enum ks_error error = KS_OK;

	if (tpm2->settings.home == NULL)
		return KS_OK;
	pattern = text_format("%s/.ssh/*.tpm", tpm2->settings.home);
	if (pattern == NULL)
		return KS_NO_MEMORY;
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && error != KS_NO_MEMORY; i++)
			error = add_file(tpm2, operation, found.gl_pathv[i]);
	globfree(&found);
	return error == KS_NO_MEMORY ? error : KS_OK;
}

static enum ks_error gather(struct tpm2 *tpm2, struct ks_operation *operation)
{
	enum ks_error error;

	if (tpm2->name[0] != '\0')
		return add_one(tpm2, operation, tpm2->name);
	error = add_home(tpm2, operation);
	return error == KS_OK ? add_configured(tpm2, operation) : error;
}

enum ks_error provider_list(struct tpm2 *tpm2, struct ks_operation *operation)
{
	enum ks_error error;

	pthread_mutex_lock(&tpm2->lock);
	error = gather(tpm2, operation);
	if (error == KS_OK)
		for (size_t i = 0; i < tpm2->key_count; i++)
			provider_report(tpm2, tpm2->keys[i]);
	provider_was_used(tpm2);
	pthread_mutex_unlock(&tpm2->lock);
	return error;
}
