/*
 * One timer for the earliest end. When it fires everything that is over goes, and the next end is
 * looked for.
 */
#include "expiry.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <keystile/log.h>

#include "agent.h"
#include "configured.h"
#include "key_change.h"
#include "login_release.h"
#include "provider.h"

uint64_t expiry_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t expiry_after(uint32_t seconds)
{
	uint64_t when_ms = expiry_now_ms() + (uint64_t)seconds * 1000;

	return when_ms > 0 ? when_ms : 1;
}

static bool over(uint64_t when_ms, uint64_t now_ms)
{
	return when_ms != 0 && when_ms <= now_ms;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* One whose time is over, or NULL; *next is made the earliest end of the others. */
static struct provider *find_provider(struct agent *agent, uint64_t now_ms, uint64_t *next_ms)
{
	for (struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next) {
		if (over(provider->expires_ms, now_ms))
			return provider;
		*next_ms = sooner(*next_ms, provider->expires_ms);
	}
	return NULL;
}

static struct key *find_key(struct agent *agent, uint64_t now_ms, uint64_t *next_ms)
{
	for (struct key *key = agent->keyring.first; key != NULL; key = key->next) {
		const struct key_source *source = key_added_source(key);

		if (source != NULL && over(source->expires_ms, now_ms))
			return key;
		*next_ms = sooner(*next_ms, source != NULL ? source->expires_ms : 0);
	}
	return NULL;
}

static void arm(struct expiry *expiry)
{
	struct itimerspec when = {0};

	when.it_value.tv_sec = (time_t)(expiry->next_ms / 1000);
	when.it_value.tv_nsec = (long)(expiry->next_ms % 1000) * 1000000;
	if (expiry->fd >= 0)
		timerfd_settime(expiry->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void expiry_at(struct agent *agent, uint64_t when_ms)
{
	struct expiry *expiry = &agent->expiry;
	uint64_t next_ms = sooner(expiry->next_ms, when_ms);

	if (next_ms == expiry->next_ms)
		return;
	expiry->next_ms = next_ms;
	arm(expiry);
}

static void drop_what_is_over(struct agent *agent)
{
	uint64_t now_ms = expiry_now_ms();
	uint64_t next_ms = 0;
	struct provider *provider;
	struct key *key;

	while ((provider = find_provider(agent, now_ms, &next_ms)) != NULL) {
		log_info("the lifetime of %s is over", provider->name);
		configured_removed(agent, provider, NULL);
		provider_unload(provider);
	}
	while ((key = find_key(agent, now_ms, &next_ms)) != NULL) {
		log_info("the lifetime of a key is over");
		key_change_forget(key);
	}
	agent->expiry.next_ms = sooner(next_ms, login_release_due(agent, now_ms));
	arm(&agent->expiry);
}

void expiry_check(struct agent *agent)
{
	if (agent->expiry.next_ms != 0 && over(agent->expiry.next_ms, expiry_now_ms()))
		drop_what_is_over(agent);
}

static void on_due(uv_poll_t *poll, int status, int events)
{
	struct agent *agent = poll->data;
	uint64_t times;

	(void)status;
	(void)events;
	if (read(agent->expiry.fd, &times, sizeof(times)) > 0)
		drop_what_is_over(agent);
}

enum ks_error expiry_init(struct agent *agent)
{
	struct expiry *expiry = &agent->expiry;

	*expiry = (struct expiry){.fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)};
	if (expiry->fd < 0)
		return KS_NO_MEMORY;
	if (uv_poll_init(&agent->loop, &expiry->poll, expiry->fd) != 0) {
		close(expiry->fd);
		expiry->fd = -1;
		return KS_NO_MEMORY;
	}
	expiry->poll.data = agent;
	uv_poll_start(&expiry->poll, UV_READABLE, on_due);
	uv_unref((uv_handle_t *)&expiry->poll);
	return KS_OK;
}

void expiry_deinit(struct agent *agent)
{
	struct expiry *expiry = &agent->expiry;

	if (expiry->fd < 0)
		return;
	uv_poll_stop(&expiry->poll);
	uv_close((uv_handle_t *)&expiry->poll, NULL);
	close(expiry->fd);
	expiry->fd = -1;
}
