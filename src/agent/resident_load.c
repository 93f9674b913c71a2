/*
 * One operation of the worker of security keys, and the questions that it has.
 */
#include "resident_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/process.h>
#include <keystile/text.h>

#include "agent.h"
#include "control_server.h"
#include "foreign_text.h"
#include "provider.h"

#define PROVIDER "fido2:"
#define ABOUT "resident keys of a security key"

struct resident_load {
	struct agent *agent;
	struct control *control;
	struct provider_wait *wait;
	struct provider *provider; /* held */
	struct operation *operation;
	struct prompt *prompt;
	char *request; /* what the worker is asked */
	bool names;    /* nobody else wanted what is on its tokens */
};

static void load_free(struct resident_load *load)
{
	if (load->prompt != NULL)
		prompt_withdraw(load->prompt);
	if (load->wait != NULL)
		provider_wait_abandon(load->wait);
	if (load->operation != NULL)
		operation_abandon(load->operation);
	if (load->provider != NULL)
		provider_let_go(load->provider);
	free(load->request);
	free(load);
}

void resident_load_abandon(struct resident_load *load)
{
	load_free(load);
}

static void finish(struct resident_load *load, json_t *object)
{
	struct control *control = load->control;

	load_free(load);
	control_loaded(control, object);
}

static void refuse(struct resident_load *load, const char *words)
{
	finish(load, json_pack("{s:b,s:o}", "ok", 0, "error", foreign_text(words)));
}

/* ---- The PIN ---- */

static char *question(const struct token *token, int32_t tries_left, bool retry)
{
	char label[TEXT_QUOTED_MAX];
	char place[TEXT_QUOTED_MAX];
	AUTO(text) tries =
		tries_left >= 0 ? text_format("Tries left: %d\n", (int)tries_left) : strdup("");

	if (tries == NULL)
		return NULL;
	return text_format("%sPIN for the token\n    %s\nin\n    %s\n%s"
			   "The keys for SSH that are resident on it are read, as keystile fido "
			   "load wants\n",
		retry ? "That PIN was wrong.\n" : "", text_quote(bytes_of(token->label), label),
		text_quote(bytes_of(token->location), place), tries);
}

static void on_pin(void *owner, enum prompt_status status, int pin_fd)
{
	struct resident_load *load = owner;
	enum ks_error verdict = status == PROMPT_YES ? KS_OK : KS_REFUSED;

	load->prompt = NULL;
	operation_answer_pin(
		load->operation, status == PROMPT_NOBODY ? KS_PIN_NEEDED : verdict, pin_fd);
}

static struct prompt_asker asker_of(const struct resident_load *load)
{
	struct process process;

	if (!process_read(control_pid(load->control), &process))
		return (struct prompt_asker){0};
	return (struct prompt_asker){.pid = process.pid, .start_time = process.start_time};
}

static void on_pin_wanted(
	struct operation *operation, uint32_t token_id, int32_t tries_left, bool retry)
{
	struct resident_load *load = operation->owner;
	const struct token *token = provider_token(load->provider, token_id);
	AUTO(text) text = token == NULL ? NULL : question(token, tries_left, retry);
	const struct prompt_wish wish = {.kind = PROMPT_PIN,
		.text = text,
		.trouble = retry ? "That PIN was wrong." : NULL,
		.about = ABOUT,
		.asker = asker_of(load),
		.answered = on_pin,
		.owner = load};
	const char *words = "the token is not there";
	enum ks_error error = KS_NO_TOKEN;

	if (text != NULL)
		error = prompt_ask(load->agent, &wish, &load->prompt, &words);
	if (error == KS_OK)
		return;
	log_warning("the person was not asked: %s", words);
	operation_answer_pin(operation, error, -1);
}

/* ---- The operation ---- */

static void on_done(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct resident_load *load = operation->owner;
	struct provider *provider = load->provider;
	unsigned count = keyring_count(&load->agent->keyring, provider);
	char quoted[TEXT_WORDS_MAX];
	char text[512];

	(void)result;
	load->operation = NULL;
	keyring_unhide(&load->agent->keyring, provider);
	if (count > 0)
		provider->established = provider->asked_for = true;
	else if (load->names)
		provider_unload(provider);
	if (error == KS_OK) {
		finish(load, json_pack("{s:b,s:i}", "ok", 1, "keys", (int)count));
		return;
	}
	snprintf(text, sizeof(text), "%s%s%s", ks_error_text(error), words.len > 0 ? ": " : "",
		words.len > 0 ? text_quote_words(words, quoted) : "");
	refuse(load, text);
}

/* Whose PIN is typed is not there any more: the worker says so. */
static void on_token_gone(struct operation *operation)
{
	struct resident_load *load = operation->owner;

	if (load->prompt != NULL)
		prompt_withdraw(load->prompt);
	load->prompt = NULL;
	operation_answer_pin(operation, KS_NO_TOKEN, -1);
}

static const struct operation_events events = {
	.done = on_done, .ask_pin = on_pin_wanted, .token_gone = on_token_gone};

static void on_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct resident_load *load = owner;
	struct frame frame = {
		.type = FRAME_ADMINISTER, .administer = {.request = bytes_of(load->request)}};
	const struct operation_wish wish = {
		.frame = &frame, .fd = -1, .events = &events, .owner = load};

	load->wait = NULL;
	if (error != KS_OK) {
		refuse(load, words);
		return;
	}
	provider_hold(provider);
	load->provider = provider;
	load->names = provider_name_it(provider);
	if (worker_operate(provider->worker, &wish, &load->operation) != KS_OK)
		refuse(load, "too many requests wait for security keys");
}

/* NULL when out of memory. */
static char *request_for(const json_t *wish)
{
	const char *token = json_string_value(json_object_get(wish, "token"));
	json_t *request = json_pack("{s:s,s:b,s:s*}", "verb", "load", "ask", 1, "token", token);
	char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);

	json_decref(request);
	return text;
}

struct resident_load *resident_load_start(
	struct agent *agent, struct control *control, const json_t *request)
{
	struct resident_load *load = calloc(1, sizeof(*load));

	if (load == NULL)
		return NULL;
	*load = (struct resident_load){
		.agent = agent, .control = control, .request = request_for(request)};
	if (load->request != NULL && provider_loadable(PROVIDER))
		load->wait = provider_open(agent, PROVIDER, false, on_opened, load);
	if (load->wait != NULL)
		return load;
	load_free(load);
	return NULL;
}
