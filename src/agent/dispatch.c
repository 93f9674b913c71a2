/*
 * The protocol's table of messages. Everything that is not in it is answered "failure", and the
 * connection lives on.
 */
#include "dispatch.h"

#include <stdio.h>

#include <keystile/log.h>

#include "agent.h"
#include "audit.h"
#include "configured.h"
#include "expiry.h"
#include "key_list.h"
#include "key_request.h"
#include "listener.h"
#include "lock.h"
#include "provider.h"
#include "provider_request.h"
#include "sign.h"

static const char session_bind_name[] = "session-bind@openssh.com";
static const char query_name[] = "query";

static void list(struct connection *connection, struct bytes body)
{
	struct buf reply = {.max = MESSAGE_MAX};

	(void)body;
	key_list_put(connection, &reply);
	connection_reply(connection, &reply);
}

static void sign(struct connection *connection, struct bytes body)
{
	struct message_sign message;

	if (message_parse_sign(body, &message) != KS_OK)
		connection_answer(connection, MESSAGE_FAILURE);
	else
		sign_begin(connection, &message);
}

static void remove_all(struct connection *connection, struct bytes body)
{
	struct agent *agent = connection->agent;

	(void)body;
	configured_removed_all(agent);
	while (agent->providers != NULL)
		provider_close(agent->providers);
	connection_answer(connection, MESSAGE_SUCCESS);
}

static void bind_session(struct connection *connection, struct bytes content)
{
	bool forwarding = false;
	enum session_bind_result result =
		session_bind_add(&connection->binds, content, &forwarding);
	enum origin_rule rule;

	audit_request(connection, "bind");
	/* The flag counts whether the rest was believed or not: nothing but the flag is unproven.
	 */
	if (forwarding)
		origin_worsen(&connection->origin, ORIGIN_FORWARDING_BIND);
	if (result == SESSION_BIND_DONE) {
		connection_answer(connection, MESSAGE_SUCCESS);
		return;
	}
	rule = result == SESSION_BIND_REFUSED ? ORIGIN_REFUSED_BIND : ORIGIN_UNVERIFIABLE_BIND;
	audit_reason(connection, origin_words(rule));
	origin_worsen(&connection->origin, rule);
	connection_answer(connection, MESSAGE_EXTENSION_FAILURE);
}

static void query(struct connection *connection)
{
	struct buf reply = {0};

	audit_request(connection, "query");
	buf_put_u8(&reply, MESSAGE_EXTENSION_RESPONSE);
	buf_put_text(&reply, query_name);
	buf_put_text(&reply, session_bind_name);
	connection_reply(connection, &reply);
}

static void extension(struct connection *connection, struct bytes body)
{
	struct message_extension message;
	bool parsed = message_parse_extension(body, &message) == KS_OK;
	bool bind = parsed && bytes_equal_text(message.name, session_bind_name);

	if (!connection->first_message_seen && !bind)
		dispatch_first_is_no_bind(connection);
	if (bind)
		bind_session(connection, message.content);
	else if (parsed && bytes_equal_text(message.name, query_name) &&
		 !lock_locked(connection->agent->lock))
		query(connection);
	else
		connection_answer(connection, MESSAGE_FAILURE);
}

/* What a remote connection may do: list, sign and bind (invariant 9). */
enum who {
	ANYBODY,
	LOCAL,
	LOCAL_OR_UNBOUND_SSH, /* AddKeysToAgent: ssh connects once more for it, and does not bind */
};

/*
 * While the agent is locked. Served are a list, which may be empty, binds, and the unlocking; a
 * signature waits where the person may be asked to unlock the agent.
 */
enum when_locked { REFUSED, SERVED, WAITS };

struct rule {
	uint8_t type;
	enum who who;
	enum when_locked when_locked;
	void (*handle)(struct connection *connection, struct bytes body);
	const char *what; /* NULL: asked for all the time, and no news when refused */
};

