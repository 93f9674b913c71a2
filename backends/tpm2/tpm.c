/*
 * The connection, and what concerns the TPM as a whole.
 */
#include "tpm.h"

#include <string.h>

#include <tss2/tss2_tctildr.h>

#define FLUSH_TIMEOUT_MS 1000

void tpm_disconnect(struct tpm *tpm)
{
	if (tpm->esys != NULL)
		Esys_Finalize(&tpm->esys);
	if (tpm->transport != NULL)
		Tss2_TctiLdr_Finalize(&tpm->transport);
	tpm->esys = NULL;
	tpm->transport = NULL;
}

TSS2_RC tpm_connect(struct tpm *tpm)
{
	TSS2_RC code;

	if (tpm->esys != NULL)
		return TSS2_RC_SUCCESS;
	code = Tss2_TctiLdr_Initialize(tpm->tcti, &tpm->transport);
	if (code == TSS2_RC_SUCCESS)
		code = Esys_Initialize(&tpm->esys, tpm->transport, NULL);
	if (code != TSS2_RC_SUCCESS)
		tpm_disconnect(tpm);
	return code;
}

static void take_property(struct tpm_lockout *out, const TPMS_TAGGED_PROPERTY *property)
{
	switch (property->property) {
	case TPM2_PT_PERMANENT:
		out->locked = (property->value & TPMA_PERMANENT_INLOCKOUT) != 0;
		break;
	case TPM2_PT_LOCKOUT_COUNTER:
		out->failures = property->value;
		break;
	case TPM2_PT_MAX_AUTH_FAIL:
		out->most = property->value;
		break;
	case TPM2_PT_LOCKOUT_INTERVAL:
		out->interval_s = property->value;
		break;
	default:
		break;
	}
}

TSS2_RC tpm_lockout_read(ESYS_CONTEXT *esys, struct tpm_lockout *out)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	TSS2_RC code;

	*out = (struct tpm_lockout){0};
	code = Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
		TPM2_CAP_TPM_PROPERTIES, TPM2_PT_PERMANENT,
		TPM2_PT_LOCKOUT_INTERVAL - TPM2_PT_PERMANENT + 1, &more, &data);
	if (code != TSS2_RC_SUCCESS)
		return code;
	for (UINT32 i = 0; i < data->data.tpmProperties.count && i < TPM2_MAX_TPM_PROPERTIES; i++)
		take_property(out, &data->data.tpmProperties.tpmProperty[i]);
	Esys_Free(data);
	return code;
}

void tpm_forget(ESYS_CONTEXT *esys, ESYS_TR *handle)
{
	if (esys != NULL && *handle != ESYS_TR_NONE)
		(void)Esys_TR_Close(esys, handle);
	*handle = ESYS_TR_NONE;
}

/* ESYS has it in front of what it saves. */
TPM2_HANDLE tpm_number(ESYS_CONTEXT *esys, ESYS_TR handle)
{
	TPM2_HANDLE number = 0;
	uint8_t *saved = NULL;
	size_t len = 0;

	if (Esys_TR_Serialize(esys, handle, &saved, &len) != TSS2_RC_SUCCESS)
		return 0;
	if (len >= sizeof(number))
		number = (TPM2_HANDLE)saved[0] << 24 | (TPM2_HANDLE)saved[1] << 16 |
			 (TPM2_HANDLE)saved[2] << 8 | saved[3];
	explicit_bzero(saved, len);
	Esys_Free(saved);
	return number;
}

/* TPM2_FlushContext. False: no answer came. */
static bool flush_number(TSS2_TCTI_CONTEXT *transport, TPM2_HANDLE number)
{
	const uint8_t command[] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65,
		(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
		(uint8_t)number};
	uint8_t answer[TPM2_MAX_RESPONSE_SIZE];
	size_t len = sizeof(answer);

	return Tss2_Tcti_Transmit(transport, sizeof(command), command) == TSS2_RC_SUCCESS &&
	       Tss2_Tcti_Receive(transport, &len, answer, FLUSH_TIMEOUT_MS) == TSS2_RC_SUCCESS;
}

void tpm_flush_numbers(const char *tcti, const TPM2_HANDLE *numbers, size_t count)
{
	TSS2_TCTI_CONTEXT *transport = NULL;

	if (count == 0 || Tss2_TctiLdr_Initialize(tcti, &transport) != TSS2_RC_SUCCESS)
		return;
	for (size_t i = 0; i < count; i++)
		if (numbers[i] != 0 && !flush_number(transport, numbers[i]))
			break;
	Tss2_TctiLdr_Finalize(&transport);
}

/* Past an ESYS that takes no command any more after an answer it did not believe. */
static void flush_past_esys(ESYS_CONTEXT *esys, ESYS_TR handle)
{
	const TPM2_HANDLE number = tpm_number(esys, handle);
	TSS2_TCTI_CONTEXT *transport = NULL;

	if (number != 0 && Esys_GetTcti(esys, &transport) == TSS2_RC_SUCCESS)
		(void)flush_number(transport, number);
}

void tpm_flush(ESYS_CONTEXT *esys, ESYS_TR *handle)
{
	TSS2_RC code;

	if (esys == NULL || *handle == ESYS_TR_NONE)
		return;
	code = Esys_FlushContext(esys, *handle);
	if (code == TSS2_ESYS_RC_BAD_SEQUENCE)
		flush_past_esys(esys, *handle);
	if (code == TSS2_RC_SUCCESS)
		*handle = ESYS_TR_NONE;
	else
		tpm_forget(esys, handle);
}
