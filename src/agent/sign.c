/*
 * A signature's journey through the agent. The order is CONFORMANCE's: every refusal that
 * needs no human first, then one prompt, then the token, then presence, signature and peer
 * are checked on what comes back.
 */
#include "sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "audit.h"
#include "audit_sign.h"
#include "known_hosts.h"
#include "prompt_text.h"
#include "provider.h"
#include "sign_check.h"

struct sign {
	struct request request; /* first: the connection knows only that */
	struct connection *connection;
	struct key *key;
	struct buf data;
	struct subject subject; /* borrows from data */
	enum ks_algorithm algorithm;
	struct policy_verdict verdict;
	unsigned long configured; /* the agent's, at the time of the verdict */
	uint32_t token;		  /* the worker's id, while SIGNING */
	struct worker *worker;
	struct known_hosts_wait *names; /* while what is known of the hosts is read */
	struct provider_wait *wait;
	struct operation *operation;
	struct prompt *prompt; /* confirmation or PIN */
	struct prompt *notice;
};

static void sign_free(struct sign *sign)
{
	if (sign->names != NULL)
		known_hosts_wait_abandon(sign->names);
	if (sign->wait != NULL)
		provider_wait_abandon(sign->wait);
	if (sign->prompt != NULL)
		prompt_withdraw(sign->prompt);
	if (sign->notice != NULL)
		prompt_withdraw(sign->notice);
	if (sign->operation != NULL)
		operation_abandon(sign->operation);
	key_release(&sign->key);
	buf_deinit(&sign->data);
	free(sign);
}

static void abandon(struct request *request)
{
	/* The request is the first member. */
	sign_free((struct sign *)request);
}

static void refuse(struct sign *sign, const char *reason, const char *remedy)
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
	refusals_add(
		&connection->agent->refusals, what != NULL ? what : "a signature", reason, remedy);
	audit_reason(connection, reason);
	sign->request.state = REQUEST_ANSWERED;
	sign_free(sign);
	connection_answer(connection, MESSAGE_FAILURE);
}

static bool remote(const struct sign *sign)
{
	return origin_remote(&sign->connection->origin);
}

/* The rules or the token may have become others while the request waited. */
static bool still_decided(struct sign *sign)
{
	const struct policy_verdict *before = &sign->verdict;
	struct policy_verdict now;

	/* Without a source it can't be decided, and what comes next says so. */
	if (key_source(sign->key) == NULL)
		return true;
	now = sign_decide(sign->connection, sign->key, &sign->subject, sign->algorithm);
	if (now.allowed && now.demand == before->demand && now.confirm == before->confirm)
		return true;
	refuse(sign,
		now.allowed ? "the rules or the token changed while the request waited"
			    : now.reason,
		now.allowed ? "try again" : now.remedy);
	return false;
}

