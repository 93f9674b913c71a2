/*
 * What the person configured for TPMs: variables of the worker's environment, which come from
 * keystile.conf(5).
 */
#ifndef KEYSTILE_TPM2_SETTINGS_H
#define KEYSTILE_TPM2_SETTINGS_H

#include <stdint.h>

#include <tss2/tss2_tpm2_types.h>

#include <keystile/backend.h>

struct tpm_settings {
	const char *tcti;
	const char *keys;	 /* paths and handles, ":" between them; "" */
	const char *without_pin; /* the same, of those that have no PIN, whatever their file says */
	const char *home;	 /* NULL: nobody knows it */
	char *state_folder;	 /* NULL as well */
	uint32_t pin_seconds;	 /* how long a PIN is kept for local requests; 0: not at all */
	uint32_t idle_seconds;	 /* after so many the TPM is given back */
	TPM2B_AUTH parent_auth;	 /* of the hierarchy or the persistent key above ours */
};

/* KS_BAD_INPUT, in words, for a value that can't be. Borrows from the environment. */
KS_MUST_CHECK enum ks_error tpm_settings_init(
	struct tpm_settings *settings, struct ks_operation *operation);
void tpm_settings_deinit(struct tpm_settings *settings);

#endif
