/*
 * What a signature asks of the person: the facts and the words of a prompt, and the PIN. The
 * confirmation is in sign_confirm.c, the touch in sign_touch.c.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "host_naming.h"
#include "listener.h"
#include "prompt_path.h"
#include "prompt_text.h"
#include "provider.h"
#include "sign_journey.h"

/* Of remote.sock the words of the origin say it. */
static const char *configured_listener(const struct connection *connection)
{
	const char *name = connection->listener->name;
	bool everywhere = strcmp(name, "agent") == 0 || strcmp(name, "remote") == 0;

	return everywhere ? NULL : name;
}

struct prompt_facts sign_prompt_facts(const struct sign *sign, const struct token *token)
{
	return (struct prompt_facts){.token = token,
		.key = sign->key,
		.subject = &sign->subject,
		.origin = &sign->connection->origin,
		.peer = &sign->connection->peer,
		.listener = configured_listener(sign->connection),
		.binds = &sign->connection->binds,
		.tries_left = KS_TRIES_UNKNOWN};
}

/* NULL when out of memory; the caller frees it. */
static char *text_of(const struct sign *sign, struct prompt_facts facts)
{
	struct host_names hosts[SESSION_BINDS_MAX] = {0};
	struct parents parents = {0};
	const struct connection *connection = sign->connection;
	char *text = NULL;
	bool failed = false;

	for (size_t i = 0; i < connection->binds.count; i++) {
		hosts[i] = host_naming(
			connection->agent, &connection->binds.records[i], &connection->peer);
		failed |= hosts[i].failed;
	}
	facts.hosts = hosts;
	/* What started a relay says nothing about who is behind it. */
	if (!sign_remote(sign)) {
		parents_read(&parents, &connection->peer);
		facts.parents = &parents;
	}
	if (!failed)
		text = prompt_text(&facts);
	parents_deinit(&parents);
	for (size_t i = 0; i < connection->binds.count; i++)
		host_names_deinit(&hosts[i]);
	return text;
}

char *sign_path(const struct sign *sign)
{
	const struct connection *connection = sign->connection;

	return sign_remote(sign) ? prompt_path(&connection->peer, connection->listener->name)
				 : NULL;
}

/* What is remote is never asked about in the terminal of the program that brought it. */
static struct prompt_asker asker_of(const struct sign *sign)
{
	const struct peer *peer = &sign->connection->peer;

	if (sign_remote(sign))
		return (struct prompt_asker){0};
	return (struct prompt_asker){.pid = peer->pid, .start_time = peer->start_time};
}

/* One line, NULL when out of memory. */
static char *about_of(const struct sign *sign, const struct prompt_facts *facts)
{
	AUTO(text) subject = subject_text(&sign->subject);

	if (subject == NULL || facts->what != PROMPT_FOR_INSERTION)
		return TAKE_TEXT(subject);
	return text_format("insert the token: %s", subject);
}

enum ks_error sign_ask(struct sign *sign, const struct sign_question *question, struct prompt **out)
{
	AUTO(text) text = text_of(sign, *question->facts);
	AUTO(text) trouble = prompt_trouble(question->facts);
	AUTO(text) about = about_of(sign, question->facts);
	const struct connection *connection = sign->connection;
	AUTO(text) path = sign_path(sign);
	const char *words = "out of memory";
	enum ks_error error = KS_NO_MEMORY;
	struct prompt_wish wish = {.kind = question->kind,
		.password = question->facts->what == PROMPT_FOR_UNLOCK,
		.text = text,
		.trouble = trouble,
		.about = about,
		.asker = asker_of(sign),
		.remember_seconds = question->remember_seconds,
		.path = path,
		.answered = question->answered,
		.shown = question->shown,
		.owner = sign};

	*out = NULL;
	if (text != NULL && trouble != NULL && about != NULL &&
		(path != NULL || !sign_remote(sign)))
		error = prompt_ask(connection->agent, &wish, out, &words);
	sign->not_asked = error != KS_OK ? words : NULL;
	if (error != KS_OK)
		log_warning("the person was not asked: %s", words);
	return error;
}

/* In static words; NULL: there is a PIN. */
static const char *why_no_pin(const struct sign *sign, enum prompt_status status)
{
	const char *obstacle = prompt_obstacle(sign->connection->agent);

	switch (status) {
	case PROMPT_YES:
	case PROMPT_YES_REMEMBER: /* to a PIN it is never given */
		return NULL;
	case PROMPT_NO:
		return "the person gave no PIN";
	case PROMPT_NOBODY:
		return obstacle != NULL ? obstacle : "the prompt could not be shown";
	case PROMPT_FAILED:
		break;
	}
	return "the prompt failed; the log says how";
}

static void on_pin(void *owner, enum prompt_status status, int pin_fd)
{
	struct sign *sign = owner;
	enum ks_error verdict = status == PROMPT_YES ? KS_OK : KS_REFUSED;

	sign->not_asked = why_no_pin(sign, status);
	if (status == PROMPT_NOBODY)
		verdict = KS_PIN_NEEDED;
	sign->prompt = NULL;
	sign->request.state = REQUEST_SIGNING;
	operation_answer_pin(sign->operation, verdict, pin_fd);
}

struct token *sign_token_in_use(const struct sign *sign, uint32_t token_id)
{
	for (struct key_source *source = sign->key->sources; source != NULL;
		source = source->next) {
		struct provider *provider = source->token->provider;

		if (source->hidden || provider->worker != sign->worker)
			continue;
		if (provider->needs->keys_on_any_token)
			return provider_token(provider, token_id);
		if (source->token->id == token_id && token_id == sign->token)
			return source->token;
	}
	return NULL;
}

/*
 * A token that was out for a moment has brought its keys anew, and this one's record has no source
 * any more. False: it is decided otherwise now, and sign is dead.
 */
static bool follow_key(struct sign *sign)
{
	struct key *now;

	if (sign->key->sources != NULL)
		return true;
	now = keyring_find(&sign->connection->agent->keyring, buf_bytes(&sign->key->blob));
	if (now == NULL || key_public(now) == NULL) /* parsed, as those are that sign */
		return true;
	key_release(&sign->key);
	sign->key = key_reference(now);
	return sign_still_decided(sign);
}

static void ask_pin(struct operation *operation, uint32_t token_id, int32_t tries_left, bool retry)
{
	struct sign *sign = operation->owner;
	struct token *token = sign_token_in_use(sign, token_id);
	struct prompt_facts facts = sign_prompt_facts(sign, token);
	const struct sign_question question = {
		.kind = PROMPT_PIN, .facts = &facts, .answered = on_pin};
	enum ks_error error = KS_NO_TOKEN;

	if (token != NULL) {
		facts.what = PROMPT_FOR_PIN;
		facts.tries_left = tries_left;
		facts.retry = retry;
		error = sign_ask(sign, &question, &sign->prompt);
	}
	if (error == KS_OK)
		sign->request.state = REQUEST_ASKING;
	else
		operation_answer_pin(operation, error, -1);
}

void sign_pin_wanted(struct operation *operation, uint32_t token_id, int32_t tries_left, bool retry)
{
	if (operation_is_in_the_way(operation))
		sign_yield(operation->owner);
	else if (follow_key(operation->owner))
		ask_pin(operation, token_id, tries_left, retry);
}

void sign_token_gone(struct operation *operation)
{
	sign_refuse_error(operation->owner, KS_NO_TOKEN,
		bytes_of("token removed: it was pulled out while its PIN was asked for"));
}
