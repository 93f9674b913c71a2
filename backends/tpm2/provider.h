/*
 * The keys of one provider, "tpm2:" with what follows: nothing (all key files of ~/.ssh and what is
 * configured), a path, or a handle.
 */
#ifndef KEYSTILE_TPM2_PROVIDER_H
#define KEYSTILE_TPM2_PROVIDER_H

#include <pthread.h>

#include "device.h"
#include "held.h"

#define TPM_KEYS_MAX 64 /* as many tokens as the agent takes of a provider */

struct tpm2 {
	struct ks_worker *worker;
	struct tpm_settings settings;
	char *name; /* what follows "tpm2:" */
	/* Over all that follows: the TPM does one thing at a time. Never held while a person
	 * thinks. */
	pthread_mutex_t lock;
	struct held held;
	struct tpm_key *keys[TPM_KEYS_MAX]; /* never moved or removed while the worker lives */
	size_t key_count;
	/* The thread that gives the TPM back. */
	pthread_cond_t used;
	pthread_t idle;
	bool idle_runs;
	bool idle_sleeps; /* there is nothing to give back */
	bool ends;
	struct tpm_device device; /* as it was when the process was confined */
	bool outdated;		  /* it can't reach the one that is there now */
	uint64_t used_ms;
	struct timespec wanted_seen; /* when another worker last asked for room */
};

/* Of CLOCK_BOOTTIME, so that what lasts for a time does not last through a night's sleep. */
uint64_t tpm2_now_ms(void);

/* Reads files and asks for handles, adds what is not known yet, and tells the agent of all keys. */
KS_MUST_CHECK enum ks_error provider_list(struct tpm2 *tpm2, struct ks_operation *operation);

/* Under the lock. */
struct tpm_key *provider_key(struct tpm2 *tpm2, uint32_t token, struct bytes blob);
struct ks_token provider_token(const struct tpm_key *key);
void provider_report(struct tpm2 *tpm2, const struct tpm_key *key);
void provider_forget_pin(struct tpm2 *tpm2, struct tpm_key *key);

/* A thread gives the TPM back when nothing has used it for a while. */
KS_MUST_CHECK enum ks_error provider_watch_idle(struct tpm2 *tpm2);
void provider_end_idle(struct tpm2 *tpm2);
/* Under the lock, after each use. */
void provider_was_used(struct tpm2 *tpm2);

#endif
