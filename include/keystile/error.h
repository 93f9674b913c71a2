/*
 * The errors of Keystile: a small set, each of which can be told to a person.
 * A code says what kind of thing went wrong; the words that go with it are
 * written where the failure starts (log, ks_explain) and travel beside it.
 */
#ifndef KEYSTILE_ERROR_H
#define KEYSTILE_ERROR_H

#define KS_MUST_CHECK __attribute__((warn_unused_result))
#define KS_PRINTF(text, first) __attribute__((format(printf, text, first)))

enum ks_error {
	KS_OK = 0,
	KS_REFUSED,	  /* a person or a rule said no */
	KS_CANCELLED,	  /* who asked has gone */
	KS_TIMEOUT,	  /* the deadline passed */
	KS_NO_TOKEN,	  /* the token is not there (any more) */
	KS_NO_KEY,	  /* the token does not hold that key */
	KS_PIN_NEEDED,	  /* a PIN is needed and nobody could be asked */
	KS_PIN_WRONG,	  /* the token refused the PIN; it must not be sent again */
	KS_PIN_LAST_TRY,  /* one try is left, and it was not spent */
	KS_PIN_BLOCKED,	  /* no try is left */
	KS_BUSY,	  /* somebody else holds the token, or too much waits already */
	KS_DEVICE_FAILED, /* token, reader or module misbehaved */
	KS_NOT_ALLOWED,	  /* a provider that may not be loaded */
	KS_UNSUPPORTED,	  /* asked for something this key or token can't do */
	KS_BAD_INPUT,	  /* malformed */
	KS_NO_MEMORY,
	KS_HELD,       /* another program has the card reader to itself */
	KS_ERROR_COUNT /* not an error: the number of codes */
};

/* A short phrase for a code, such as "wrong PIN"; never NULL, static. */
const char *ks_error_text(enum ks_error error);

#endif
