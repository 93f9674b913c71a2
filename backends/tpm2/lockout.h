/*
 * The TPM's protection against guessing, and how not to run into it: it counts wrong authorisation
 * values of all objects and programs together, locks all of them when there were too many, and
 * takes one off the count now and then.
 */
#ifndef KEYSTILE_TPM2_LOCKOUT_H
#define KEYSTILE_TPM2_LOCKOUT_H

#include "provider.h"

/*
 * Asks the TPM how many tries are left and tells the agent. KS_PIN_LAST_TRY when a wrong PIN would
 * lock the TPM, KS_PIN_BLOCKED when it is locked, both in words. Under the lock.
 */
KS_MUST_CHECK enum ks_error lockout_guard(
	struct tpm2 *tpm2, struct ks_operation *operation, struct tpm_key *key);
/* The words for a wrong PIN, or for a TPM that was locked meanwhile. Under the lock. */
void lockout_explain(struct tpm2 *tpm2, struct ks_operation *operation, struct tpm_key *key);
/*
 * Whether one wrong value may be risked, without anybody having typed it: half of the tries are
 * there, and more than a few.
 */
bool lockout_spare(struct tpm2 *tpm2, struct ks_operation *operation, const struct tpm_key *key);

#endif
