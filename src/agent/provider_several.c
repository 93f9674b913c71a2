/*
 * See provider_several.h.
 *
 *   FINDING ──names──▶ each: opened ──▶ listed ──▶ over, all over ──▶ the PIN to one of them ──▶
 * end
 */
#include "provider_several.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "audit.h"
#include "configured.h"
#include "provider.h"
#include "provider_find.h"
#include "provider_request.h"

struct several;

/* One of those that were found. */
struct part {
	struct several *several;
	char *name;
	struct provider_wait *wait;
	struct provider *provider; /* held, until the end */
	struct operation *operation;
	bool has_keys;
};

struct several {
	struct request request;		 /* first: the connection knows only that */
	struct connection *connection;	 /* NULL: it was answered */
	struct constraints *constraints; /* NULL: to be removed */
	char *given;
	int pin_fd;
	struct provider_find *find;
	struct part *parts;
	size_t count;
	size_t pending;
	bool brought;	   /* keys */
	char trouble[512]; /* the first of all */
};

static void part_deinit(struct part *part)
{
	if (part->wait != NULL)
		provider_wait_abandon(part->wait);
	if (part->operation != NULL)
		operation_abandon(part->operation);
	if (part->provider != NULL)
		provider_let_go(part->provider);
	free(part->name);
}

static void several_free(struct several *several)
{
	if (several->find != NULL)
		provider_find_abandon(several->find);
	for (size_t i = 0; i < several->count; i++)
		part_deinit(&several->parts[i]);
	if (several->pin_fd >= 0)
		close(several->pin_fd);
	constraints_release(&several->constraints);
	free(several->parts);
	free(several->given);
	free(several);
}

static void abandon(struct request *request)
{
	/* The request is the first member. */
	several_free((struct several *)request);
}

/* ---- The answer ---- */

static void answer(struct several *several, enum message_type type)
{
	struct connection *connection = several->connection;

	if (connection == NULL)
		return;
	several->connection = NULL;
	several->request.state = REQUEST_ANSWERED;
	connection_answer(connection, type);
}

static void refuse(struct several *several, const char *words)
{
	if (several->connection != NULL)
		provider_note_refusal(several->connection, several->given, words, NULL);
	answer(several, MESSAGE_FAILURE);
}

static void note_trouble(struct several *several, const char *name, const char *words)
{
	char quoted[TEXT_QUOTED_MAX];

	text_quote(bytes_of(provider_find_file(name)), quoted);
	log_info("%s was found and is not loaded: %s", quoted, words);
	if (several->trouble[0] == '\0')
		snprintf(several->trouble, sizeof(several->trouble), "%s: %s", quoted, words);
}

/* The one that has a token, NULL where it is none or not the only one. */
static struct part *only_with_token(struct several *several)
{
	struct part *only = NULL;
	unsigned count = 0;

	for (size_t i = 0; i < several->count; i++)
		if (several->parts[i].provider != NULL &&
			several->parts[i].provider->tokens != NULL) {
			only = &several->parts[i];
			count++;
		}
	return count == 1 ? only : NULL;
}

/* Its keys are wanted from now on, whatever becomes of this request. */
static void establish(struct part *part)
{
	struct several *several = part->several;

	several->brought = part->provider->established = part->provider->asked_for = true;
	provider_limit_lifetime(part->provider, several->constraints);
}

static bool list(struct part *part, int pin_fd);

/* True: another step was begun. Keys count only then, as they do where a wrong PIN was given. */
static bool use_pin(struct several *several)
{
	struct part *part = several->pin_fd >= 0 ? only_with_token(several) : NULL;
	int pin_fd = several->pin_fd;

	if (pin_fd < 0)
		return false;
	several->pin_fd = -1;
	if (part != NULL) {
		several->trouble[0] = '\0';
		return list(part, pin_fd);
	}
	close(pin_fd);
	log_warning("the PIN is not used: it is not clear for which token it was typed; it will be "
		    "asked for when a key is first used");
	for (size_t i = 0; i < several->count; i++)
		if (several->parts[i].has_keys)
			establish(&several->parts[i]);
	return false;
}

static void conclude(struct several *several)
{
	if (use_pin(several))
		return;
	if (several->brought || several->constraints == NULL)
		answer(several, MESSAGE_SUCCESS);
	else
		refuse(several, several->trouble);
	several_free(several);
}

static void end_part(struct several *several)
{
	several->pending--;
	if (several->pending == 0)
		conclude(several);
	else if (several->brought && several->pin_fd < 0)
		answer(several, MESSAGE_SUCCESS);
}