static const struct rule rules[] = {
	{MESSAGE_LIST, ANYBODY, SERVED, list, NULL},
	{MESSAGE_SIGN, ANYBODY, WAITS, sign, NULL},
	{MESSAGE_EXTENSION, ANYBODY, SERVED, extension, NULL},
	{MESSAGE_ADD, LOCAL_OR_UNBOUND_SSH, REFUSED, key_request_add, "adding a key"},
	{MESSAGE_ADD_CONSTRAINED, LOCAL_OR_UNBOUND_SSH, REFUSED, key_request_add, "adding a key"},
	{MESSAGE_REMOVE, LOCAL, REFUSED, key_request_remove, "removing a key"},
	{MESSAGE_REMOVE_ALL, LOCAL, REFUSED, remove_all, "removing all keys"},
	{MESSAGE_REMOVE_ALL_V1, LOCAL, REFUSED, remove_all, "removing all keys"},
	{MESSAGE_ADD_TOKEN, LOCAL, REFUSED, provider_request_add, "loading a provider"},
	{MESSAGE_ADD_TOKEN_CONSTRAINED, LOCAL, REFUSED, provider_request_add, "loading a provider"},
	{MESSAGE_REMOVE_TOKEN, LOCAL, REFUSED, provider_request_remove, "removing a provider"},
	{MESSAGE_LOCK, LOCAL, REFUSED, lock_begin, "locking the agent"},
	{MESSAGE_UNLOCK, LOCAL, SERVED, lock_begin_unlock, "unlocking the agent"},
};
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

static bool unbound_ssh(const struct connection *connection)
{
	enum origin_rule rule = connection->origin.rule;

	return origin_peer_is_ssh(&connection->peer) && !connection->binds.attempted &&
	       (rule == ORIGIN_SSH_WITHOUT_BIND || rule == ORIGIN_SSH_SECOND_CONNECTION);
}

static bool may(const struct connection *connection, enum who who)
{
	if (who == ANYBODY)
		return true;
	/* A listener for some keys is for nothing that concerns the others. */
	if (connection->listener->keys != NULL)
		return false;
	return !origin_remote(&connection->origin) ||
	       (who == LOCAL_OR_UNBOUND_SSH && unbound_ssh(connection));
}

static bool open_now(const struct connection *connection, const struct rule *rule)
{
	if (!lock_locked(connection->agent->lock))
		return true;
	return rule->when_locked == SERVED ||
	       (rule->when_locked == WAITS && lock_bars(connection) == NULL);
}

static const struct rule *find_rule(const struct connection *connection, uint8_t type)
{
	for (size_t i = 0; i < RULE_COUNT; i++)
		if (rules[i].type == type && may(connection, rules[i].who) &&
			open_now(connection, &rules[i]))
			return &rules[i];
	return NULL;
}

bool dispatch_takes_secret(const struct connection *connection, uint8_t type)
{
	return find_rule(connection, type) != NULL;
}

void dispatch_first_is_no_bind(struct connection *connection)
{
	if (origin_peer_is_ssh(&connection->peer) && connection->agent->config.unbound_ssh_remote)
		origin_worsen(&connection->origin, ORIGIN_SSH_WITHOUT_BIND);
}

/* Of a message that find_rule() did not find. */
static const char *why_refused(const struct connection *connection, uint8_t type)
{
	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (rules[i].type != type)
			continue;
		if (!may(connection, rules[i].who))
			return "remote connections may list and sign, and nothing else";
		return rules[i].when_locked == WAITS ? lock_bars(connection)
						     : "the agent is locked";
	}
	return "a message that is not known";
}

static void note_refusal(struct connection *connection, const struct rule *rule)
{
	const char *remedy = "ssh-add -X unlocks it";
	char what[128];

	snprintf(what, sizeof(what), "%s, connection %llu (%s)", rule->what,
		(unsigned long long)connection->id, origin_words(connection->origin.rule));
	if (!may(connection, rule->who))
		remedy = "do it on the machine where the agent runs";
	refusals_add(&connection->agent->refusals, &connection->peer, what,
		why_refused(connection, rule->type), remedy);
}

void dispatch_refuse(struct connection *connection, uint8_t type)
{
	log_debug("connection %llu: message %u refused", (unsigned long long)connection->id, type);
	audit_reason(connection, why_refused(connection, type));
	for (size_t i = 0; i < RULE_COUNT; i++)
		if (rules[i].type == type && rules[i].what != NULL)
			note_refusal(connection, &rules[i]);
	connection_answer(connection, MESSAGE_FAILURE);
}

void dispatch(struct connection *connection, uint8_t type, struct bytes body)
{
	const struct rule *rule = find_rule(connection, type);

	expiry_check(connection->agent);
	if (rule != NULL)
		rule->handle(connection, body);
	else
		dispatch_refuse(connection, type);
}
