/*
 * The thread that gives the TPM back: others can't use what we hold, and a device without resource
 * manager they can't even open. It also forgets PINs whose time is over.
 */
#include <time.h>
#include <unistd.h>

#include <keystile/log.h>

#include "provider.h"
#include "wanted.h"

#define LOOK_EVERY_SECONDS 1
#define LAST_WORDS_SECONDS 1 /* for the answers that are on their way */

static void forget_old_pins(struct tpm2 *tpm2)
{
	const uint64_t now_ms = tpm2_now_ms();

	for (size_t i = 0; i < tpm2->key_count; i++)
		if (tpm2->keys[i]->kept.len > 0 && tpm2->keys[i]->kept_until_ms <= now_ms)
			provider_forget_pin(tpm2, tpm2->keys[i]);
}

static bool keeps_pins(const struct tpm2 *tpm2)
{
	for (size_t i = 0; i < tpm2->key_count; i++)
		if (tpm2->keys[i]->kept.len > 0)
			return true;
	return false;
}

/* Under the lock: until there is something to watch, then a moment. */
static void wait_a_while(struct tpm2 *tpm2)
{
	struct timespec until;

	/* It may have become so before this thread was first here. */
	if (tpm2->outdated)
		return;
	if (tpm2->held.tpm.esys == NULL && !keeps_pins(tpm2)) {
		tpm2->idle_sleeps = true;
		pthread_cond_wait(&tpm2->used, &tpm2->lock);
		tpm2->idle_sleeps = false;
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOOK_EVERY_SECONDS;
	pthread_cond_timedwait(&tpm2->used, &tpm2->lock, &until);
}

/* Under the lock. The agent starts another process, which may open the TPM that is there now. */
static void end_outdated(struct tpm2 *tpm2)
{
	log_warning("there is another TPM device than before: the worker starts anew to reach it");
	pthread_mutex_unlock(&tpm2->lock);
	sleep(LAST_WORDS_SECONDS);
	_exit(0);
}

/* Nothing has used it for a while, or another worker finds no room. */
static bool is_over(struct tpm2 *tpm2)
{
	const uint64_t idle_ms = tpm2->settings.idle_seconds * UINT64_C(1000);

	return wanted_by_another(tpm2->settings.state_folder, &tpm2->wanted_seen) ||
	       tpm2_now_ms() - tpm2->used_ms >= idle_ms;
}

static void *watch(void *argument)
{
	struct tpm2 *tpm2 = argument;

	pthread_mutex_lock(&tpm2->lock);
	while (!tpm2->ends) {
		wait_a_while(tpm2);
		if (tpm2->outdated)
			end_outdated(tpm2);
		forget_old_pins(tpm2);
		if (tpm2->held.tpm.esys != NULL && is_over(tpm2)) {
			log_debug("the TPM is given back");
			held_release(&tpm2->held);
		}
	}
	pthread_mutex_unlock(&tpm2->lock);
	return NULL;
}

enum ks_error provider_watch_idle(struct tpm2 *tpm2)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&tpm2->used, &monotonic);
	pthread_condattr_destroy(&monotonic);
	tpm2->idle_runs = pthread_create(&tpm2->idle, NULL, watch, tpm2) == 0;
	return tpm2->idle_runs ? KS_OK : KS_NO_MEMORY;
}

void provider_end_idle(struct tpm2 *tpm2)
{
	pthread_mutex_lock(&tpm2->lock);
	tpm2->ends = true;
	pthread_cond_signal(&tpm2->used);
	pthread_mutex_unlock(&tpm2->lock);
	if (tpm2->idle_runs)
		pthread_join(tpm2->idle, NULL);
	pthread_cond_destroy(&tpm2->used);
}

void provider_was_used(struct tpm2 *tpm2)
{
	tpm2->used_ms = tpm2_now_ms();
	tpm2->outdated = tpm2->held.lost && tpm_device_changed(&tpm2->device);
	if (tpm2->idle_sleeps || tpm2->outdated)
		pthread_cond_signal(&tpm2->used);
}
