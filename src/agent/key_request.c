/*
 * Adding and removing keys. The private part goes from the vault into a pipe at once, whose reading
 * end travels to the worker that keeps such keys; here only the public part is looked at.
 */
#include "key_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/secret.h>
#include <keystile/text.h>

#include "agent.h"
#include "audit.h"
#include "expiry.h"
#include "key_change.h"
#include "key_rules.h"
#include "provider.h"

#define MEMORY_PROVIDER "memory:"
#define SECURITY_KEY_PROVIDER "fido2:"
#define MIDDLEWARE_PREFIX "middleware:"
/* Who hands keys over through somebody's ssh must leave places, and room in lists, for the person.
 */
#define FROM_AFAR_MAX 64

struct key_request {
	struct request request; /* first: the connection knows only that */
	struct connection *connection;
	struct message_add_key message; /* without the private part */
	int fd;				/* where that is read from, -1 when handed on */
	struct provider_wait *wait;
	struct key_change *change;
};

static void request_free(struct key_request *add)
{
	if (add->wait != NULL)
		provider_wait_abandon(add->wait);
	if (add->change != NULL)
		key_change_abandon(add->change);
	if (add->fd >= 0)
		close(add->fd);
	message_add_key_deinit(&add->message);
	free(add);
}

static void abandon(struct request *request)
{
	/* The request is the first member. */
	request_free((struct key_request *)request);
}

static void finish(struct key_request *add, enum message_type answer)
{
	struct connection *connection = add->connection;

	add->request.state = REQUEST_ANSWERED;
	request_free(add);
	connection_answer(connection, answer);
}

static void note_refusal(
	struct connection *connection, struct bytes blob, const char *words, const char *remedy)
{
	AUTO(text) fingerprint = blob.len > 0 ? public_key_fingerprint(blob) : NULL;
	AUTO(text) what = text_format("adding key %s", fingerprint != NULL ? fingerprint : "?");

	audit_reason(connection, words);
	refusals_add(&connection->agent->refusals, &connection->peer,
		what != NULL ? what : "adding a key", words, remedy);
}

static void refuse(struct key_request *add, const char *words, const char *remedy)
{
	note_refusal(add->connection, buf_bytes(&add->message.blob), words, remedy);
	finish(add, MESSAGE_FAILURE);
}

static void refuse_error(struct key_request *add, enum ks_error error, struct bytes words)
{
	char quoted[TEXT_WORDS_MAX];
	char text[512];

	snprintf(text, sizeof(text), "%s%s%s", ks_error_text(error), words.len > 0 ? ": " : "",
		words.len > 0 ? text_quote_words(words, quoted) : "");
	refuse(add, text, NULL);
}

static void on_changed(void *owner, enum ks_error error, struct bytes words)
{
	struct key_request *add = owner;

	add->change = NULL;
	if (error == KS_OK)
		finish(add, MESSAGE_SUCCESS);
	else
		refuse_error(add, error, words);
}

/* ---- Adding ---- */

static uint64_t end_of(const struct key_request *add)
{
	const struct constraints *constraints = add->message.constraints;
	long default_s = add->connection->agent->settings.lifetime_s;

	if (constraints->has_lifetime)
		return expiry_after(constraints->lifetime_s);
	return default_s > 0 ? expiry_after((uint32_t)default_s) : 0;
}

static void hand_to_worker(struct key_request *add, struct provider *provider)
{
	const struct key_addition addition = {.blob = buf_bytes(&add->message.blob),
		.kind = add->message.key.kind,
		.comment = add->message.comment,
		.constraints = add->message.constraints,
		.expires_ms = end_of(add),
		.from_afar = origin_remote(&add->connection->origin)};
	int fd = add->fd;

	if (addition.from_afar && key_changes_count_from_afar(provider->agent) >= FROM_AFAR_MAX) {
		refuse(add, "too many keys were added by way of ssh connections",
			"remove some with ssh-add -d, or add it with ssh-add");
		return;
	}
	add->fd = -1;
	add->request.state = REQUEST_LISTING;
	add->change = key_change_add(provider, fd, &addition, on_changed, add);
	if (add->change == NULL)
		refuse_error(add, KS_NO_MEMORY, bytes_of(NULL));
}

static void on_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct key_request *add = owner;

	add->wait = NULL;
	if (error == KS_OK)
		hand_to_worker(add, provider);
	else
		refuse(add, words, NULL);
}

static bool names_middleware(const struct message_add_key *message)
{
	const char *middleware = message->constraints->sk_provider;

	return middleware != NULL && strcasecmp(middleware, "internal") != 0;
}

/* Whose worker keeps the key. NULL when out of memory. */
static char *keeper_of(const struct message_add_key *message)
{
	if (names_middleware(message))
		return text_format(MIDDLEWARE_PREFIX "%s", message->constraints->sk_provider);
	return strdup(key_kind_is_security_key(message->key.kind) ? SECURITY_KEY_PROVIDER
								  : MEMORY_PROVIDER);
}

/* Also one that is being started. Names of middleware are paths, to be resolved by a worker. */
static struct provider *keeper_there(struct agent *agent, const char *name)
{
	struct provider *provider = agent->providers;

