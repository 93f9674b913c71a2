/*
 * What we hold in the TPM: one parent, up to two keys and one session, so that a signature is one
 * command and others find room. What is gone, flushed by others or by a TPM that was restarted, is
 * made again when it is missed. All functions are called under the provider's lock.
 */
#ifndef KEYSTILE_TPM2_HELD_H
#define KEYSTILE_TPM2_HELD_H

#include "key.h"
#include "return_code.h"
#include "settings.h"
#include "tpm.h"

#define HELD_KEYS 2 /* with the parent three objects, which is what every TPM has room for */

/* Zeroed but for tpm.tcti and settings means nothing is held; handles are ESYS_TR_NONE. */
struct held {
	struct tpm tpm;
	const struct tpm_settings *settings;
	ESYS_TR session;
	ESYS_TR parent;
	struct tpm_parent parent_is; /* while there is one */
	TPM2_HANDLE parent_took;     /* a persistent one, our authorisation value */
	TPM2_HANDLE parent_refused;  /* likewise: it is not sent again */
	struct tpm_key *keys[HELD_KEYS];
	uint64_t clock;
	bool spoilt; /* ESYS 3.2 keeps the salt of a session that failed, and uses it for the next
		      */
	bool lost;   /* the TPM could not be reached the last time */
};

/* One command, as a step of an attempt. */
struct tpm_step {
	const char *command;
	TSS2_RC code;
	bool of_parent;	     /* the object that it uses is the parent, not the key */
	enum ks_error error; /* where it is not the TPM that says no; explained already */
};

void held_init(struct held *held, const struct tpm_settings *settings);
/* All is flushed, and the connection closed. */
void held_release(struct held *held);

/*
 * Something that is done with a loaded key: returns the command's code. Called again after what was
 * gone has been made again, unless once is set and the TPM may have carried it out.
 */
struct tpm_use {
	TSS2_RC (*run)(struct held *held, struct tpm_key *key, void *context);
	void *context;
	const char *command;
	bool once; /* it carries a PIN that is not known to be right */
};

/*
 * Connects, starts the session, loads the key, as far as that is not done yet, and runs it.
 * *trouble says more of an error that the TPM gave to the use itself.
 */
KS_MUST_CHECK enum ks_error held_use(struct held *held, struct ks_operation *operation,
	struct tpm_key *key, const struct tpm_use *use, enum tpm_trouble *trouble);

/* As held_use() without a key: connects, and starts again what was lost. */
KS_MUST_CHECK enum ks_error held_ask(struct held *held, struct ks_operation *operation,
	const struct tpm_use *use, enum tpm_trouble *trouble);

/* The key leaves the TPM. */
void held_drop_key(struct held *held, struct tpm_key *key);

#endif
