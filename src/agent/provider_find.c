/*
 * See provider_find.h. The worker is a provider's like any other for as long as that takes, so it
 * is confined, has its deadline, and is closed when nobody holds it any more.
 */
#include "provider_find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <keystile/text.h>

#include "agent.h"
#include "provider.h"

struct provider_find {
	struct agent *agent;
	provider_found *found;
	void *owner;
	struct provider_wait *wait;
	struct provider *provider; /* held */
	struct operation *operation;
};

struct names {
	char *list[PROVIDER_FIND_MAX];
	size_t count;
};

bool provider_find_due(const char *given)
{
	const struct ks_needs *needs = provider_backend(given);

	return needs != NULL && needs->finds_providers;
}

/* p11-kit writes a "/" of a path into a URI as %2F. */
const char *provider_find_file(const char *name)
{
	static const char slash[] = "%2F";
	const char *end = strrchr(name, '/');
	const char *next;

	end = end != NULL ? end + 1 : name;
	while ((next = strstr(end, slash)) != NULL)
		end = next + strlen(slash);
	return end;
}

void provider_find_abandon(struct provider_find *find)
{
	if (find->wait != NULL)
		provider_wait_abandon(find->wait);
	if (find->operation != NULL)
		operation_abandon(find->operation);
	if (find->provider != NULL)
		provider_let_go(find->provider);
	free(find);
}

static void finish(struct provider_find *find, struct names *names, const char *words)
{
	provider_found *found = find->found;
	void *owner = find->owner;

	provider_find_abandon(find);
	found(owner, words == NULL ? names->list : NULL, names->count, words);
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
}

static bool is_known(const struct names *names, const char *name)
{
	size_t i = 0;

	while (i < names->count && strcmp(names->list[i], name) != 0)
		i++;
	return i < names->count;
}

/* A module by its path, or tokens of one: nothing else can be found. */
static bool is_module(const char *name)
{
	const struct ks_needs *needs = provider_backend(name);

	return strlen(name) <= PROVIDER_NAME_MAX && needs != NULL && needs->scheme == NULL &&
	       needs->loads_path &&
	       (name[0] == '/' || strncmp(name, "pkcs11:", strlen("pkcs11:")) == 0);
}

/* NULL, or what is wrong with the answer. */
static const char *take(const json_t *list, struct names *out)
{
	if (json_array_size(list) == 0 || json_array_size(list) > PROVIDER_FIND_MAX)
		return "the answer about modules makes no sense";
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (name == NULL || !is_module(name))
			return "the answer about modules makes no sense";
		if (is_known(out, name))
			continue;
		out->list[out->count] = strdup(name);
		if (out->list[out->count] == NULL)
			return ks_error_text(KS_NO_MEMORY);
		out->count++;
	}
	return NULL;
}

static void on_done(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct provider_find *find = operation->owner;
	struct names names = {.count = 0};
	char quoted[TEXT_WORDS_MAX];
	char text[512];
	json_t *answer;

	find->operation = NULL;
	if (error != KS_OK) {
		snprintf(text, sizeof(text), "%s%s%s", ks_error_text(error),
			words.len > 0 ? ": " : "",
			words.len > 0 ? text_quote_words(words, quoted) : "");
		finish(find, &names, text);
		return;
	}
	answer = json_loadb((const char *)result.data, result.len, 0, NULL);
	finish(find, &names, take(json_object_get(answer, "providers"), &names));
	json_decref(answer);
}

static const struct operation_events events = {.done = on_done};

static void on_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct provider_find *find = owner;
	struct names none = {.count = 0};
	struct frame frame = {.type = FRAME_ADMINISTER,
		.administer = {.request = bytes_of("{\"verb\": \"find\"}")}};
	const struct operation_wish wish = {
		.frame = &frame, .fd = -1, .events = &events, .owner = find};

	find->wait = NULL;
	if (error != KS_OK) {
		finish(find, &none, words);
		return;
	}
	provider_hold(provider);
	find->provider = provider;
	if (worker_operate(provider->worker, &wish, &find->operation) != KS_OK)
		finish(find, &none, "too many requests wait for it");
}

struct provider_find *provider_find(
	struct agent *agent, const char *given, provider_found *found, void *owner)
{
	struct provider_find *find = calloc(1, sizeof(*find));

	if (find == NULL)
		return NULL;
	*find = (struct provider_find){.agent = agent, .found = found, .owner = owner};
	find->wait = provider_open(agent, given, false, on_opened, find);
	if (find->wait != NULL)
		return find;
	free(find);
	return NULL;
}