/* A PIN or a touch takes its time, and the rules by which it was asked for may be gone. */
static bool configured_still(struct sign *sign)
{
	return sign->configured == sign->connection->agent->configured || still_decided(sign);
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

/* Invariant 6, second half: what was demanded has been given for this very request. */
static bool presence_given(const struct sign *sign, const struct operation *operation,
	const struct signature_facts *facts)
{
	uint32_t given = presence_signed(facts);

	audit_sign_presence(sign->connection, operation, facts);
	if (operation->pin_given && (operation->presence & KS_PRESENCE_PIN) != 0)
		given |= KS_PRESENCE_PIN;
	/* A module's own word about a touch is worth nothing. */
	if (operation->touch_noticed && (operation->presence & KS_PRESENCE_TOUCH) != 0 &&
		!operation->worker->needs->foreign_code)
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
	struct buf reply = {.max = MESSAGE_MAX};

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

	refuse(sign, why, "see the log; check the provider");
	worker_fail(worker, why);
}

static const char *remedy_for(enum ks_error error)
{
	switch (error) {
	case KS_PIN_NEEDED:
		return "give the PIN with ssh-add -s, or start the agent where it can ask "
		       "(SSH_ASKPASS, DISPLAY)";
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

static void refuse_error(struct sign *sign, enum ks_error error, struct bytes words)
{
	char quoted[TEXT_WORDS_MAX];
	char reason[512];

	snprintf(reason, sizeof(reason), "%s%s%s", ks_error_text(error), words.len > 0 ? ": " : "",
		words.len > 0 ? text_quote_words(words, quoted) : "");
	refuse(sign, reason, remedy_for(error));
}

static void on_done(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct sign *sign = operation->owner;
	struct signature_facts facts = {0};
	bool verify = operation->worker->needs->foreign_code || key_is_security_key(sign->key);

	sign->operation = NULL;
	if (error != KS_OK)
		refuse_error(sign, error, words);
	else if (operation->worker->needs->takes_keys && key_source(sign->key) == NULL)
		refuse(sign, "the key was removed before its signature was there", NULL);
	else if (verify && !signature_right(sign, result, &facts))
		refuse_and_fail(sign, "its signature was not made with the key that was asked for");
	else if (!presence_given(sign, operation, &facts))
		refuse_and_fail(sign, "it signed without the touch or PIN that was demanded");
	else if (!remote(sign) && !connection_peer_unchanged(sign->connection)) {
		origin_worsen(&sign->connection->origin, ORIGIN_CHANGED_PROCESS);
		refuse(sign, origin_words(ORIGIN_CHANGED_PROCESS), NULL);
	} else if (configured_still(sign))
		answer(sign, result);
}

/* ---- The person ---- */

static struct prompt_facts facts_for(const struct sign *sign, const struct token *token)
{
	return (struct prompt_facts){.token = token,
		.key = sign->key,
		.subject = &sign->subject,
		.origin = &sign->connection->origin,
		.peer = &sign->connection->peer,
		.binds = &sign->connection->binds,
		.tries_left = KS_TRIES_UNKNOWN};
}

/* An ssh forwards for one session; other programs that relay may be new processes each time. */
static char *path_of(const struct peer *peer)
{
	if (origin_peer_is_ssh(peer))
		return text_format(
			"ssh %d %llu", (int)peer->pid, (unsigned long long)peer->start_time);
	return strdup(peer->executable);
}

/* NULL when out of memory; the caller frees it. */
static char *text_of(const struct sign *sign, struct prompt_facts facts)
{
	struct host_names hosts[SESSION_BINDS_MAX] = {0};
	const struct connection *connection = sign->connection;
	const char *const *guesses = (const char *const *)connection->agent->config.rules.hosts;
	char *text = NULL;
	bool failed = false;

	for (size_t i = 0; i < connection->binds.count; i++) {
		hosts[i] = known_hosts_names(
			connection->agent->known_hosts, &connection->binds.records[i], guesses);
		failed |= hosts[i].failed;
	}
	facts.hosts = hosts;
	if (!failed)
		text = prompt_text(&facts);
	for (size_t i = 0; i < connection->binds.count; i++)
		host_names_deinit(&hosts[i]);
	return text;
}

static enum ks_error ask(struct sign *sign, enum prompt_kind kind, const struct prompt_facts *facts,
	prompt_answered *answered, struct prompt **out)
{
	AUTO(text) text = text_of(sign, *facts);
	AUTO(text) trouble = prompt_trouble(facts);
	AUTO(text) about = subject_text(&sign->subject);
	AUTO(text) path = remote(sign) ? path_of(&sign->connection->peer) : NULL;
	const char *words = "out of memory";
	enum ks_error error = KS_NO_MEMORY;
	struct prompt_wish wish = {.kind = kind,
		.text = text,
		.trouble = trouble,
		.about = about,
		.path = path,
		.answered = answered,
		.owner = sign};

	*out = NULL;
	if (text != NULL && trouble != NULL && about != NULL && (path != NULL || !remote(sign)))
		error = prompt_ask(sign->connection->agent, &wish, out, &words);
	if (error != KS_OK)
		log_warning("the person was not asked: %s", words);
	return error;
}

static void on_pin(void *owner, enum prompt_status status, int pin_fd)
{
	struct sign *sign = owner;
	enum ks_error verdict = status == PROMPT_YES ? KS_OK : KS_REFUSED;

	if (status == PROMPT_NOBODY)
		verdict = KS_PIN_NEEDED;
	sign->prompt = NULL;
	sign->request.state = REQUEST_SIGNING;
	operation_answer_pin(sign->operation, verdict, pin_fd);
}

/*
 * The token that signs, while its worker says that the key is there; NULL for every other. The key
 * may have got another source meanwhile, whose token must not be named for a PIN that this worker
 * gets.
 */
static struct token *signing_token(const struct sign *sign, uint32_t token_id)
{
	for (struct key_source *source = sign->key->sources; source != NULL; source = source->next)
		if (!source->hidden && source->token->provider->worker == sign->worker &&
			source->token->id == token_id && token_id == sign->token)
			return source->token;
	return NULL;
}

static void on_ask_pin(
	struct operation *operation, uint32_t token_id, int32_t tries_left, bool retry)
{
	struct sign *sign = operation->owner;
	struct token *token = signing_token(sign, token_id);
	struct prompt_facts facts = facts_for(sign, token);
	enum ks_error error = KS_NO_TOKEN;

	if (token != NULL) {
		facts.what = PROMPT_FOR_PIN;
		facts.tries_left = tries_left;
		facts.retry = retry;
		error = ask(sign, PROMPT_PIN, &facts, on_pin, &sign->prompt);
	}
	if (error == KS_OK)
		sign->request.state = REQUEST_ASKING;
	else
		operation_answer_pin(operation, error, -1);
}

/* Closed by the person or over its time; the token still waits. */
static void on_notice_gone(void *owner, enum prompt_status status, int pin_fd)
{
	struct sign *sign = owner;

	(void)status;
	(void)pin_fd;
	sign->notice = NULL;
}

static void on_touch(struct operation *operation, uint32_t token_id, bool awaited)
{
	struct sign *sign = operation->owner;
	struct token *token = signing_token(sign, token_id);
	struct prompt_facts facts = facts_for(sign, token);
	enum ks_error error = KS_NO_TOKEN;

	if (sign->notice != NULL)
		prompt_withdraw(sign->notice);
	sign->notice = NULL;
	if (!awaited)
		return;
	facts.what = PROMPT_FOR_TOUCH;
	if (token != NULL)
		error = ask(sign, PROMPT_NOTICE, &facts, on_notice_gone, &sign->notice);
	/* Here, the light on the token is notice enough for who sits before it. */
	operation_answer_touch(
		operation, remote(sign) && sign->verdict.demand != 0 ? error : KS_OK);
}

static const struct operation_events operation_events = {
	.done = on_done,
	.ask_pin = on_ask_pin,
	.touch = on_touch,
};

/* ---- The way there ---- */

/*
 * The name by which the worker knows the key: a token knows nothing of the certificates that came
 * with ssh-add -C.
 */
static struct bytes blob_for(const struct sign *sign, const struct key_source *source)
{
	const struct public_key *key = key_public(sign->key);
	bool added = source->token->provider->needs->takes_keys;

	return buf_bytes(key == NULL || added ? &sign->key->blob : &key->plain);
}

static void hand_to_worker(struct sign *sign)
{
	struct key_source *source = key_source(sign->key);
	struct frame frame = {.type = FRAME_SIGN};
	enum ks_error error;

	if (source == NULL || source->token->provider->state != PROVIDER_READY) {
		refuse_error(sign, KS_NO_TOKEN, bytes_of(NULL));
		return;
	}
	sign->token = source->token->id;
	sign->worker = source->token->provider->worker;
	audit_token(sign->connection, source->token);
	sign->request.state = REQUEST_SIGNING;
	frame.sign.token = sign->token;
	frame.sign.algorithm = (uint32_t)sign->algorithm;
	frame.sign.demand = sign->verdict.demand;
	frame.sign.blob = blob_for(sign, source);
	frame.sign.data = buf_bytes(&sign->data);
	error = worker_operate(sign->worker,
		&(struct operation_wish){.frame = &frame,
			.fd = -1,
			.remote = remote(sign),
			.events = &operation_events,
			.owner = sign},
		&sign->operation);
	if (error != KS_OK)
		refuse_error(sign, error, bytes_of("too many requests wait for this token"));
}

static void on_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct sign *sign = owner;

	(void)provider;
	sign->wait = NULL;
	if (error != KS_OK)
		refuse_error(sign, error, bytes_of(words));
	else if (still_decided(sign))
		hand_to_worker(sign);
}

/* The worker may just be starting again after a crash. */
static void wait_for_worker(struct sign *sign)
{
	struct key_source *source = key_source(sign->key);
	struct provider *provider = source == NULL ? NULL : source->token->provider;

	sign->request.state = REQUEST_WAITING;
	if (provider == NULL) {
		refuse_error(sign, KS_NO_TOKEN, bytes_of(NULL));
	} else if (provider->state == PROVIDER_READY) {
		hand_to_worker(sign);
	} else if (provider->state == PROVIDER_WAITING && provider->failures > 1) {
		refuse(sign, provider->last_error, "its worker is started again soon");
	} else {
		sign->wait = provider_wait(provider, on_opened, sign);
		if (sign->wait == NULL)
			refuse_error(sign, KS_NO_MEMORY, bytes_of(NULL));
	}
}

static struct approval_scope scope_of(const struct sign *sign)
{
	return (struct approval_scope){.rule = sign->verdict.rule,
		.key_blob = buf_bytes(&sign->key->blob),
		.subject = &sign->subject,
		.peer = &sign->connection->peer};
}

static bool remembered(const struct sign *sign)
{
	struct approval_scope scope = scope_of(sign);

	if (sign->verdict.remember_s == 0 || remote(sign) ||
		!approvals_cover(&sign->connection->agent->approvals, &scope, expiry_now_ms()))
		return false;
	audit_sign_remembered(sign->connection);
	return true;
}

static void remember(const struct sign *sign)
{
	struct approval_scope scope = scope_of(sign);

	if (sign->verdict.remember_s > 0 && !remote(sign))
		approvals_add(&sign->connection->agent->approvals, &scope, expiry_now_ms(),
			(uint64_t)sign->verdict.remember_s * 1000);
}

static void on_confirmed(void *owner, enum prompt_status status, int pin_fd)
{
	struct sign *sign = owner;

	(void)pin_fd;
	sign->prompt = NULL;
	if (status != PROMPT_YES) {
		refuse(sign, "the person did not allow it", NULL);
	} else if (still_decided(sign)) {
		audit_sign_confirmed(sign->connection);
		remember(sign);
		wait_for_worker(sign);
	}
}

static void confirm(struct sign *sign)
{
	struct key_source *source = key_source(sign->key);
	struct prompt_facts facts = facts_for(sign, source->token);

	facts.what = PROMPT_FOR_CONFIRM;
	facts.remember_s = sign->verdict.remember_s;
	sign->request.state = REQUEST_CONFIRMING;
	if (ask(sign, PROMPT_CONFIRM, &facts, on_confirmed, &sign->prompt) != KS_OK)
		refuse(sign, "the key must be confirmed, and nobody could be asked",
			"start the agent where it can ask (SSH_ASKPASS, DISPLAY)");
}

static void decide(struct sign *sign)
{
	struct connection *connection = sign->connection;

	/* It may have gone while known_hosts were read. */
	if (key_source(sign->key) == NULL) {
		refuse_error(sign, KS_NO_TOKEN, bytes_of(NULL));
		return;
	}
	sign->verdict = sign_decide(connection, sign->key, &sign->subject, sign->algorithm);
	sign->configured = connection->agent->configured;
	audit_sign_verdict(connection, &sign->verdict);
	if (!sign->verdict.allowed)
		refuse(sign, sign->verdict.reason, sign->verdict.remedy);
	else if (sign->verdict.confirm && !remembered(sign))
		confirm(sign);
	else
		wait_for_worker(sign);
}

static void on_names(void *owner)
{
	struct sign *sign = owner;

	sign->names = NULL;
	decide(sign);
}

static struct sign *sign_new(
	struct connection *connection, struct key *key, const struct message_sign *message)
{
	struct sign *sign = calloc(1, sizeof(*sign));

	if (sign == NULL)
		return NULL;
	*sign = (struct sign){
		.request = {.state = REQUEST_BEGUN, .refused_by_lock = true, .abandon = abandon},
		.connection = connection,
		.key = key_reference(key),
		.algorithm = sign_algorithm(key->kind, message->flags)};
	buf_put(&sign->data, message->data);
	if (buf_status(&sign->data) == KS_OK)
		return sign;
	sign_free(sign);
	return NULL;
}

void sign_begin(struct connection *connection, const struct message_sign *message)
{
	struct key *key = keyring_find(&connection->agent->keyring, message->blob);
	const struct public_key *public_key = key == NULL ? NULL : key_public(key);
	struct sign *sign = public_key == NULL ? NULL : sign_new(connection, key, message);

	if (sign == NULL) {
		audit_key(connection, message->blob, NULL);
		audit_reason(connection, "there is no such key");
		connection_answer(connection, MESSAGE_FAILURE);
		return;
	}
	subject_parse(buf_bytes(&sign->data), message->blob, public_key, &sign->subject);
	sign_check_ssh(connection, &sign->subject);
	audit_sign(connection, key, &sign->subject, sign->data.len);
	connection->request = &sign->request;
	if (connection->binds.count > 0)
		sign->names = known_hosts_await(connection->agent->known_hosts, on_names, sign);
	if (sign->names == NULL)
		decide(sign);
}
