/*
 * Gives cards back when nobody has used the module for a while: its login is ended and the module
 * finalised, as it keeps a connection to the card for as long as it is initialised, and a program
 * that wants the card for itself is refused. Off unless KEYSTILE_PKCS11_IDLE_SECONDS says how long.
 */
#include "idle.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <keystile/log.h>

#define VARIABLE "KEYSTILE_PKCS11_IDLE_SECONDS"
#define SECONDS_MOST 3600

enum ks_error idle_seconds(struct ks_operation *operation, unsigned *out)
{
	const char *text = getenv(VARIABLE);
	char *end = NULL;
	unsigned long value;

	*out = 0;
	if (!text)
		return KS_OK;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' &&
		value <= SECONDS_MOST) {
		*out = (unsigned)value;
		return KS_OK;
	}
	ks_explain(operation, VARIABLE " must be a number from 0 to %d", SECONDS_MOST);
	return KS_BAD_INPUT;
}

static bool has_passed(const struct timespec *when)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > when->tv_sec ||
	       (now.tv_sec == when->tv_sec && now.tv_nsec >= when->tv_nsec);
}

/* Under the lock: until it was used, and then for as long as nobody did. False: it ends. */
static bool await_idleness(struct provider *provider)
{
	while (!provider->ends) {
		struct timespec until = provider->used;

		until.tv_sec += provider->idle_seconds;
		if (!provider->in_use)
			pthread_cond_wait(&provider->entered, &provider->lock);
		else if (has_passed(&until))
			return true;
		else
			pthread_cond_timedwait(&provider->entered, &provider->lock, &until);
	}
	return false;
}

static void *idle_main(void *argument)
{
	struct provider *provider = argument;

	pthread_mutex_lock(&provider->lock);
	while (await_idleness(provider)) {
		clock_gettime(CLOCK_MONOTONIC, &provider->used);
		pthread_mutex_unlock(&provider->lock);
		provider_rest(provider);
		pthread_mutex_lock(&provider->lock);
	}
	pthread_mutex_unlock(&provider->lock);
	return NULL;
}

void idle_start(struct provider *provider, unsigned seconds)
{
	provider->idle_seconds = seconds;
	clock_gettime(CLOCK_MONOTONIC, &provider->used);
	provider->in_use = true;
	provider->idle_runs = pthread_create(&provider->idle, NULL, idle_main, provider) == 0;
	if (!provider->idle_runs)
		log_warning("cards are not given back when idle: no thread");
}

void idle_stop(struct provider *provider)
{
	if (!provider->idle_runs)
		return;
	pthread_mutex_lock(&provider->lock);
	provider->ends = true;
	pthread_cond_broadcast(&provider->entered);
	pthread_mutex_unlock(&provider->lock);
	pthread_join(provider->idle, NULL);
}
