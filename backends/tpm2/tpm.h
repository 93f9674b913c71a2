/*
 * One connection to a TPM. It is made when it is needed and given back when it is not, and one that
 * failed is closed and made again: a TPM may come late, go, and be back.
 */
#ifndef KEYSTILE_TPM2_TPM_H
#define KEYSTILE_TPM2_TPM_H

#include <stdbool.h>

#include <tss2/tss2_esys.h>

#include <keystile/error.h>

#define TPM_DEFAULT_TCTI "device:/dev/tpmrm0"

/* Zeroed but for the name means closed. */
struct tpm {
	const char *tcti; /* as Tss2_TctiLdr_Initialize() takes it; borrowed */
	TSS2_TCTI_CONTEXT *transport;
	ESYS_CONTEXT *esys; /* NULL: closed */
};

/* Nothing where it is open already. Sends no command. */
TSS2_RC tpm_connect(struct tpm *tpm);
/* Objects and sessions that were not flushed before stay in a TPM without resource manager. */
void tpm_disconnect(struct tpm *tpm);

/* How it stands with the dictionary attack protection; all 0 where it can't be asked. */
struct tpm_lockout {
	uint32_t failures;   /* wrong authorisation values that count now */
	uint32_t most;	     /* so many lock it */
	uint32_t interval_s; /* after so many seconds one counts no more; 0: never */
	bool locked;
};
/* One TPM2_GetCapability. */
TSS2_RC tpm_lockout_read(ESYS_CONTEXT *esys, struct tpm_lockout *out);

/* Flushes an object or session of ours; when it is gone already, what ESYS keeps of it goes. */
void tpm_flush(ESYS_CONTEXT *esys, ESYS_TR *handle);
/* The TPM's own number of an object or session; 0: not known. */
TPM2_HANDLE tpm_number(ESYS_CONTEXT *esys, ESYS_TR handle);
/* Flushes what has these numbers, over a connection of its own. */
void tpm_flush_numbers(const char *tcti, const TPM2_HANDLE *numbers, size_t count);
/* Only the latter, for what the TPM said it does not know: the number may be another's by now. */
void tpm_forget(ESYS_CONTEXT *esys, ESYS_TR *handle);

#endif
