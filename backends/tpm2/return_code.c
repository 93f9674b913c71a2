/*
 * The table of return codes.
 */
#include "return_code.h"

#include <stdint.h>

#include <tss2/tss2_rc.h>
#include <tss2/tss2_tpm2_types.h>

#include <keystile/log.h>

#define FORMAT_ONE_CODE (TPM2_RC_FMT1 | 0x3f)
#define FORMAT_ONE_PARAMETER ((TSS2_RC)TPM2_RC_P)
#define FORMAT_ONE_SESSION ((TSS2_RC)TPM2_RC_S)

/* Codes that say which handle, session or parameter they are about. */
static enum tpm_trouble of_format_one(TSS2_RC code)
{
	bool parameter = (code & FORMAT_ONE_PARAMETER) != 0;
	bool session = !parameter && (code & FORMAT_ONE_SESSION) != 0;

	switch (code & FORMAT_ONE_CODE) {
	case TPM2_RC_AUTH_FAIL:
		return TPM_AUTH_COUNTED;
	case TPM2_RC_BAD_AUTH:
		return TPM_AUTH_FREE;
	case TPM2_RC_HANDLE:
		return session ? TPM_SESSION_GONE : TPM_OBJECT_GONE;
	case TPM2_RC_VALUE:
		return session ? TPM_SESSION_GONE : TPM_LACKS;
	case TPM2_RC_INTEGRITY:
		return TPM_FOREIGN;
	case TPM2_RC_HASH:
	case TPM2_RC_SCHEME:
	case TPM2_RC_CURVE:
	case TPM2_RC_ASYMMETRIC:
	case TPM2_RC_KEY_SIZE:
		return TPM_LACKS;
	default:
		return TPM_OTHER;
	}
}

static enum tpm_trouble of_format_zero(TSS2_RC code)
{
	switch (code) {
	case TPM2_RC_INITIALIZE:
		return TPM_NOT_STARTED;
	case TPM2_RC_AUTH_FAIL:
		return TPM_AUTH_COUNTED;
	case TPM2_RC_LOCKOUT:
		return TPM_LOCKED;
	case TPM2_RC_RETRY:
	case TPM2_RC_YIELDED:
	case TPM2_RC_TESTING:
	case TPM2_RC_NV_RATE:
	case TPM2_RC_CANCELED:
		return TPM_LATER;
	case TPM2_RC_OBJECT_MEMORY:
	case TPM2_RC_SESSION_MEMORY:
	case TPM2_RC_OBJECT_HANDLES:
	case TPM2_RC_SESSION_HANDLES:
	case TPM2_RC_MEMORY:
		return TPM_FULL;
	case TPM2_RC_COMMAND_CODE:
		return TPM_LACKS;
	default:
		break;
	}
	if (code >= TPM2_RC_REFERENCE_H0 && code <= TPM2_RC_REFERENCE_H6)
		return TPM_OBJECT_GONE;
	if (code >= TPM2_RC_REFERENCE_S0 && code <= TPM2_RC_REFERENCE_S6)
		return TPM_SESSION_GONE;
	return TPM_OTHER;
}

enum tpm_trouble tpm_trouble(TSS2_RC code)
{
	TSS2_RC layer = code & TSS2_RC_LAYER_MASK;

	if (code == TSS2_RC_SUCCESS)
		return TPM_FINE;
	/* A resource manager passes on what the TPM said, under a layer of its own. */
	if (layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER &&
		layer != TSS2_RESMGR_RC_LAYER)
		return TPM_LOST;
	code &= ~TSS2_RC_LAYER_MASK;
	return (code & TPM2_RC_FMT1) != 0 ? of_format_one(code) : of_format_zero(code);
}

static const struct {
	enum ks_error error;
	const char *words;
} outcomes[] = {
	[TPM_FINE] = {KS_OK, ""},
	[TPM_OBJECT_GONE] = {KS_DEVICE_FAILED, "what it refers to is not in the TPM"},
	[TPM_SESSION_GONE] = {KS_DEVICE_FAILED, "the TPM does not know the session any more"},
	[TPM_AUTH_COUNTED] = {KS_PIN_WRONG, "the TPM refused the PIN, and counts that"},
	[TPM_AUTH_FREE] = {KS_PIN_WRONG, "the TPM refused the PIN"},
	[TPM_LOCKED] = {KS_PIN_BLOCKED,
		"the TPM is locked after too many wrong PINs, of whatever key or program: it takes "
		"none until some time has passed"},
	[TPM_LATER] = {KS_BUSY, "the TPM is busy and did not get to it"},
	[TPM_FULL] = {KS_BUSY, "other programs hold all of the TPM's places for keys or sessions"},
	[TPM_NOT_STARTED] = {KS_DEVICE_FAILED, "the TPM was not started"},
	[TPM_FOREIGN] = {KS_NO_KEY, "the TPM did not wrap this key: it belongs to another TPM or "
				    "parent, or the TPM was "
				    "cleared since"},
	[TPM_LACKS] = {KS_UNSUPPORTED, "the TPM does not have that algorithm, size or command"},
	[TPM_LOST] = {KS_DEVICE_FAILED, "the TPM gave no answer that makes sense"},
	[TPM_OTHER] = {KS_DEVICE_FAILED, "the TPM refused"},
};

enum ks_error tpm_failed(struct ks_operation *operation, const char *command, TSS2_RC code)
{
	enum tpm_trouble trouble = tpm_trouble(code);

	if (trouble == TPM_FINE)
		return KS_OK;
	log_info("%s: 0x%08x (%s)", command, (unsigned)code, Tss2_RC_Decode(code));
	ks_explain(operation, "%s: %s (0x%x)", command, outcomes[trouble].words, (unsigned)code);
	return outcomes[trouble].error;
}
