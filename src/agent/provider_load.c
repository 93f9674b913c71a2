/*
 * From a provider's name to an open module: start a worker, let it locate the name, check that
 * it may be loaded, open it, and after a restart list its tokens again. Paths are resolved
 * in the worker: they may lie on a file system that hangs.
 */
#include "provider.h"

#include <stdio.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "broker.h"
#include "command_name.h"
#include "commands.h"
#include "spawn.h"

static void fail_with(struct operation *operation, enum ks_error error, struct bytes words)
{
	struct provider *provider = operation->owner;
	char quoted[TEXT_WORDS_MAX];
	char text[512];

	/* It was removed while it was loading; who waited for it knows. */
	if (provider->state == PROVIDER_CLOSED)
		return;
	if (words.len > 0)
		snprintf(text, sizeof(text), "%s: %s", ks_error_text(error),
			text_quote_words(words, quoted));
	else
		snprintf(text, sizeof(text), "%s", ks_error_text(error));
	provider_failed(provider, error, text);
}

static enum ks_error operate(struct provider *provider, struct frame *frame,
	const struct operation_events *events, struct operation **out)
{
	const struct operation_wish wish = {
		.frame = frame, .fd = -1, .events = events, .owner = provider};

	return worker_operate(provider->worker, &wish, out);
}

static void on_listed(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct provider *provider = operation->owner;

	(void)result;
	if (error != KS_OK) {
		fail_with(operation, error, words);
		return;
	}
	provider_forget_unconfirmed(provider);
	provider_ready(provider);
}

static const struct operation_events list_events = {.done = on_listed};

bool provider_name_it(struct provider *provider)
{
	bool first = provider->needs->tokens_hold_keys && !provider->named;

	provider->named = provider->named || first;
	return first;
}

struct frame provider_list_frame(const struct provider *provider)
{
	if (!provider->named)
		return (struct frame){.type = FRAME_LIST};
	return (struct frame){.type = FRAME_ADMINISTER,
		.administer = {.request = bytes_of("{\"verb\": \"load\"}")}};
}

void provider_tell_named(struct provider *provider)
{
	struct frame frame = provider_list_frame(provider);
	struct operation *operation;
	const struct operation_wish wish = {.frame = &frame, .fd = -1};

	if (!provider->named)
		frame = (struct frame){.type = FRAME_ADMINISTER,
			.administer = {.request = bytes_of("{\"verb\": \"rest\"}")}};
	/* A worker that takes no more starts anew without them. */
	if (provider->worker != NULL &&
		worker_operate(provider->worker, &wish, &operation) != KS_OK)
		log_debug("a worker was not told what is wanted of its tokens");
}

static void on_opened(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct provider *provider = operation->owner;
	struct frame frame = provider_list_frame(provider);
	struct operation *list;

	(void)result;
	if (error == KS_OK && !provider->worker->confinement.told) {
		error = KS_DEVICE_FAILED;
		words = bytes_of("it did not say how it is confined");
	}
	if (error != KS_OK) {
		fail_with(operation, error, words);
		return;
	}
	/* What clients add needs the token that it will be of. */
	if (!provider->established && !provider->needs->takes_keys) {
		provider_ready(provider);
		return;
	}
	/* The new worker has ids of its own; the old tokens wait to be known again. */
	for (struct token *token = provider->tokens; token != NULL; token = token->next)
		token->unconfirmed = true;
	provider->state = PROVIDER_LISTING;
	if (operate(provider, &frame, &list_events, &list) != KS_OK)
		fail_with(operation, KS_NO_MEMORY, bytes_of(NULL));
}

static const struct operation_events open_events = {.done = on_opened};

static char *name_of(struct bytes result)
{
	struct bytes text = result;

	if (text.len == 0 || text.len > PROVIDER_NAME_MAX ||
		memchr(text.data, '\0', text.len) != NULL)
		return NULL;
	return strndup((const char *)text.data, text.len);
}

static void put_grants(struct buf *out, enum frame_grant kind, char *const *paths)
{
	for (size_t i = 0; paths[i] != NULL; i++) {
		buf_put_u8(out, (uint8_t)kind);
		buf_put_string(out, bytes_of(paths[i]));
	}
}

static bool grant_connection(struct provider *provider, struct buf *out, const char *text)
{
	buf_put_u8(out, FRAME_GRANT_CONNECT);
	buf_put_string(out, bytes_of(text));
	return broker_grant(provider->worker->broker, text);
}

/*
 * What the backend's description says, with the worker's variables put in. "unix:path=" is how
 * p11-kit writes an address.
 */
static bool grant_needed(struct provider *provider, struct buf *out, const char *path)
{
	static const char unix_path[] = "unix:path=";
	size_t len = path[0] == '$' ? strcspn(path, "/") : 0;
	const char *value = len == 0 ? ""
				     : spawn_worker_variable(provider->agent, provider->needs,
					       BYTES((const uint8_t *)path + 1, len - 1));
	AUTO(text) whole = NULL;

	if (value == NULL)
		return true;
	if (strncmp(value, unix_path, strlen(unix_path)) == 0)
		value += strlen(unix_path);
	whole = text_format("%s%s", value, path + len);
	return whole != NULL && (whole[0] != '/' || grant_connection(provider, out, whole));
}

/*
 * A module that was loaded does not connect again by itself. One that is being loaded hears of it
 * later than we do, and may do without the command.
 */
static void on_command_lost(void *owner, const char *why)
{
	struct provider *provider = owner;

	if (provider->state == PROVIDER_READY || provider->state == PROVIDER_LISTING)
		worker_fail(provider->worker, why);
	else
		log_warning("worker %s: %s", provider->needs->name, why);
}