	if (strncmp(name, MIDDLEWARE_PREFIX, strlen(MIDDLEWARE_PREFIX)) == 0)
		return NULL;
	while (provider != NULL && strcmp(provider->given, name) != 0)
		provider = provider->next;
	return provider;
}

static void find_keeper(struct key_request *add)
{
	struct agent *agent = add->connection->agent;
	AUTO(text) name = keeper_of(&add->message);
	const struct ks_needs *needs = name == NULL ? NULL : provider_backend(name);
	struct provider *provider = name == NULL ? NULL : keeper_there(agent, name);

	if (needs == NULL || !needs->takes_keys) {
		refuse(add, "this agent was built without the backend that keeps such keys", NULL);
		return;
	}
	if (provider != NULL && provider->state == PROVIDER_READY) {
		hand_to_worker(add, provider);
		return;
	}
	add->wait = provider != NULL ? provider_wait(provider, on_opened, add)
				     : provider_open(agent, name, false, on_opened, add);
	if (add->wait == NULL)
		refuse(add, "no worker could be started that keeps it", NULL);
}

/* NULL, or static words. */
static const char *objection(
	const struct connection *connection, const struct message_add_key *message)
{
	struct agent *agent = connection->agent;
	bool remote = origin_remote(&connection->origin);
	const struct key *key = keyring_find(&agent->keyring, buf_bytes(&message->blob));

	if (message->key.kind == KEY_DSS && !agent->config.allow_ssh_dss)
		return "ssh-dss keys are not taken unless allow-ssh-dss is set";
	if (names_middleware(message) && remote)
		return "a remote connection may not name a middleware library";
	if (names_middleware(message) && connection->binds.attempted &&
		!agent->settings.allow_remote_pkcs11)
		return "a bound connection may not name a middleware library";
	if (key != NULL && remote)
		return "a remote connection may not change a key that is there already";
	if (key != NULL && !key_listed(key, &connection->binds, remote))
		return "the key that is there may not be used on this connection";
	return NULL;
}

/* The message without what lies in the vault; NULL when there is no memory. */
static struct key_request *request_new(
	struct connection *connection, struct message_add_key *message)
{
	struct key_request *add = calloc(1, sizeof(*add));
	struct bytes private_part = message->key.whole;

	if (add == NULL)
		return NULL;
	*add = (struct key_request){.request = {.state = REQUEST_WAITING, .abandon = abandon},
		.connection = connection,
		.message = *message,
		.fd = -1};
	*message = (struct message_add_key){0};
	add->message.key = (struct private_key){.kind = add->message.key.kind};
	if (secret_to_pipe(private_part.data, private_part.len, &add->fd) == KS_OK)
		return add;
	request_free(add);
	return NULL;
}

void key_request_add(struct connection *connection, struct bytes body)
{
	struct message_add_key message;
	bool from_afar = origin_remote(&connection->origin);
	enum ks_error error = message_parse_add_key(body, from_afar, &message);
	const char *words = error == KS_OK ? objection(connection, &message) : ks_error_text(error);
	struct key_request *add = NULL;

	if (error == KS_OK)
		audit_key(connection, buf_bytes(&message.blob), message.comment);
	if (words != NULL)
		note_refusal(connection, buf_bytes(&message.blob), words,
			error != KS_OK ? "the log says what of it" : NULL);
	else
		add = request_new(connection, &message);
	message_add_key_deinit(&message);
	if (add == NULL) {
		connection_answer(connection, MESSAGE_FAILURE);
		return;
	}
	connection->request = &add->request;
	find_keeper(add);
}

/* ---- Removing ---- */

/* However the worker took it, the key is gone: key_change.c sees to that. */
static void on_removed(void *owner, enum ks_error error, struct bytes words)
{
	struct key_request *remove = owner;

	(void)error;
	(void)words;
	remove->change = NULL;
	finish(remove, MESSAGE_SUCCESS);
}

static void remove_added(struct connection *connection, struct key *key)
{
	struct key_request *remove = calloc(1, sizeof(*remove));

	if (remove == NULL) {
		connection_answer(connection, MESSAGE_FAILURE);
		return;
	}
	*remove = (struct key_request){.request = {.state = REQUEST_LISTING, .abandon = abandon},
		.connection = connection,
		.fd = -1};
	connection->request = &remove->request;
	keyring_hide(key);
	remove->change = key_change_remove(key, on_removed, remove);
	/* It went all the same, and all others with it. */
	if (remove->change == NULL)
		finish(remove, MESSAGE_SUCCESS);
}

void key_request_remove(struct connection *connection, struct bytes body)
{
	struct key *key = NULL;
	struct bytes blob;

	if (message_parse_remove(body, &blob) == KS_OK)
		key = keyring_find(&connection->agent->keyring, blob);
	if (key != NULL)
		audit_key(connection, buf_bytes(&key->blob), key->comment);
	if (key == NULL || !key_listed(key, &connection->binds, false)) {
		connection_answer(connection, MESSAGE_FAILURE);
	} else if (key_added_source(key) != NULL) {
		remove_added(connection, key);
	} else {
		keyring_hide(key);
		connection_answer(connection, MESSAGE_SUCCESS);
	}
}
