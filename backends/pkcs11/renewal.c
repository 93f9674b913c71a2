/*
 * When the module is finalised and initialised anew: after it lost pcscd, and after cards left, as
 * modules miss that one was out for a moment and go on with what it had been.
 */
#include "provider.h"

#include <time.h>

#include <keystile/log.h>

#include "slots.h"

/* How long requests have to leave, whose token went, before the module is used as it is. */
#define LEAVING_PAUSES 60
#define LEAVING_PAUSE_MS 50

static void set_worn(struct provider *provider, bool worn)
{
	pthread_mutex_lock(&provider->lock);
	provider->worn = worn;
	pthread_mutex_unlock(&provider->lock);
}

void provider_wear(struct provider *provider)
{
	set_worn(provider, true);
}

static bool is_worn(struct provider *provider)
{
	bool worn;

	pthread_mutex_lock(&provider->lock);
	worn = provider->worn;
	pthread_mutex_unlock(&provider->lock);
	return worn;
}

/* The caller is alone. Slots may have other numbers afterwards. */
static enum ks_error begin_anew(struct provider *provider, struct ks_operation *operation)
{
	enum ks_error error;

	log_debug("the module begins anew");
	set_worn(provider, false);
	for (size_t i = 0; i < provider->count; i++)
		token_drop_sessions(provider->tokens[i], token_generation(provider->tokens[i]));
	module_finalize(&provider->module);
	error = module_initialize(&provider->module, operation);
	return error == KS_OK ? slots_scan(provider, operation) : error;
}

/* Where others are inside it goes on as it is: one of them may wait for a person. */
static enum ks_error renew_if_worn(struct provider *provider, struct ks_operation *operation)
{
	enum ks_error error = KS_OK;

	if (!is_worn(provider) || !gate_try_alone(&provider->calls))
		return KS_OK;
	if (is_worn(provider))
		error = begin_anew(provider, operation);
	gate_leave(&provider->calls);
	return error;
}

static enum ks_error initialize_alone(struct provider *provider, struct ks_operation *operation)
{
	enum ks_error error = gate_enter_alone(&provider->calls, operation);

	if (error != KS_OK)
		return error;
	if (!provider->module.initialized)
		error = begin_anew(provider, operation);
	gate_leave(&provider->calls);
	return error;
}

enum ks_error provider_enter(struct provider *provider, struct ks_operation *operation)
{
	enum ks_error error = renew_if_worn(provider, operation);

	while (error == KS_OK) {
		error = gate_enter(&provider->calls, operation);
		if (error != KS_OK || provider->module.initialized)
			break;
		gate_leave(&provider->calls);
		error = initialize_alone(provider, operation);
	}
	return error;
}

enum ks_error provider_look_again(struct provider *provider)
{
	const struct timespec pause = {.tv_nsec = LEAVING_PAUSE_MS * 1000000L};
	enum ks_error error;

	for (int i = 0; i < LEAVING_PAUSES && is_worn(provider); i++) {
		error = renew_if_worn(provider, NULL);
		if (error != KS_OK)
			return error;
		if (is_worn(provider))
			nanosleep(&pause, NULL);
	}
	error = provider_enter(provider, NULL);
	if (error != KS_OK)
		return error;
	error = provider_refresh(provider, NULL, REFRESH_CHANGED);
	provider_leave(provider);
	return error;
}

static bool has_login(struct provider *provider)
{
	bool any = false;

	for (size_t i = 0; i < provider->count; i++)
		any |= token_is_logged_in(provider->tokens[i]);
	return any;
}

static void rest(struct provider *provider)
{
	for (size_t i = 0; i < provider->count; i++)
		token_drop_sessions(provider->tokens[i], token_generation(provider->tokens[i]));
	module_finalize(&provider->module);
	log_debug("the module rests");
}

void provider_rest(struct provider *provider)
{
	if (!provider->module.in_readers || !gate_try_alone(&provider->calls))
		return;
	if (provider->module.initialized && !has_login(provider))
		rest(provider);
	gate_leave(&provider->calls);
}

void provider_leave(struct provider *provider)
{
	pthread_mutex_lock(&provider->lock);
	clock_gettime(CLOCK_MONOTONIC, &provider->used);
	if (!provider->used_since)
		pthread_cond_broadcast(&provider->entered);
	provider->used_since = true;
	pthread_mutex_unlock(&provider->lock);
	gate_leave(&provider->calls);
}