/* First of all grants: none leads past the command to a socket of that name. */
static bool grant_commands(
	struct provider *provider, const struct config_worker *configured, struct buf *out)
{
	struct worker *worker = provider->worker;

	if (configured == NULL || configured->commands == NULL || configured->commands[0] == NULL)
		return true;
	worker->commands = commands_new(provider->agent, provider->needs->name,
		configured->commands, on_command_lost, provider);
	if (worker->commands == NULL)
		return false;
	broker_set_commands(worker->broker, commands_channel(worker->commands));
	for (unsigned i = 0; configured->commands[i] != NULL; i++) {
		AUTO(text) address = command_address(configured->commands[i]);

		if (address == NULL || !broker_grant_command(worker->broker, address, i))
			return false;
		buf_put_u8(out, FRAME_GRANT_CONNECT);
		buf_put_string(out, bytes_of(address));
	}
	return true;
}

/* The worker is told of them, for what kinds of sockets to make; who keeps to them is its broker.
 */
static bool grant_connections(
	struct provider *provider, const struct config_worker *configured, struct buf *out)
{
	const struct ks_needs *needs = provider->needs;
	struct bytes shown = provider_shown(provider->name);
	char *name = strndup((const char *)shown.data, shown.len);
	struct broker *broker =
		name == NULL ? NULL : broker_new(provider->agent->denials, needs->name, name);

	provider->worker->shown = name;
	provider->worker->broker = broker;
	if (broker == NULL)
		return false;
	buf_put_u8(out, FRAME_GRANT_BROKERED);
	buf_put_string(out, BYTES(NULL, 0));
	if (!grant_commands(provider, configured, out))
		return false;
	if (needs->network)
		broker_grant_tcp(broker);
	for (size_t i = 0; needs->connect_paths[i] != NULL; i++)
		if (!grant_needed(provider, out, needs->connect_paths[i]))
			return false;
	for (size_t i = 0; configured != NULL && configured->connect[i] != NULL; i++)
		if (!grant_connection(provider, out, configured->connect[i]))
			return false;
	return true;
}

static void open_located(struct operation *operation, struct provider *provider)
{
	const struct config_worker *configured =
		config_worker(&provider->agent->config, provider->needs->name);
	AUTO(buf) grants = {0};
	struct frame frame = {.type = FRAME_OPEN};
	struct operation *open;
	bool brokered;

	provider->state = PROVIDER_OPENING;
	if (configured != NULL) {
		put_grants(&grants, FRAME_GRANT_READ, configured->read);
		put_grants(&grants, FRAME_GRANT_WRITE, configured->write);
		if (configured->shared_memory) {
			buf_put_u8(&grants, FRAME_GRANT_SHARED_MEMORY);
			buf_put_string(&grants, BYTES(NULL, 0));
		}
	}
	brokered = grant_connections(provider, configured, &grants);
	frame.open.grants = buf_bytes(&grants);
	if (!brokered || buf_status(&grants) != KS_OK ||
		operate(provider, &frame, &open_events, &open) != KS_OK)
		fail_with(operation, KS_NO_MEMORY, bytes_of(NULL));
}

/*
 * A name without the path that it should have is never allowed. That of a PKCS#11 URI is its
 * last part, as it is: see backends/pkcs11/uri.h.
 */
static bool may_load(const struct provider *provider, const char *name)
{
	static const char uri_scheme[] = "pkcs11:";
	static const char uri_module[] = "?module-path=";
	const char *scheme = provider->needs->scheme;
	const char *path = name;

	if (!provider->needs->loads_path)
		return true;
	if (scheme != NULL) {
		size_t len = strlen(scheme);

		if (strncmp(name, scheme, len) != 0 || name[len] != ':')
			return false;
		path = name + len + 1;
	}
	if (strncmp(name, uri_scheme, strlen(uri_scheme)) == 0) {
		const char *mark = strstr(name, uri_module);

		path = mark != NULL ? mark + strlen(uri_module) : "";
	}
	return path[0] == '/' && agent_provider_allowed(provider->agent, path);
}

static void on_located(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct provider *provider = operation->owner;
	AUTO(text) name = error == KS_OK ? name_of(result) : NULL;
	struct provider *existing;

	if (error != KS_OK) {
		fail_with(operation, error, words);
		return;
	}
	if (name == NULL || (provider->name != NULL && strcmp(name, provider->name) != 0)) {
		fail_with(operation, KS_DEVICE_FAILED, bytes_of("its name leads elsewhere now"));
		return;
	}
	existing = provider_by_name(provider->agent, name);
	if (provider->locate_only) {
		provider_located(provider, existing);
		return;
	}
	if (!may_load(provider, name)) {
		fail_with(operation, KS_NOT_ALLOWED,
			bytes_of("not in the list of allowed providers; allow it with -P or "
				 "allowed-providers in keystile.conf(5)"));
		return;
	}
	if (existing != NULL && existing != provider) {
		/* The same module under another name. */
		provider_hand_over(provider, existing);
		return;
	}
	if (provider->name == NULL)
		provider->name = TAKE_TEXT(name);
	open_located(operation, provider);
}

static const struct operation_events locate_events = {.done = on_located};

enum ks_error provider_load(struct provider *provider)
{
	struct frame frame = {.type = FRAME_LOCATE};
	struct operation *locate;
	enum ks_error error = worker_new(provider->agent, provider->needs, &provider_worker_events,
		provider, &provider->worker);

	if (error != KS_OK)
		return error;
	provider->state = PROVIDER_LOCATING;
	frame.locate.provider = bytes_of(provider->given);
	return operate(provider, &frame, &locate_events, &locate);
}
