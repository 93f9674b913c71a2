/*
 * Gives cards back when nobody has used the module for a while and no login is open: the module is
 * finalised, as it keeps a connection to each card for as long as it is initialised, and a program
 * that wants the card for itself is refused. How long a login stays open is the agent's to say.
 */
#include "idle.h"

#include <time.h>

#include <keystile/log.h>

/* Long enough for one signature after the other, short enough for a person who turns to another
 * program. */
#define QUIET_SECONDS 5

static bool has_passed(const struct timespec *when)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > when->tv_sec ||
	       (now.tv_sec == when->tv_sec && now.tv_nsec >= when->tv_nsec);
}

/*
 * Under the lock: until it was used, and then for as long as nobody did. What it finds then
 * changes by another use only. False: it ends.
 */
static bool await_idleness(struct provider *provider)
{
	while (!provider->ends) {
		struct timespec until = provider->used;

		until.tv_sec += QUIET_SECONDS;
		if (!provider->used_since)
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
		provider->used_since = false;
		pthread_mutex_unlock(&provider->lock);
		provider_rest(provider);
		pthread_mutex_lock(&provider->lock);
	}
	pthread_mutex_unlock(&provider->lock);
	return NULL;
}

void idle_start(struct provider *provider)
{
	clock_gettime(CLOCK_MONOTONIC, &provider->used);
	provider->used_since = true;
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
