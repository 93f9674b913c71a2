/*
 * Getting a key into the TPM, and the session that it is used in.
 */
#ifndef KEYSTILE_TPM2_LOAD_H
#define KEYSTILE_TPM2_LOAD_H

#include "held.h"

/* As far as it is not there yet. The connection is open. */
struct tpm_step load_key(struct held *held, struct ks_operation *operation, struct tpm_key *key);

/* The session, which needs a parent to be salted to: loads it where it is not there. */
struct tpm_step load_session(
	struct held *held, struct ks_operation *operation, const struct tpm_parent *parent);

#endif