/* ---- Loading ---- */

static void on_listed(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct part *part = operation->owner;
	struct several *several = part->several;
	struct provider *provider = part->provider;
	char quoted[TEXT_WORDS_MAX];
	char text[512] = "it offers no key that is meant and can be used";

	(void)result;
	part->operation = NULL;
	keyring_unhide(&provider->agent->keyring, provider);
	if (error != KS_OK)
		snprintf(text, sizeof(text), "%s: %s", ks_error_text(error),
			text_quote_words(words, quoted));
	part->has_keys = error == KS_OK && keyring_count(&provider->agent->keyring, provider) > 0;
	if (!part->has_keys)
		note_trouble(several, part->name, text);
	else if (several->pin_fd < 0)
		establish(part);
	end_part(several);
}

static const struct operation_events list_events = {.done = on_listed};

/* False: it could not be asked. pin_fd is taken; -1: without a PIN. */
static bool list(struct part *part, int pin_fd)
{
	struct frame frame = {.type = FRAME_LOGIN};
	const struct operation_wish wish = {
		.frame = &frame, .fd = pin_fd, .events = &list_events, .owner = part};

	if (pin_fd < 0)
		frame = provider_list_frame(part->provider);
	if (worker_operate(part->provider->worker, &wish, &part->operation) != KS_OK)
		return false;
	if (pin_fd >= 0)
		part->several->pending++;
	return true;
}

static void on_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct part *part = owner;
	struct several *several = part->several;

	part->wait = NULL;
	if (error == KS_OK) {
		provider_hold(provider);
		part->provider = provider;
		/* Before its keys are known. */
		words = "it is loaded with other destination constraints";
		error = provider_constrain(provider, several->constraints);
	}
	if (error == KS_OK && list(part, -1))
		return;
	if (error == KS_OK)
		words = "too many requests wait for it";
	note_trouble(several, part->name, words);
	end_part(several);
}

/* ---- Removing ---- */

static void on_located(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct part *part = owner;
	struct several *several = part->several;

	part->wait = NULL;
	if (error != KS_OK && error != KS_NO_TOKEN)
		note_trouble(several, part->name, words);
	configured_removed(several->connection->agent, provider, part->name);
	if (provider != NULL)
		provider_unload(provider);
	end_part(several);
}

/* ---- Finding ---- */

static void begin_part(struct several *several, struct part *part)
{
	bool removes = several->constraints == NULL;

	several->pending++;
	part->wait = provider_open(several->connection->agent, part->name, removes,
		removes ? on_located : on_opened, part);
	if (part->wait != NULL)
		return;
	note_trouble(several, part->name,
		"no worker could be started for it, or too many providers are loaded");
	several->pending--;
}

static bool take_names(struct several *several, char *const *names, size_t count)
{
	several->parts = calloc(count, sizeof(*several->parts));
	if (several->parts == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		several->parts[i] = (struct part){.several = several, .name = strdup(names[i])};
		several->count++;
		if (several->parts[i].name == NULL)
			return false;
	}
	return true;
}

static void on_found(void *owner, char *const *names, size_t count, const char *words)
{
	struct several *several = owner;

	several->find = NULL;
	if (names == NULL || !take_names(several, names, count)) {
		refuse(several, names == NULL ? words : ks_error_text(KS_NO_MEMORY));
		several_free(several);
		return;
	}
	several->request.state = REQUEST_LISTING;
	several->pending = 1; /* until each has begun */
	for (size_t i = 0; i < several->count; i++)
		begin_part(several, &several->parts[i]);
	end_part(several);
}

void provider_several(
	struct connection *connection, char *given, struct constraints *constraints, int pin_fd)
{
	struct several *several = calloc(1, sizeof(*several));

	if (several == NULL) {
		free(given);
		if (pin_fd >= 0)
			close(pin_fd);
		connection_answer(connection, MESSAGE_FAILURE);
		return;
	}
	*several = (struct several){.request = {.state = REQUEST_WAITING, .abandon = abandon},
		.connection = connection,
		.constraints = constraints == NULL ? NULL : constraints_reference(constraints),
		.given = given,
		.pin_fd = pin_fd};
	audit_provider(connection, given);
	if (constraints == NULL)
		configured_removed(connection->agent, NULL, given);
	several->find = provider_find(connection->agent, given, on_found, several);
	if (several->find != NULL) {
		connection->request = &several->request;
		return;
	}
	refuse(several, "no worker could be started for it, or too many providers are loaded");
	several_free(several);
}
