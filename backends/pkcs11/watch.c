/*
 * The thread. It sleeps in PC/SC, which wakes it; only while there is no pcscd it tries again from
 * time to time, since the sandbox keeps it from watching files.
 */
#include "watch.h"

#include <stdlib.h>
#include <time.h>

#include <keystile/log.h>

#include "readers.h"

/* While pcscd is not there, doubled each time: one that restarts is met after as long as it was
 * gone. */
#define RETRY_FIRST_MS 50
#define RETRY_LAST_MS 10000

/*
 * A card may have been too young when the module looked at it: it is looked at again after so long
 * each, where the module shows no token in its reader.
 */
static const unsigned looks_ms[] = {200, 1000, 5000};

#define LOOKS (sizeof(looks_ms) / sizeof(looks_ms[0]))

struct watch {
	struct provider *provider; /* NULL once the module is closed */
	pthread_mutex_t lock;	   /* held while the module is called */
	struct readers readers;
	size_t looks; /* at cards in which no token was seen; LOOKS: there are none, or that was all
		       */
};

static void sleep_ms(long ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0)
		;
}

/* The module sees the cards for itself; that a card went is told without waiting for it. */
static void cards_moved(struct watch *watch, struct provider *provider)
{
	for (size_t i = 0; i < watch->readers.count; i++)
		if (watch->readers.known[i].left)
			provider_card_left(provider, watch->readers.known[i].name,
				readers_has_card(&watch->readers.known[i]));
	if (provider_look_again(provider) != KS_OK)
		log_info("the slots could not be looked through");
}

static bool all_cards_seen(struct watch *watch, struct provider *provider)
{
	for (size_t i = 0; i < watch->readers.count; i++)
		if (readers_has_card(&watch->readers.known[i]) &&
			!provider_has_token_in(provider, watch->readers.known[i].name))
			return false;
	return true;
}

/* After news, and when it was time for another look. */
static void look(struct watch *watch, enum readers_news news)
{
	cards_moved(watch, watch->provider);
	if (all_cards_seen(watch, watch->provider))
		watch->looks = LOOKS;
	else if (news == READERS_MOVED)
		watch->looks = 0;
	else if (watch->looks < LOOKS)
		watch->looks++;
}

/* Somebody had a card for himself that the module does not show. */
static bool worth_a_look(struct watch *watch)
{
	bool freed = false;

	for (size_t i = 0; i < watch->readers.count; i++)
		freed |= watch->readers.known[i].freed;
	return freed && !all_cards_seen(watch, watch->provider);
}

/* False: the module is closed. */
static bool tell(struct watch *watch, enum readers_news news)
{
	bool open;

	pthread_mutex_lock(&watch->lock);
	open = watch->provider != NULL;
	if (open && news == READERS_SAME && worth_a_look(watch))
		news = READERS_MOVED;
	if (open && (news == READERS_MOVED || news == READERS_LATE))
		look(watch, news);
	else if (open && news == READERS_LOST)
		provider_service_lost(watch->provider);
	pthread_mutex_unlock(&watch->lock);
	return open;
}

/* False: the module is closed. */
static bool connect_again(struct watch *watch)
{
	long wait_ms = RETRY_FIRST_MS;

	while (!readers_connect(&watch->readers)) {
		sleep_ms(wait_ms);
		if (!tell(watch, READERS_SAME))
			return false;
		wait_ms = wait_ms * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : wait_ms * 2;
	}
	return true;
}

static void *watch_main(void *argument)
{
	struct watch *watch = argument;
	enum readers_news news = READERS_SAME;

	while (connect_again(watch)) {
		do
			news = readers_wait(
				&watch->readers, watch->looks < LOOKS ? looks_ms[watch->looks] : 0);
		while (tell(watch, news) && news != READERS_LOST);
		if (news != READERS_LOST)
			break;
		readers_disconnect(&watch->readers);
		log_info("pcscd has gone; its readers are looked for again");
	}
	return NULL;
}

struct watch *watch_start(struct provider *provider)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	pthread_t thread;

	if (!watch)
		return NULL;
	pthread_mutex_init(&watch->lock, NULL);
	watch->provider = provider;
	watch->looks = LOOKS;
	if (readers_find(&watch->readers) &&
		pthread_create(&thread, NULL, watch_main, watch) == 0) {
		pthread_detach(thread);
		return watch;
	}
	free(watch);
	return NULL;
}

void watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	watch->provider = NULL;
	pthread_mutex_unlock(&watch->lock);
}
