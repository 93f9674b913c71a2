/*
 * Reads what is resident on a token, with its PIN, and remembers it. A token may say what it likes:
 * what it can't sign with is not taken. A key that hides is asked for with the PIN.
 */
#include <string.h>

#include <fido/err.h>
#include <openssl/rand.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "code.h"
#include "residents.h"
#include "signing.h"

#define GROUP_BYTES 8

/* One token, taken and open. */
struct loading {
	struct residents *residents;
	struct signing signing;
	struct ks_sign request;
	struct resident *found[TOKEN_CREDENTIALS_MAX];
	unsigned count;
};

/* With the PIN only where it does not without: the fewer commands the better. */
static bool shows(struct signing *signing, bool hidden)
{
	struct secret pin = signing->pin;
	int32_t code = FIDO_ERR_NO_CREDENTIALS;
	enum ks_error error = KS_OK;

	if (!hidden) {
		signing->pin = (struct secret){0};
		error = ask_silently(signing, signing->token, &code);
		signing->pin = pin;
	}
	if (hidden || (error == KS_OK && code_wants_pin(code)))
		error = ask_silently(signing, signing->token, &code);
	return error == KS_OK && code == TOKEN_CODE_OK;
}

static bool signs(struct loading *loading, const struct resident *resident)
{
	struct signing *signing = &loading->signing;
	struct key_handles one = {0};
	struct secret key = {0};
	AUTO(buf) blob = {0};
	bool shown = false;
	enum ks_error error = secret_init(&key, resident->key.len);

	key_handles_init(&one);
	if (error == KS_OK) {
		memcpy(key.data, resident->key.data, resident->key.len);
		key.len = resident->key.len;
		error = key_handles_add(&one, NULL, &key, &blob);
	}
	signing->key = error == KS_OK ? key_handles_find(&one, buf_bytes(&blob)) : NULL;
	if (signing->key != NULL) {
		shown = shows(signing, resident->hidden);
		key_handles_release(&one, (struct key_handle *)(uintptr_t)signing->key);
	}
	signing->key = NULL;
	secret_deinit(&key);
	key_handles_deinit(&one);
	return shown;
}

static void take_credential(
	struct loading *loading, const struct token_credential *credential, const char *group)
{
	const char *model = loading->signing.token->product;
	struct resident *resident = resident_of_token(credential, model, group);

	if (resident != NULL && signs(loading, resident)) {
		loading->found[loading->count++] = resident;
		return;
	}
	log_warning("a security key names a resident key that it does not sign with: left out");
	resident_free(resident);
}

static enum ks_error take_row(struct loading *loading, struct bytes row)
{
	struct reader in = reader_of(row);
	uint8_t random[GROUP_BYTES];
	char group[RESIDENT_GROUP_TEXT];
	struct token_credential credential;

	if (RAND_bytes(random, sizeof(random)) != 1)
		return KS_NO_MEMORY;
	text_hex(BYTES(random, sizeof(random)), group);
	while (in.left > 0 && loading->count < TOKEN_CREDENTIALS_MAX) {
		if (token_credential_decode(&in, &credential) == KS_OK)
			take_credential(loading, &credential, group);
		else if (reader_status(&in) != KS_OK)
			break;
	}
	return ks_cancelled(loading->signing.operation) ? KS_CANCELLED : KS_OK;
}

/* With a PIN that signing->pin holds. */
static enum ks_error read_token(struct signing *signing, int32_t *code)
{
	struct loading *loading = signing->spend_owner;
	AUTO(buf) row = {.max = TOKEN_ANSWER_MAX};
	enum ks_error error = ask_plainly(signing, TOKEN_RESIDENT, code, &row);

	if (error == KS_OK && *code == TOKEN_CODE_OK)
		error = take_row(loading, buf_bytes(&row));
	return error;
}

/* ---- What is known of it from now on ---- */

static bool is_found(const struct loading *loading, const struct resident *resident)
{
	for (unsigned i = 0; i < loading->count; i++)
		if (bytes_equal(buf_bytes(&loading->found[i]->blob), buf_bytes(&resident->blob)))
			return true;
	return false;
}

/* Under the lock: all that was read from this token before, as far as can be told. */
static void forget_old(struct loading *loading)
{
	struct residents *residents = loading->residents;
	char groups[RESIDENTS_MAX][RESIDENT_GROUP_TEXT] = {0};
	unsigned count = 0;

	for (unsigned i = 0; i < RESIDENTS_MAX; i++)
		if (residents->at[i] != NULL && is_found(loading, residents->at[i]))
			strcpy(groups[count++], residents->at[i]->group);
	for (unsigned i = 0; i < RESIDENTS_MAX; i++)
		for (unsigned n = 0; n < count && residents->at[i] != NULL; n++)
			if (strcmp(residents->at[i]->group, groups[n]) == 0)
				residents_drop(residents, i);
}

static void remember(struct loading *loading)
{
	struct residents *residents = loading->residents;
	struct fido_token *token = loading->signing.token;
	unsigned place;
	json_t *file;

	pthread_mutex_lock(&residents->tokens->lock);
	forget_old(loading);
	memset(token->shows, 0, sizeof(token->shows));
	for (unsigned i = 0; i < loading->count; i++) {
		if (!residents_put(residents, loading->found[i], &place))
			continue;
		token->shows[place] = true;
		loading->found[i] = NULL;
	}
	token->asked = true;
	file = residents_file_of(residents);
	if (!token->gone)
		residents_report(residents, token);
	pthread_mutex_unlock(&residents->tokens->lock);
	residents_file_write(file);
	json_decref(file);
}

