/*
 * See status_keys.h.
 */
#include "status_keys.h"

#include <string.h>
#include <time.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "agent.h"
#include "foreign_text.h"
#include "key_usage.h"
#include "offer.h"
#include "provider.h"
#include "sign_check.h"
#include "token_card.h"
#include "token_report.h"

#define WITHHELD_SHOWN_MAX 2048

json_t *status_time_json(uint64_t seconds)
{
	time_t when = (time_t)(seconds < KS_TIME_MAX ? seconds : KS_TIME_MAX);
	struct tm parts;
	char text[32];

	if (gmtime_r(&when, &parts) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return json_string("");
	return json_string(text);
}

const char *status_validity(uint64_t from, uint64_t to)
{
	uint64_t now = (uint64_t)time(NULL);

	if (now > to)
		return "expired";
	return now < from ? "not yet valid" : "valid";
}

/* By their names, and digits where none is known. */
static json_t *usages_json(const char *usages)
{
	json_t *list = json_array();

	for (; usages[0] != '\0'; usages += usages[0] == ',') {
		struct bytes oid = BYTES((const uint8_t *)usages, strcspn(usages, ","));
		const char *name = key_usage_name(oid);

		json_array_append_new(
			list, name != NULL ? json_string(name) : json_stringn(usages, oid.len));
		usages += oid.len;
	}
	return list;
}

/* null where there is none. */
static json_t *x509_json(const struct ks_certificate *certificate)
{
	if (certificate == NULL)
		return json_null();
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:s,s:I}", "subject",
		foreign_text(certificate->subject), "issuer", foreign_text(certificate->issuer),
		"usages", usages_json(certificate->usages), "not_before",
		status_time_json(certificate->not_before), "not_after",
		status_time_json(certificate->not_after), "state",
		status_validity(certificate->not_before, certificate->not_after), "others",
		(json_int_t)certificate->others);
}

/* What is known of a key before anybody says whether it is offered. */
static json_t *known_json(struct bytes blob, const char *comment, const struct token *token)
{
	const struct ks_key *reported = token_report_find(token->report, blob);
	AUTO(text) fingerprint = public_key_fingerprint(blob);
	struct public_key *key = NULL;
	json_t *json;

	/* Not kept with the key: status is asked for rarely, and keys are many. */
	if (public_key_parse(blob, &key) != KS_OK)
		return NULL;
	json = json_pack("{s:s,s:s,s:i,s:b,s:o,s:o,s:o,s:s,s:o}", "fingerprint",
		fingerprint != NULL ? fingerprint : "", "type", key_kind_label(key->kind), "bits",
		(int)public_key_bits(key), "certificate", key->certificate, "comment",
		foreign_text(comment), "provider", foreign_text(token->provider->name), "token",
		foreign_text(token->label), "id",
		reported != NULL && reported->id != NULL ? reported->id : "", "x509",
		x509_json(reported != NULL ? reported->certificate : NULL));
	public_key_free(&key);
	return json;
}

/* ---- Offered ---- */

/* By what a person can prove to be there when it signs: what remote requests need. */
static json_t *proves_json(const struct key *key)
{
	uint32_t provable = sign_provable(key);
	json_t *list = json_array();

	if ((provable & KS_PRESENCE_TOUCH) != 0)
		json_array_append_new(list, json_string("touch"));
	if ((provable & KS_PRESENCE_PIN) != 0)
		json_array_append_new(list, json_string("pin"));
	return list;
}

/* What its card says of it; a certificate's key is what the card has. */
static json_t *card_json(const struct key *key, const struct token *token)
{
	struct public_key *parsed = NULL;
	json_t *json;

	if (token->card == NULL || public_key_parse(buf_bytes(&key->blob), &parsed) != KS_OK)
		return json_null();
	json = token_card_key_json(token, buf_bytes(&parsed->plain));
	public_key_free(&parsed);
	return json;
}

static json_t *key_json(const struct key *key, const struct key_source *source)
{
	json_t *json = known_json(buf_bytes(&key->blob), key->comment, source->token);
	int reserves = -1;

	for (const struct key_source *other = key->sources; other != NULL; other = other->next)
		reserves += !other->hidden;
	json_object_set_new(json, "reserves", json_integer(reserves));
	json_object_set_new(json, "proves", proves_json(key));
	json_object_set_new(json, "card", card_json(key, source->token));
	return json;
}

json_t *status_keys_json(const struct agent *agent)
{
	json_t *list = json_array();

	for (const struct key *key = agent->keyring.first; key != NULL; key = key->next)
		if (key_source(key) != NULL && !key_outdated(key))
			json_array_append_new(list, key_json(key, key_source(key)));
	return list;
}

/* ---- Kept back ---- */

static void append(json_t *list, json_t *json, const char *reason)
{
	if (json_array_size(list) < WITHHELD_SHOWN_MAX && json != NULL) {
		json_object_set_new(json, "reason", foreign_text(reason));
		json_array_append_new(list, json);
	} else {
		json_decref(json);
	}
}

static void append_ruled_out(json_t *list, const struct token *token)
{
	const struct token_report *report = token->report;

	for (size_t i = 0; report != NULL && i < report->count; i++) {
		const struct ks_key *key = &report->keys[i];
		const char *section, *option = offer_refusal(token, key, &section);
		AUTO(text) reason = NULL;

		if (option == NULL)
			continue;
		reason = text_format("%s in provider %s of keystile.conf", option, section);
		append(list, known_json(key->blob, key->label, token), reason);
	}
}

json_t *status_withheld_json(const struct agent *agent)
{
	json_t *list = json_array();

	for (const struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		for (const struct token *token = provider->tokens; token != NULL;
			token = token->next)
			append_ruled_out(list, token);
	for (const struct key *key = agent->keyring.first; key != NULL; key = key->next)
		if (key_source(key) != NULL && key_outdated(key))
			append(list,
				known_json(buf_bytes(&key->blob), key->comment,
					key_source(key)->token),
				(uint64_t)time(NULL) > key->public_key->valid_after
					? "the certificate has expired"
					: "the certificate is not valid yet");
	return list;
}
