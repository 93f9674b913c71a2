/*
 * Loading and removing providers. The PIN of `ssh-add -s` goes into a pipe at once, whose reading
 * end travels to the worker; the agent never reads it again.
 */
#include "provider_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "audit.h"
#include "configured.h"
#include "provider.h"
#include "provider_find.h"
#include "provider_several.h"

struct provider_request {
	struct request request; /* first: the connection knows only that */
	struct connection *connection;
	struct constraints *constraints; /* NULL when removing */
	char *given;
	int pin_fd; /* -1: no PIN was given */
	struct provider_wait *wait;
	struct provider *provider; /* while LISTING */
	struct operation *operation;
	bool names; /* nobody else wanted what is on its tokens */
};

static void request_free(struct provider_request *add)
{
	if (add->wait != NULL)
		provider_wait_abandon(add->wait);
	if (add->operation != NULL)
		operation_abandon(add->operation);
	if (add->provider != NULL)
		provider_let_go(add->provider);
	if (add->pin_fd >= 0)
		close(add->pin_fd);
	constraints_release(&add->constraints);
	free(add->given);
	free(add);
}

static void abandon(struct request *request)
{
	/* The request is the first member. */
	request_free((struct provider_request *)request);
}

static void finish(struct provider_request *add, enum message_type answer)
{
	struct connection *connection = add->connection;

	add->request.state = REQUEST_ANSWERED;
	request_free(add);
	connection_answer(connection, answer);
}

void provider_note_refusal(
	struct connection *connection, const char *given, const char *words, const char *remedy)
{
	char quoted[TEXT_QUOTED_MAX];
	AUTO(text) what = text_format("provider %s", text_quote(provider_shown(given), quoted));

	audit_provider(connection, given);
	audit_reason(connection, words);
	refusals_add(&connection->agent->refusals, &connection->peer,
		what != NULL ? what : "a provider", words, remedy);
}

static void refuse(struct provider_request *add, enum ks_error error, const char *words)
{
	static const char *const remedies[KS_ERROR_COUNT] = {
		[KS_PIN_WRONG] = "run ssh-add -s again with the right PIN",
		[KS_PIN_LAST_TRY] = "log in with the token's own tool to get the tries back",
		[KS_PIN_BLOCKED] = "unblock the PIN with the token's own tool (PUK)",
		[KS_NOT_ALLOWED] = "remove it with ssh-add -e first",
	};

	provider_note_refusal(add->connection, add->given, words,
		error < KS_ERROR_COUNT ? remedies[error] : NULL);
	finish(add, MESSAGE_FAILURE);
}

/* Where it brought nothing. */
static void take_back_name(const struct provider_request *add)
{
	struct provider *provider = add->provider;

	if (add->names && keyring_count(&provider->agent->keyring, provider) == 0)
		provider_unload(provider);
}

static void on_listed(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct provider_request *add = operation->owner;
	struct provider *provider = add->provider;
	char quoted[TEXT_WORDS_MAX];
	char text[512];

	(void)result;
	add->operation = NULL;
	keyring_unhide(&provider->agent->keyring, provider);
	if (error == KS_OK && keyring_count(&provider->agent->keyring, provider) > 0) {
		provider->established = true;
		provider->asked_for = true;
		provider_limit_lifetime(provider, add->constraints);
		finish(add, MESSAGE_SUCCESS);
		return;
	}
	take_back_name(add);
	snprintf(text, sizeof(text), "%s%s%s",
		error != KS_OK ? ks_error_text(error) : "it offers no key that can be used",
		words.len > 0 ? ": " : "", words.len > 0 ? text_quote_words(words, quoted) : "");
	refuse(add, error, text);
}

static const struct operation_events list_events = {.done = on_listed};

static void on_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct provider_request *add = owner;
	struct frame frame = {.type = FRAME_LOGIN};
	int pin_fd = add->pin_fd;

	add->wait = NULL;
	if (error != KS_OK) {
		refuse(add, error, words);
		return;
	}
	provider_hold(provider);
	add->provider = provider;
	/* Before its keys are known. */
	if (provider_constrain(provider, add->constraints) != KS_OK) {
		refuse(add, KS_NOT_ALLOWED, "it is loaded with other destination constraints");
		return;
	}
	add->names = provider_name_it(provider);
	if (pin_fd < 0)
		frame = provider_list_frame(provider);
	add->pin_fd = -1;
	add->request.state = REQUEST_LISTING;
	error = worker_operate(provider->worker,
		&(struct operation_wish){
			.frame = &frame, .fd = pin_fd, .events = &list_events, .owner = add},
		&add->operation);
	if (error != KS_OK)
		refuse(add, error, "too many requests wait for this provider");
}

