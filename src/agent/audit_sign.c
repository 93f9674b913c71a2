/*
 * See audit_sign.h. Of the data to be signed only what it was recognised as is recorded.
 */
#include "audit_sign.h"

#include "audit.h"
#include "prompt_text.h"

static json_t *subject_json(const struct subject *subject, size_t len)
{
	json_int_t bytes = (json_int_t)len;

	switch (subject->kind) {
	case SUBJECT_LOGIN:
		return json_pack("{s:s,s:o,s:b,s:I}", "kind", "login", "user",
			audit_text(subject->user), "by_certificate", subject->by_certificate,
			"bytes", bytes);
	case SUBJECT_SSHSIG:
		return json_pack("{s:s,s:o,s:o,s:I}", "kind", "sshsig", "namespace",
			audit_text(subject->sign_namespace), "hash", audit_text(subject->hash_name),
			"bytes", bytes);
	case SUBJECT_CERTIFICATE:
		return json_pack("{s:s,s:I}", "kind", "certificate", "bytes", bytes);
	case SUBJECT_UNRECOGNISED:
		break;
	}
	return json_pack("{s:s,s:I}", "kind", "unrecognised", "bytes", bytes);
}

/* A login that names no host's key goes anywhere; one that was not bound proves nothing. */
static json_t *destination_json(const struct subject *subject, const struct session_binds *binds)
{
	json_t *destination = json_pack("{s:b}", "proven", destination_proven(subject, binds));

	if (subject->hostbound && destination != NULL &&
		json_object_set_new(
			destination, "host_key", audit_fingerprint(subject->host_key)) != 0) {
		json_decref(destination);
		return NULL;
	}
	return destination;
}

static json_t *demand_json(const struct policy_verdict *verdict)
{
	json_t *demand = json_array();

	if ((verdict->demand & KS_PRESENCE_TOUCH) != 0)
		json_array_append_new(demand, json_string("touch"));
	if ((verdict->demand & KS_PRESENCE_PIN) != 0)
		json_array_append_new(demand, json_string("pin"));
	if (verdict->confirm)
		json_array_append_new(demand, json_string("confirmation"));
	return demand;
}

void audit_sign(struct connection *connection, const struct key *key, const struct subject *subject,
	size_t len)
{
	struct key_source *source = key_source(key);

	if (connection->audit == NULL)
		return;
	audit_key(connection, buf_bytes(&key->blob), key->comment);
	if (source != NULL)
		audit_token(connection, source->token);
	audit_set(connection, "subject", subject_json(subject, len));
	if (subject->kind == SUBJECT_LOGIN)
		audit_set(connection, "destination", destination_json(subject, &connection->binds));
}

void audit_sign_verdict(struct connection *connection, const struct policy_verdict *verdict)
{
	if (connection->audit == NULL)
		return;
	audit_set(connection, "demand", demand_json(verdict));
	if (verdict->rule[0] != '\0')
		audit_set(connection, "rule", audit_text(bytes_of(verdict->rule)));
	if (verdict->reason != NULL)
		audit_reason(connection, verdict->reason);
}

void audit_sign_remembered(struct connection *connection)
{
	audit_attest(connection, "remembered-confirmation", "agent");
}

void audit_sign_remember(struct connection *connection, uint32_t seconds)
{
	audit_set(connection, "remember_seconds", json_integer(seconds));
}

void audit_sign_unlocked(struct connection *connection, bool typed)
{
	audit_set(connection, "unlocked_by", json_string(typed ? "prompt" : "message"));
}

void audit_sign_counter(struct connection *connection, uint32_t was, uint32_t is)
{
	audit_set(connection, "counter_went_back",
		json_pack("{s:I,s:I}", "from", (json_int_t)was, "to", (json_int_t)is));
}

void audit_sign_confirmed(struct connection *connection)
{
	audit_attest(connection, "confirmation", "agent");
}

void audit_sign_presence(struct connection *connection, const struct operation *operation,
	const struct signature_facts *facts)
{
	bool signed_by_key = facts->security_key;

	if (signed_by_key && (facts->sk_flags & SK_FLAG_USER_PRESENT) != 0)
		audit_attest(connection, "touch", "signature");
	else if ((operation->presence & KS_PRESENCE_TOUCH) != 0)
		audit_attest(connection, "touch", "worker");
	if (signed_by_key && (facts->sk_flags & SK_FLAG_USER_VERIFIED) != 0)
		audit_attest(connection, "pin", "signature");
	/* The agent knows of each PIN that it handed over, the worker that the token took it. */
	else if (operation->pin_given && (operation->presence & KS_PRESENCE_PIN) != 0)
		audit_attest(connection, "pin", "agent");
	if ((operation->presence & KS_PRESENCE_PIN_PAD) != 0)
		audit_attest(connection, "pin-pad", "worker");
}
