/*
 * A signature's journey through the agent. The order is CONFORMANCE's: every refusal that
 * needs no human first, then one prompt, then the token, then presence, signature and peer
 * are checked on what comes back.
 */
#include "sign.h"

#include <stdlib.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "agent.h"
#include "audit.h"
#include "audit_sign.h"
#include "insertion.h"
#include "known_hosts.h"
#include "lock.h"
#include "provider.h"
#include "sign_check.h"
#include "sign_journey.h"

void sign_free(struct sign *sign)
{
	if (sign->names != NULL)
		known_hosts_wait_abandon(sign->names);
	if (sign->prompt != NULL)
		prompt_withdraw(sign->prompt);
	if (sign->unlock != NULL)
		unlock_wait_abandon(sign->unlock);
	if (sign->wait != NULL)
		provider_wait_abandon(sign->wait);
	if (sign->insertion != NULL)
		insertion_abandon(sign->insertion);
	sign_touch_end(sign);
	sign_held_abandon(sign);
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

bool sign_remote(const struct sign *sign)
{
	return origin_remote(&sign->connection->origin);
}

bool sign_still_decided(struct sign *sign)
{
	const struct policy_verdict *before = &sign->verdict;
	struct policy_verdict now;

	/* Without a source it can't be decided, and what comes next says so. */
	if (key_source(sign->key) == NULL)
		return true;
	now = sign_decide(sign->connection, sign->key, &sign->subject, sign->algorithm);
	if (now.allowed && now.demand == before->demand && now.confirm == before->confirm)
		return true;
	sign_refuse(sign,
		now.allowed ? "the rules or the token changed while the request waited"
			    : now.reason,
		now.allowed ? "try again" : now.remedy);
	return false;
}

static const struct operation_events operation_events = {
	.done = sign_done,
	.ask_pin = sign_pin_wanted,
	.touch = sign_touch_wanted,
	.token_gone = sign_token_gone,
	.waits = sign_waits,
};

/*
 * The name by which the worker knows the key: a token knows nothing of the certificates that came
 * with ssh-add -C.
 */
static struct bytes blob_for(const struct sign *sign, const struct key_source *source)
{
	const struct public_key *key = key_public(sign->key);
	bool added = token_takes_keys(source->token);

	return buf_bytes(key == NULL || added ? &sign->key->blob : &key->plain);
}

static void hand_to_worker(struct sign *sign)
{
	struct key_source *source = key_source(sign->key);
	struct frame frame = {.type = FRAME_SIGN};
	AUTO(text) path = sign_path(sign);
	enum ks_error error;

	if (source != NULL && source->token->absent) {
		sign_await_token(sign);
		return;
	}
	if (source == NULL || source->token->provider->state != PROVIDER_READY) {
		sign_refuse_error(sign, KS_NO_TOKEN, bytes_of(NULL));
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
	frame.sign.remote = sign_remote(sign);
	/* Where a key may be on any token, the worker says when it waits for one. */
	if (!sign_remote(sign) && !sign->worker->needs->keys_on_any_token)
		sign_touch_yield(sign->worker, sign->token);
	error = worker_operate(sign->worker,
		&(struct operation_wish){.frame = &frame,
			.fd = -1,
			.remote = sign_remote(sign),
			.path = path,
			.events = &operation_events,
			.owner = sign},
		&sign->operation);
	if (error != KS_OK)
		sign_refuse_error(sign, error, bytes_of("too many requests wait for this token"));
}

static void on_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct sign *sign = owner;

	(void)provider;
	sign->wait = NULL;
	if (error != KS_OK)
		sign_refuse_error(sign, error, bytes_of(words));
	else if (sign_still_decided(sign))
		hand_to_worker(sign);
}

/* The worker may just be starting again after a crash. */
void sign_proceed(struct sign *sign)
{
	struct key_source *source = key_source(sign->key);
	struct provider *provider = source == NULL ? NULL : source->token->provider;

	sign->request.state = REQUEST_WAITING;
	if (provider == NULL) {
		sign_refuse_error(sign, KS_NO_TOKEN, bytes_of(NULL));
	} else if (provider->state == PROVIDER_READY || source->token->absent) {
		hand_to_worker(sign);
	} else if (provider->state == PROVIDER_WAITING && provider->failures > 1) {
		sign_refuse(sign, provider->last_error, "its worker is started again soon");
	} else {
		sign->wait = provider_wait(provider, on_opened, sign);
		if (sign->wait == NULL)
			sign_refuse_error(sign, KS_NO_MEMORY, bytes_of(NULL));
	}
}

void sign_decide_on(struct sign *sign)
{
	struct connection *connection = sign->connection;

	/* It may have gone while known_hosts were read. */
	if (key_source(sign->key) == NULL) {
		sign_refuse_error(sign, KS_NO_TOKEN, bytes_of(NULL));
		return;
	}
	sign->verdict = sign_decide(connection, sign->key, &sign->subject, sign->algorithm);
	sign->configured = connection->agent->configured;
	audit_sign_verdict(connection, &sign->verdict);
	if (!sign->verdict.allowed)
		sign_refuse(sign, sign->verdict.reason, sign->verdict.remedy);
	else if (lock_locked(connection->agent->lock))
		sign_await_unlock(sign);
	else if (sign->verdict.confirm && !sign_remembered(sign))
		sign_confirm(sign);
	else
		sign_proceed(sign);
}

static void on_names(void *owner)
{
	struct sign *sign = owner;

	sign->names = NULL;
	sign_decide_on(sign);
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
		sign_decide_on(sign);
}
