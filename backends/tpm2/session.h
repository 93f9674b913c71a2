/*
 * Sessions in which authorisation values never travel: salted to a key of the TPM whose public part
 * is known, so that only the TPM can work out the session's key, and AES-128-CFB over the first
 * parameter of commands and responses (TPM 2.0 part 1, sections 19 and 21).
 */
#ifndef KEYSTILE_TPM2_SESSION_H
#define KEYSTILE_TPM2_SESSION_H

#include <tss2/tss2_esys.h>

/*
 * Starts one that continues. salt_key has to be loaded and its name to be trusted, see parent.h.
 * *out is to be given back by Esys_FlushContext(); ESYS_TR_NONE after a failure.
 */
TSS2_RC tpm_session_start(ESYS_CONTEXT *esys, ESYS_TR salt_key, ESYS_TR *out);

/*
 * The authorisation value that ESYS keeps for an object is cleared, from its memory too:
 * Esys_TR_SetAuth() with NULL only sets the length to 0.
 */
void tpm_clear_auth(ESYS_CONTEXT *esys, ESYS_TR object);

#endif
