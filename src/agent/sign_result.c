/*
 * How a signature's journey ends: what the worker brought back is held against what was asked for
 * and demanded, then the answer leaves, or the refusal with its reason.
 */
#include <stdio.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "agent.h"
#include "audit.h"
#include "audit_sign.h"
#include "login_release.h"
#include "prompt_text.h"
#include "sign_journey.h"

void sign_refuse(struct sign *sign, const char *reason, const char *remedy)
{
	struct connection *connection = sign->connection;
	AUTO(text) subject = subject_text(&sign->subject);
	AUTO(text) fingerprint = public_key_fingerprint(buf_bytes(&sign->key->blob));
	const char *rule = sign->verdict.rule;
	AUTO(text) what = NULL;

	what = text_format("key %s, %s, connection %llu (%s)%s%s",
		fingerprint != NULL ? fingerprint : "", subject != NULL ? subject : "",
		(unsigned long long)connection->id, origin_words(connection->origin.rule),
		rule[0] != '\0' ? ", rule " : "", rule);
	refusals_add(&connection->agent->refusals, &connection->peer,
		what != NULL ? what : "a signature", reason, remedy);
	audit_reason(connection, reason);
	sign->request.state = REQUEST_ANSWERED;
	sign_free(sign);
	connection_answer(connection, MESSAGE_FAILURE);
}

static const char *remedy_for(enum ks_error error)
{
	switch (error) {
	case KS_PIN_NEEDED:
		return "give the PIN with ssh-add -s, run `keystile env --update` in your desktop "
		       "session, or start the agent where it can ask (SSH_ASKPASS, DISPLAY)";
	case KS_PIN_WRONG:
		return "try again with the right PIN; a wrong one is never sent twice";
	case KS_PIN_LAST_TRY:
		return "log in with the token's own tool to get the tries back";
	case KS_PIN_BLOCKED:
		return "unblock the PIN with the token's own tool (PUK)";
	case KS_NO_TOKEN:
		return "insert the token";
	case KS_TIMEOUT:
		return "try again; operation-timeout is in keystile.conf(5)";
	default:
		return NULL;
	}
}

void sign_refuse_error(struct sign *sign, enum ks_error error, struct bytes words)
{
	char quoted[TEXT_WORDS_MAX];
	char reason[512];
	bool unasked = error == KS_BUSY || error == KS_REFUSED || error == KS_PIN_NEEDED;
	const char *why = unasked ? sign->not_asked : NULL;

	if (words.len > 0)
		why = text_quote_words(words, quoted);
	snprintf(reason, sizeof(reason), "%s%s%s", ks_error_text(error), why != NULL ? ": " : "",
		why != NULL ? why : "");
	sign_refuse(sign, reason, remedy_for(error));
}

/* ---- The result ---- */

/* What a security key signed of the person's presence: nobody else's word is needed. */
static uint32_t presence_signed(const struct signature_facts *facts)
{
	uint32_t given = 0;

	if (facts->security_key && (facts->sk_flags & SK_FLAG_USER_PRESENT) != 0)
		given |= KS_PRESENCE_TOUCH;
	if (facts->security_key && (facts->sk_flags & SK_FLAG_USER_VERIFIED) != 0)
		given |= KS_PRESENCE_PIN;
	return given;
}

/*
 * A module's own word about a touch is worth nothing, unless the touch is proven: a verdict demands
 * none of a key that can't prove one.
 */
static bool touch_counts(const struct sign *sign, const struct operation *operation)
{
	if (!operation->touch_noticed || (operation->presence & KS_PRESENCE_TOUCH) == 0)
		return false;
	return !operation->worker->needs->foreign_code ||
	       (!key_is_security_key(sign->key) && (sign->verdict.demand & KS_PRESENCE_TOUCH) != 0);
}