/* ---- One token ---- */

static void loading_init(struct loading *loading, struct residents *residents,
	struct ks_operation *operation, struct fido_token *token)
{
	*loading = (struct loading){.residents = residents};
	loading->signing = (struct signing){.operation = operation,
		.tokens = residents->tokens,
		.finder = residents->finder,
		.request = &loading->request,
		.token = token,
		.spend = read_token,
		.spend_owner = loading};
}

static void loading_deinit(struct loading *loading)
{
	for (unsigned i = 0; i < TOKEN_CREDENTIALS_MAX; i++)
		resident_free(loading->found[i]);
	loading->signing.pin = (struct secret){0};
}

static enum ks_error finish(struct loading *loading, enum ks_error error)
{
	if (error == KS_OK)
		remember(loading);
	if (error == KS_OK && loading->count == 0) {
		ks_explain(loading->signing.operation,
			"there is no resident key for SSH on the security key");
		error = KS_NO_KEY;
	}
	loading_deinit(loading);
	return error;
}

/* pin: the caller's; NULL: the person is asked. */
static enum ks_error load(struct residents *residents, struct ks_operation *operation,
	struct fido_token *token, const struct secret *pin, unsigned *asked)
{
	struct loading loading;
	enum ks_error error;

	loading_init(&loading, residents, operation, token);
	if (pin != NULL) {
		loading.signing.pin = *pin;
		error = pin_spend(&loading.signing);
	} else {
		loading.signing.pins_asked = *asked;
		error = pin_sign(&loading.signing, NULL);
		*asked = loading.signing.pins_asked;
	}
	return finish(&loading, error);
}

/* ---- Which ones ---- */

/* Taken, open, and such that a PIN opens what is on it; else given back. */
static bool take_readable(
	struct residents *residents, struct ks_operation *operation, struct fido_token *token)
{
	struct ks_sign request = {0};
	struct signing signing = {.operation = operation,
		.tokens = residents->tokens,
		.finder = residents->finder,
		.request = &request};

	if (tokens_take(residents->tokens, operation, false, &token, 1) != KS_OK)
		return false;
	if (ask_open(&signing, token) == KS_OK && token->session.info.fido2 &&
		token->session.info.pin_set)
		return true;
	token_give_back(residents->tokens, token);
	return false;
}

static enum ks_error none_readable(struct ks_operation *operation, size_t present)
{
	ks_explain(operation, present == 0 ? "no security key is plugged in"
					   : "no security key that is plugged in has a PIN, which "
					     "resident keys are read with");
	return KS_NO_TOKEN;
}

enum ks_error residents_load_with(
	struct residents *residents, struct ks_operation *operation, const struct secret *pin)
{
	struct fido_token *present[TOKENS_MAX];
	struct fido_token *readable[TOKENS_MAX];
	size_t readable_count = 0;
	unsigned none = 0;
	size_t count = tokens_present(residents->tokens, BYTES(NULL, 0), present);
	enum ks_error error;

	for (size_t i = 0; i < count; i++)
		if (take_readable(residents, operation, present[i]))
			readable[readable_count++] = present[i];
	if (readable_count == 1) {
		error = load(residents, operation, readable[0], pin, &none);
	} else if (readable_count == 0) {
		error = none_readable(operation, count);
	} else {
		ks_explain(operation, "several security keys are plugged in, and nobody said whose "
				      "PIN it is; keystile fido load asks for each");
		error = KS_UNSUPPORTED;
	}
	for (size_t i = 0; i < readable_count; i++)
		token_give_back(residents->tokens, readable[i]);
	for (size_t i = 0; i < count; i++)
		token_unreference(residents->tokens, present[i]);
	return error;
}

enum ks_error residents_none_called(struct ks_operation *operation)
{
	ks_explain(
		operation, "no security key that is plugged in has this device or serial number");
	return KS_NO_TOKEN;
}

enum ks_error residents_load_asking(
	struct residents *residents, struct ks_operation *operation, const char *name)
{
	struct fido_token *present[TOKENS_MAX];
	size_t count = tokens_present(residents->tokens, BYTES(NULL, 0), present);
	enum ks_error result = KS_NO_TOKEN;
	bool loaded = false;
	unsigned asked = 0; /* the agent takes no more in one operation */
	bool called = false;
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		bool meant = token_is_called(present[i], name);

		called = called || meant;
		if (meant && !ks_cancelled(operation) && asked < PINS_ASKED_MAX &&
			take_readable(residents, operation, present[i])) {
			any = true;
			result = load(residents, operation, present[i], NULL, &asked);
			loaded = loaded || result == KS_OK;
			token_give_back(residents->tokens, present[i]);
		}
		token_unreference(residents->tokens, present[i]);
	}
	if (name != NULL && !called)
		return residents_none_called(operation);
	if (!any)
		return none_readable(operation, count);
	return loaded ? KS_OK : result;
}
