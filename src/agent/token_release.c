/*
 * One operation for each token, all at once. What a worker has not answered after four seconds is
 * said to be in use: the command that asked waits for five.
 */
#include "token_release.h"

#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "control_server.h"
#include "foreign_text.h"
#include "provider.h"

#define PATIENCE_MS 4000

struct one_release {
	struct one_release *next;
	struct token_release *release;
	struct operation *operation; /* NULL: over */
	char *label;
	char *serial;
	const char *error; /* or NULL */
};

struct token_release {
	struct control *control; /* NULL: gone */
	struct one_release *all;
	uv_timer_t patience;
	bool started;
};

static void on_closed(uv_handle_t *handle)
{
	struct token_release *release = handle->data;

	while (release->all != NULL) {
		struct one_release *one = release->all;

		release->all = one->next;
		free(one->label);
		free(one->serial);
		free(one);
	}
	free(release);
}

static json_t *answer(const struct token_release *release)
{
	json_t *list = json_array();

	for (const struct one_release *one = release->all; one != NULL; one = one->next) {
		const char *error = one->operation != NULL
					    ? "a request is in work, so it is still in use"
					    : one->error;

		json_array_append_new(
			list, json_pack("{s:o,s:o,s:s*}", "label", foreign_text(one->label),
				      "serial", foreign_text(one->serial), "error", error));
	}
	return json_pack("{s:b,s:o}", "ok", 1, "tokens", list);
}

/* An operation that is in work goes on and ends without us. */
static void finish(struct token_release *release)
{
	struct control *control = release->control;

	if (uv_is_closing((uv_handle_t *)&release->patience))
		return;
	json_t *object = control != NULL ? answer(release) : NULL;

	for (struct one_release *one = release->all; one != NULL; one = one->next) {
		if (one->operation != NULL)
			operation_abandon(one->operation);
		one->operation = NULL;
	}
	release->control = NULL;
	uv_close((uv_handle_t *)&release->patience, on_closed);
	if (control != NULL)
		control_released(control, object);
}

void token_release_abandon(struct token_release *release)
{
	release->control = NULL;
	finish(release);
}

static bool in_work(const struct token_release *release)
{
	for (const struct one_release *one = release->all; one != NULL; one = one->next)
		if (one->operation != NULL)
			return true;
	return false;
}

static void on_done(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct one_release *one = operation->owner;

	(void)words;
	(void)result;
	one->operation = NULL;
	/* One that holds nothing open has nothing to give back. */
	one->error = error == KS_OK || error == KS_UNSUPPORTED ? NULL : ks_error_text(error);
	if (one->release->started && !in_work(one->release))
		finish(one->release);
}

static void on_patience_over(uv_timer_t *timer)
{
	finish(timer->data);
}

/* False: out of memory. */
static bool start_one(struct token_release *release, const struct token *token)
{
	static const struct operation_events events = {.done = on_done};
	struct frame frame = {.type = FRAME_RELEASE, .release.token = token->id};
	struct one_release *one = calloc(1, sizeof(*one));
	struct operation_wish wish = {.frame = &frame, .fd = -1, .events = &events, .owner = one};
	enum ks_error error;

	if (one == NULL)
		return false;
	*one = (struct one_release){.next = release->all,
		.release = release,
		.label = strdup(token->label),
		.serial = strdup(token->serial)};
	release->all = one;
	error = worker_operate(token->provider->worker, &wish, &one->operation);
	if (error != KS_OK)
		one->error = ks_error_text(error);
	return true;
}

static bool is_named(const struct token *token, const char *name)
{
	return name == NULL || strcmp(token->label, name) == 0 || strcmp(token->serial, name) == 0;
}

static bool start_all(struct token_release *release, struct provider *provider, const char *name)
{
	if (provider->needs->takes_keys || provider->worker == NULL ||
		provider->state != PROVIDER_READY)
		return true;
	for (const struct token *token = provider->tokens; token != NULL; token = token->next)
		if (is_named(token, name) && !start_one(release, token))
			return false;
	return true;
}

struct token_release *token_release_start(
	struct agent *agent, struct control *control, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "token"));
	struct token_release *release = calloc(1, sizeof(*release));
	bool good = true;

	if (release == NULL)
		return NULL;
	uv_timer_init(&agent->loop, &release->patience);
	release->patience.data = release;
	for (struct provider *provider = agent->providers; good && provider != NULL;
		provider = provider->next)
		good = start_all(release, provider, name);
	if (!good) {
		token_release_abandon(release);
		return NULL;
	}
	release->control = control;
	release->started = true;
	/* Never from within. */
	uv_timer_start(&release->patience, on_patience_over, in_work(release) ? PATIENCE_MS : 0, 0);
	return release;
}
