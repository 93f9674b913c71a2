/*
 * Security keys as JSON: docs/PROTOCOL.md.
 */
#include "admin.h"

#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "code.h"
#include "signing.h"

#define COSE_ES256 (-7)
#define COSE_EDDSA (-8)

/* One token, and what is said of it. */
struct report {
	struct signing signing;
	struct ks_sign request;
	json_t *token;
	json_t *keys;
};

static json_t *shown(const char *text)
{
	json_t *json = json_string(text);

	return json != NULL ? json : json_string("?");
}

/* ---- What it is ---- */

static json_t *versions_of(struct bytes row)
{
	struct reader in = reader_of(row);
	json_t *list = json_array();

	while (in.left > 0 && !in.failed) {
		struct bytes name = reader_string(&in);

		json_array_append_new(list, json_stringn((const char *)name.data, name.len));
	}
	return list;
}

static json_t *algorithms_of(struct bytes row)
{
	struct reader in = reader_of(row);
	json_t *list = json_array();

	while (in.left > 0 && !in.failed) {
		int32_t cose = (int32_t)reader_u32(&in);

		json_array_append_new(list, cose == COSE_ES256 ? json_string("ecdsa-sk")
					    : cose == COSE_EDDSA
						    ? json_string("ed25519-sk")
						    : json_sprintf("COSE %d", (int)cose));
	}
	return list;
}

static json_t *options_of(struct bytes row)
{
	struct reader in = reader_of(row);
	json_t *object = json_object();

	while (in.left > 0 && !in.failed) {
		struct bytes name = reader_string(&in);
		AUTO(text) text = strndup((const char *)name.data, name.len);
		bool value = reader_bool(&in);

		if (text != NULL)
			json_object_set_new(object, text, json_boolean(value));
	}
	return object;
}

static void put_number(json_t *token, const char *name, uint32_t number)
{
	if (number != TOKEN_NUMBER_UNKNOWN)
		json_object_set_new(token, name, json_integer(number));
}

static void put_description(json_t *token, const struct token_description *said)
{
	char aaguid[2 * TOKEN_AAGUID_BYTES + 1] = "";

	text_hex(said->aaguid, aaguid);
	json_object_set_new(token, "aaguid", json_string(aaguid));
	json_object_set_new(token, "firmware", json_integer((json_int_t)said->firmware));
	json_object_set_new(token, "pin_change", json_boolean(said->pin_change));
	json_object_set_new(token, "lists_keys", json_boolean(said->credentials));
	json_object_set_new(token, "versions", versions_of(said->versions));
	json_object_set_new(token, "algorithms", algorithms_of(said->algorithms));
	json_object_set_new(token, "options", options_of(said->options));
	put_number(token, "pin_tries", said->pin_tries);
	put_number(token, "fingerprint_tries", said->finger_tries);
	put_number(token, "pin_min", said->pin_min);
	put_number(token, "room", said->rooms_left);
}

static enum ks_error describe(struct report *report)
{
	const struct token_info *info = &report->signing.token->session.info;
	AUTO(buf) body = {.max = TOKEN_ANSWER_MAX};
	struct token_description said;
	enum ks_error error;
	int32_t code;

	json_object_set_new(report->token, "fido2", json_boolean(info->fido2));
	json_object_set_new(report->token, "pin_set", json_boolean(info->pin_set));
	if (!info->fido2)
		return KS_OK;
	error = ask_plainly(&report->signing, TOKEN_DESCRIBE, &code, &body);
	if (error == KS_OK)
		error = code_error(report->signing.operation, code);
	if (error == KS_OK)
		error = token_description_decode(buf_bytes(&body), &said);
	if (error == KS_OK)
		put_description(report->token, &said);
	return error;
}

/* ---- What is on it ---- */

