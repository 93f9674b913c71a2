/*
 * Salted sessions, and authorisation values that do not stay.
 */
#include "session.h"

#define ATTRIBUTES (TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT)

TSS2_RC tpm_session_start(ESYS_CONTEXT *esys, ESYS_TR salt_key, ESYS_TR *out)
{
	const TPMT_SYM_DEF symmetric = {
		.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
	TSS2_RC code;

	*out = ESYS_TR_NONE;
	code = Esys_StartAuthSession(esys, salt_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
		ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &symmetric, TPM2_ALG_SHA256, out);
	if (code == TSS2_RC_SUCCESS)
		code = Esys_TRSess_SetAttributes(esys, *out, ATTRIBUTES, 0xff);
	else
		*out = ESYS_TR_NONE;
	return code;
}

void tpm_clear_auth(ESYS_CONTEXT *esys, ESYS_TR object)
{
	const TPM2B_AUTH zeros = {.size = sizeof(zeros.buffer)};

	if (esys == NULL || object == ESYS_TR_NONE)
		return;
	if (Esys_TR_SetAuth(esys, object, &zeros) == TSS2_RC_SUCCESS)
		(void)Esys_TR_SetAuth(esys, object, NULL);
}