/* Invariant 6, second half: what was demanded has been given for this very request. */
static bool presence_given(const struct sign *sign, const struct operation *operation,
	const struct signature_facts *facts)
{
	uint32_t given = 0;

	audit_sign_presence(sign->connection, operation, facts);
	/* From afar, a finger that nobody was told of was meant for something else. */
	if (!sign_remote(sign) || operation->touch_noticed || operation->pin_given)
		given = presence_signed(facts);
	if (operation->pin_given && (operation->presence & KS_PRESENCE_PIN) != 0)
		given |= KS_PRESENCE_PIN;
	/* Nobody's word about a PIN pad is worth anything. */
	if (touch_counts(sign, operation))
		given |= KS_PRESENCE_TOUCH;
	return sign->verdict.demand == 0 || (sign->verdict.demand & given) != 0;
}

static bool signature_right(
	const struct sign *sign, struct bytes signature, struct signature_facts *facts)
{
	const struct config *config = &sign->connection->agent->config;

	unsigned permitted = (config->allow_rsa_sha1 ? PERMIT_RSA_SHA1 : 0) |
			     (config->allow_ssh_dss ? PERMIT_DSS : 0);

	return public_key_verify(key_public(sign->key), signature, buf_bytes(&sign->data),
		       permitted, facts) == KS_OK &&
	       facts->algorithm == sign->algorithm;
}

static void answer(struct sign *sign, struct bytes signature)
{
	struct connection *connection = sign->connection;
	struct token *token = sign_token_in_use(sign, sign->token);
	struct buf reply = {.max = MESSAGE_MAX};

	if (token != NULL)
		login_release_used(token);
	buf_put_u8(&reply, MESSAGE_SIGN_REPLY);
	buf_put_string(&reply, signature);
	sign->request.state = REQUEST_ANSWERED;
	sign_free(sign);
	connection_reply(connection, &reply);
}

/* A worker that signs with another key or vouches for nothing is not to be trusted any longer. */
static void refuse_and_fail(struct sign *sign, const char *why)
{
	struct worker *worker = sign->worker;

	sign_refuse(sign, why, "see the log; check the provider");
	worker_fail(worker, why);
}

/* A PIN or a touch takes its time, and the rules by which it was asked for may be gone. */
static bool configured_still(struct sign *sign)
{
	return sign->configured == sign->connection->agent->configured || sign_still_decided(sign);
}

static void note_counter(struct sign *sign, const struct signature_facts *facts)
{
	struct connection *connection = sign->connection;
	uint32_t was = 0;

	if (counters_went_back(
		    &connection->agent->counters, buf_bytes(&sign->key->blob), facts, &was))
		audit_sign_counter(connection, was, facts->sk_counter);
}

void sign_done(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct sign *sign = operation->owner;
	struct signature_facts facts = {0};
	bool verify = operation->worker->needs->foreign_code || key_is_security_key(sign->key);

	sign->operation = NULL;
	if (error == KS_NO_TOKEN && sign_token_left(sign))
		sign_await_token(sign);
	else if (error == KS_HELD)
		sign_held(sign, words);
	else if (error != KS_OK)
		sign_refuse_error(sign, error, words);
	else if (operation->worker->needs->takes_keys && key_source(sign->key) == NULL)
		sign_refuse(sign, "the key was removed before its signature was there", NULL);
	else if (verify && !signature_right(sign, result, &facts))
		refuse_and_fail(sign, "its signature was not made with the key that was asked for");
	else if (!presence_given(sign, operation, &facts))
		refuse_and_fail(sign, "it signed without the touch or PIN that was demanded");
	else if (!sign_remote(sign) && !connection_peer_unchanged(sign->connection)) {
		origin_worsen(&sign->connection->origin, ORIGIN_CHANGED_PROCESS);
		sign_refuse(sign, origin_words(ORIGIN_CHANGED_PROCESS), NULL);
	} else if (configured_still(sign)) {
		note_counter(sign, &facts);
		answer(sign, result);
	}
}
