/*
 * A table of codes (CTAP 2.1 section 8.2 and libfido2's own), errors and words.
 */
#include "code.h"

#include <fido/err.h>

#include <keystile/log.h>

static const struct meaning {
	int32_t code;
	enum ks_error error;
	const char *words;
} meanings[] = {
	{TOKEN_CODE_GONE, KS_NO_TOKEN, "token removed: the security key was pulled out"},
	{TOKEN_CODE_LATE, KS_DEVICE_FAILED, "the security key did not answer"},
	{TOKEN_CODE_CANCELLED, KS_CANCELLED, "the security key was told to cancel"},
	{TOKEN_CODE_NO_LIST, KS_UNSUPPORTED,
		"the security key can't list what is on it: it has no credential management"},
	{TOKEN_CODE_CONFINE, KS_DEVICE_FAILED, "its process could not be confined"},
	{FIDO_ERR_NO_CREDENTIALS, KS_NO_KEY, "the security key does not hold this key"},
	{FIDO_ERR_INVALID_CREDENTIAL, KS_NO_KEY, "the security key does not hold this key"},
	{FIDO_ERR_USER_ACTION_TIMEOUT, KS_TIMEOUT, "nobody touched the security key in time"},
	{FIDO_ERR_ACTION_TIMEOUT, KS_TIMEOUT, "nobody touched the security key in time"},
	{FIDO_ERR_TIMEOUT, KS_TIMEOUT, "nobody touched the security key in time"},
	{FIDO_ERR_OPERATION_DENIED, KS_REFUSED, "the security key refused: it was told no there"},
	{FIDO_ERR_KEEPALIVE_CANCEL, KS_CANCELLED, "the security key cancelled"},
	{FIDO_ERR_CHANNEL_BUSY, KS_BUSY, "another program uses the security key"},
	{FIDO_ERR_PIN_INVALID, KS_PIN_WRONG, "the security key did not take the PIN"},
	{FIDO_ERR_PIN_AUTH_BLOCKED, KS_PIN_BLOCKED,
		"too many wrong PINs in a row: take the security key out and put it back"},
	{FIDO_ERR_PIN_BLOCKED, KS_PIN_BLOCKED,
		"the PIN of the security key is blocked; only a reset, which erases it, helps"},
	{FIDO_ERR_PIN_NOT_SET, KS_UNSUPPORTED,
		"the security key has no PIN; set one with fido2-token -S"},
	{FIDO_ERR_PIN_POLICY_VIOLATION, KS_UNSUPPORTED,
		"the PIN of the security key has to be changed first, with fido2-token -C"},
	{FIDO_ERR_UV_BLOCKED, KS_REFUSED, "the fingerprint is blocked"},
	{FIDO_ERR_UV_INVALID, KS_REFUSED, "the fingerprint was not recognised"},
	{FIDO_ERR_UNAUTHORIZED_PERM, KS_UNSUPPORTED,
		"the security key takes a fingerprint and no PIN for signatures"},
	{FIDO_ERR_UNSUPPORTED_ALGORITHM, KS_UNSUPPORTED,
		"the security key can't make such signatures"},
	{FIDO_ERR_REQUEST_TOO_LARGE, KS_UNSUPPORTED, "the request is too large for it"},
	{FIDO_ERR_TX, KS_DEVICE_FAILED, "the security key can't be written to"},
	{FIDO_ERR_RX, KS_DEVICE_FAILED, "the security key's answer makes no sense"},
	{FIDO_ERR_RX_NOT_CBOR, KS_DEVICE_FAILED, "the security key's answer makes no sense"},
	{FIDO_ERR_RX_INVALID_CBOR, KS_DEVICE_FAILED, "the security key's answer makes no sense"},
};

enum ks_error code_error(struct ks_operation *operation, int32_t code)
{
	if (code == TOKEN_CODE_OK)
		return KS_OK;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (meanings[i].code != code)
			continue;
		ks_explain(operation, "%s", meanings[i].words);
		return meanings[i].error;
	}
	log_error("a security key failed with %d", (int)code);
	ks_explain(operation, "the security key failed (%d)", (int)code);
	return KS_DEVICE_FAILED;
}

bool code_wants_pin(int32_t code)
{
	return code == FIDO_ERR_PIN_REQUIRED || code == FIDO_ERR_UV_BLOCKED ||
	       code == FIDO_ERR_UV_INVALID || code == FIDO_ERR_UNAUTHORIZED_PERM;
}

bool code_is_stranger(int32_t code)
{
	return code == FIDO_ERR_NO_CREDENTIALS || code == FIDO_ERR_INVALID_CREDENTIAL;
}

bool code_ends_session(int32_t code)
{
	return code == TOKEN_CODE_GONE || code == TOKEN_CODE_LATE || code == TOKEN_CODE_CONFINE ||
	       code == FIDO_ERR_TX || code == FIDO_ERR_RX || code == FIDO_ERR_RX_NOT_CBOR ||
	       code == FIDO_ERR_RX_INVALID_CBOR;
}