static void put_key(struct report *report, const struct token_credential *credential)
{
	struct resident *resident = resident_of_token(credential, "", "");
	AUTO(text) fingerprint = NULL;
	AUTO(text) application =
		strndup((const char *)credential->application.data, credential->application.len);

	if (resident != NULL)
		fingerprint = public_key_fingerprint(buf_bytes(&resident->blob));
	if (fingerprint != NULL && application != NULL)
		json_array_append_new(report->keys,
			json_pack("{s:s,s:s,s:o,s:o,s:b}", "fingerprint", fingerprint, "type",
				credential->ed25519 ? "ed25519-sk" : "ecdsa-sk", "application",
				shown(application), "user", shown(resident->user), "verify",
				credential->hidden));
	resident_free(resident);
}

static enum ks_error read_keys(struct signing *signing, int32_t *code)
{
	struct report *report = signing->spend_owner;
	AUTO(buf) row = {.max = TOKEN_ANSWER_MAX};
	enum ks_error error = ask_plainly(signing, TOKEN_RESIDENT, code, &row);
	struct reader in = reader_of(buf_bytes(&row));
	struct token_credential credential;

	if (error != KS_OK || *code != TOKEN_CODE_OK)
		return error;
	while (in.left > 0 && !in.failed)
		if (token_credential_decode(&in, &credential) == KS_OK)
			put_key(report, &credential);
	return KS_OK;
}

static enum ks_error list_keys(struct report *report)
{
	const json_t *lists = json_object_get(report->token, "lists_keys");

	if (!report->signing.token->session.info.pin_set || !json_is_true(lists))
		return KS_OK;
	report->keys = json_array();
	json_object_set_new(report->token, "keys", report->keys);
	report->signing.spend = read_keys;
	report->signing.spend_owner = report;
	return pin_sign(&report->signing, NULL);
}

/* ---- All of them ---- */

static json_t *known_of(const struct fido_token *token)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:b}", "node", shown(token->path), "product",
		shown(token->product), "manufacturer", shown(token->manufacturer), "serial",
		shown(token->serial), "busy", 0);
}

static enum ks_error report_taken(struct report *report, bool pin)
{
	enum ks_error error = ask_open(&report->signing, report->signing.token);

	if (error == KS_OK)
		error = describe(report);
	if (error == KS_OK && pin)
		return list_keys(report);
	/* The others are shown all the same. */
	if (error == KS_BUSY)
		json_object_set_new(report->token, "busy", json_true());
	else if (error != KS_OK)
		json_object_set_new(report->token, "trouble", json_string(ks_error_text(error)));
	return error == KS_CANCELLED ? error : KS_OK;
}

static enum ks_error report_token(struct residents *residents, struct ks_operation *operation,
	struct fido_token *token, bool pin, json_t *list)
{
	struct report report = {.token = known_of(token)};
	enum ks_error error = tokens_take(residents->tokens, operation, false, &token, 1);

	json_array_append_new(list, report.token);
	report.signing = (struct signing){.operation = operation,
		.tokens = residents->tokens,
		.finder = residents->finder,
		.request = &report.request,
		.patient = true,
		.token = token};
	if (error == KS_NO_TOKEN)
		return KS_OK;
	if (error != KS_OK)
		return error;
	error = report_taken(&report, pin);
	token_give_back(residents->tokens, token);
	return error;
}

enum ks_error admin_list(struct residents *residents, struct ks_operation *operation,
	const char *name, bool pin, json_t *answer)
{
	struct fido_token *present[TOKENS_MAX];
	json_t *list = json_array();
	enum ks_error error = KS_OK;
	size_t count;

	if (json_object_set_new(answer, "tokens", list) != 0)
		return KS_NO_MEMORY;
	finder_look(residents->finder);
	count = tokens_present(residents->tokens, BYTES(NULL, 0), present);
	for (size_t i = 0; i < count; i++) {
		if (error == KS_OK && token_is_called(present[i], name))
			error = report_token(residents, operation, present[i], pin, list);
		token_unreference(residents->tokens, present[i]);
	}
	if (error == KS_OK && name != NULL && json_array_size(list) == 0)
		return residents_none_called(operation);
	return error;
}