static void on_found(void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct provider_request *remove = owner;

	remove->wait = NULL;
	/* One that exists but is not loaded is as good as removed. */
	if (error != KS_OK && error != KS_NO_TOKEN) {
		refuse(remove, error, words);
		return;
	}
	configured_removed(remove->connection->agent, provider, remove->given);
	if (provider != NULL)
		provider_unload(provider);
	finish(remove, MESSAGE_SUCCESS);
}

/* given is taken. */
static struct provider_request *request_new(struct connection *connection, char *given)
{
	struct provider_request *add = calloc(1, sizeof(*add));

	if (add == NULL) {
		free(given);
		return NULL;
	}
	*add = (struct provider_request){.request = {.state = REQUEST_WAITING, .abandon = abandon},
		.connection = connection,
		.given = given,
		.pin_fd = -1};
	return add;
}

static void begin(struct provider_request *add, bool remove)
{
	struct connection *connection = add->connection;

	audit_provider(connection, add->given);
	connection->request = &add->request;
	add->wait = provider_open(
		connection->agent, add->given, remove, remove ? on_found : on_opened, add);
	if (add->wait == NULL)
		refuse(add, KS_DEVICE_FAILED,
			"no worker could be started for it, or too many providers are loaded");
}

/* Bound connections may not load providers unless an option says so (CVE-2023-38408). */
static bool may_load(const struct connection *connection)
{
	return !connection->binds.attempted || connection->agent->settings.allow_remote_pkcs11;
}

/* NULL when the PIN can't be handed on. */
static struct provider_request *add_new(
	struct connection *connection, struct message_add_token *message)
{
	struct provider_request *add = request_new(connection, TAKE_TEXT(message->provider));

	if (add == NULL)
		return NULL;
	add->constraints = constraints_reference(message->constraints);
	if (message->pin.len == 0 ||
		secret_to_pipe(message->pin.data, message->pin.len, &add->pin_fd) == KS_OK)
		return add;
	request_free(add);
	return NULL;
}

/* NULL, or static words; *remedy too. */
static const char *objection(
	const struct connection *connection, const char *given, const char **remedy)
{
	*remedy = NULL;
	if (!provider_loadable(given))
		return "it keeps what ssh-add adds, and is no provider";
	if (may_load(connection))
		return NULL;
	*remedy = "load it outside of the ssh session; -O allow-remote-pkcs11 is in "
		  "keystile-agent(1)";
	return "a connection that is bound to an ssh session may not load providers";
}

/* False when the PIN can't be handed on. */
static bool add_several(struct connection *connection, struct message_add_token *message)
{
	int pin_fd = -1;

	if (message->pin.len > 0 &&
		secret_to_pipe(message->pin.data, message->pin.len, &pin_fd) != KS_OK)
		return false;
	provider_several(connection, TAKE_TEXT(message->provider), message->constraints, pin_fd);
	return true;
}

void provider_request_add(struct connection *connection, struct bytes body)
{
	struct message_add_token message;
	struct provider_request *add = NULL;
	bool several = false;
	enum ks_error error = message_parse_add_token(body, &message);
	const char *remedy = "the log says what of it";
	const char *words = ks_error_text(error);

	if (error == KS_OK)
		words = objection(connection, message.provider, &remedy);
	if (words != NULL)
		provider_note_refusal(connection, message.provider != NULL ? message.provider : "?",
			words, remedy);
	else if (provider_find_due(message.provider))
		several = add_several(connection, &message);
	else
		add = add_new(connection, &message);
	message_add_token_deinit(&message);
	if (add != NULL)
		begin(add, false);
	else if (!several)
		connection_answer(connection, MESSAGE_FAILURE);
}

void provider_request_remove(struct connection *connection, struct bytes body)
{
	char *given = NULL;
	struct provider_request *remove = NULL;

	bool named = message_parse_remove_token(body, &given) == KS_OK && given[0] != '\0';

	if (named && provider_find_due(given)) {
		provider_several(connection, given, NULL, -1);
		return;
	}
	if (named && provider_loadable(given))
		remove = request_new(connection, TAKE_TEXT(given));
	free(given);
	if (remove != NULL)
		begin(remove, true);
	else
		connection_answer(connection, MESSAGE_FAILURE);
}
