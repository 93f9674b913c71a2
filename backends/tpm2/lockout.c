/*
 * Tries, in words.
 */
#include "lockout.h"

#include <stdio.h>

#include <keystile/log.h>

#define SPARE_LEAST 3

static TSS2_RC read_lockout(struct held *held, struct tpm_key *key, void *context)
{
	(void)key;
	return tpm_lockout_read(held->tpm.esys, context);
}

static enum ks_error ask(struct tpm2 *tpm2, struct ks_operation *operation, struct tpm_lockout *out)
{
	const struct tpm_use use = {
		.run = read_lockout, .context = out, .command = "TPM2_GetCapability"};
	enum tpm_trouble trouble;

	return held_ask(&tpm2->held, operation, &use, &trouble);
}

static int32_t tries_left(const struct tpm_lockout *lockout)
{
	if (lockout->locked || lockout->failures >= lockout->most)
		return 0;
	return (int32_t)(lockout->most - lockout->failures);
}

/* Of all keys that count, as they share the tries. */
static void note_tries(struct tpm2 *tpm2, int32_t left)
{
	for (size_t i = 0; i < tpm2->key_count; i++) {
		struct tpm_key *key = tpm2->keys[i];

		if (!key->counted || key->tries_left == left)
			continue;
		key->tries_left = left;
		provider_report(tpm2, key);
	}
}

static const char *recovery(const struct tpm_lockout *lockout, char out[static 128])
{
	if (lockout->interval_s == 0)
		snprintf(out, 128, "no time gives tries back: tpm2_dictionarylockout does");
	else if (lockout->interval_s < 120)
		snprintf(out, 128, "one try comes back every %u seconds",
			(unsigned)lockout->interval_s);
	else
		snprintf(out, 128, "one try comes back every %u minutes",
			(unsigned)((lockout->interval_s + 59) / 60));
	return out;
}

static enum ks_error judge(struct ks_operation *operation, const struct tpm_lockout *lockout)
{
	char words[128];
	const int32_t left = tries_left(lockout);

	if (left == 0) {
		ks_explain(operation,
			"the TPM is locked after %u wrong PINs, of whatever key or program; %s",
			(unsigned)lockout->failures, recovery(lockout, words));
		return KS_PIN_BLOCKED;
	}
	if (left == 1) {
		ks_explain(operation,
			"one more wrong PIN, of whatever key, would lock the TPM, so none is "
			"tried; %s",
			recovery(lockout, words));
		return KS_PIN_LAST_TRY;
	}
	return KS_OK;
}

enum ks_error lockout_guard(struct tpm2 *tpm2, struct ks_operation *operation, struct tpm_key *key)
{
	struct tpm_lockout lockout;
	enum ks_error error;

	if (!key->counted)
		return KS_OK;
	error = ask(tpm2, operation, &lockout);
	if (error != KS_OK)
		return error;
	note_tries(tpm2, tries_left(&lockout));
	return judge(operation, &lockout);
}

void lockout_explain(struct tpm2 *tpm2, struct ks_operation *operation, struct tpm_key *key)
{
	struct tpm_lockout lockout;
	char words[128];

	if (!key->counted) {
		ks_explain(operation, "the TPM refused the PIN; this key's wrong PINs are not "
				      "counted");
		return;
	}
	if (ask(tpm2, operation, &lockout) != KS_OK)
		return;
	note_tries(tpm2, tries_left(&lockout));
	if (judge(operation, &lockout) == KS_OK)
		ks_explain(operation,
			"the TPM refused the PIN; %d tries are left until it locks itself for all "
			"keys and programs; %s",
			(int)tries_left(&lockout), recovery(&lockout, words));
}

bool lockout_spare(struct tpm2 *tpm2, struct ks_operation *operation, const struct tpm_key *key)
{
	struct tpm_lockout lockout;
	uint32_t left;

	if (!key->counted)
		return true;
	if (ask(tpm2, operation, &lockout) != KS_OK)
		return false;
	left = (uint32_t)tries_left(&lockout);
	return left >= SPARE_LEAST && left >= lockout.most / 2;
}
