/*
 * The words for error codes: one short phrase each, fit to stand in a sentence that
 * is shown to a person.
 */
#include <stddef.h>

#include <keystile/error.h>

static const char *const error_texts[KS_ERROR_COUNT] = {
	[KS_OK] = "success",
	[KS_REFUSED] = "refused",
	[KS_CANCELLED] = "cancelled",
	[KS_TIMEOUT] = "timed out",
	[KS_NO_TOKEN] = "the token is not there",
	[KS_NO_KEY] = "the token does not hold that key",
	[KS_PIN_NEEDED] = "a PIN is needed and nobody could be asked",
	[KS_PIN_WRONG] = "wrong PIN",
	[KS_PIN_LAST_TRY] = "only one PIN try is left, and it is not spent here",
	[KS_PIN_BLOCKED] = "the PIN is blocked",
	[KS_BUSY] = "busy",
	[KS_DEVICE_FAILED] = "the token, its reader or its module failed",
	[KS_NOT_ALLOWED] = "the provider may not be loaded",
	[KS_UNSUPPORTED] = "not supported",
	[KS_BAD_INPUT] = "malformed",
	[KS_NO_MEMORY] = "out of memory",
	[KS_HELD] = "the card is in use",
};

const char *ks_error_text(enum ks_error error)
{
	if ((unsigned)error >= KS_ERROR_COUNT || !error_texts[error])
		return "unknown error";
	return error_texts[error];
}
