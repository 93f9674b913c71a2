/*
 * What a fake provider was asked to be: "fake:NAME,option=value,...". NAME decides what its
 * keys are, the options how it behaves; options.c holds the list of them.
 */
#ifndef KEYSTILE_FAKE_OPTIONS_H
#define KEYSTILE_FAKE_OPTIONS_H

#include <stddef.h>

#include <keystile/error.h>

#define FAKE_NAME_MAX 64
#define FAKE_CLAIM_MAX 2048

enum fake_kind {
	FAKE_ED25519,
	FAKE_P256,
	FAKE_P384,
	FAKE_P521,
	FAKE_RSA,
	FAKE_MIXED, /* the five above in turn */
};

enum fake_touch { FAKE_TOUCH_NONE, FAKE_TOUCH_GIVEN, FAKE_TOUCH_WAIT };
enum fake_pin { FAKE_PIN_NONE, FAKE_PIN_ONCE, FAKE_PIN_ALWAYS };
enum fake_last_try { FAKE_LAST_TRY_KEPT, FAKE_LAST_TRY_SPENT };
enum fake_labels { FAKE_LABELS_PLAIN, FAKE_LABELS_CONTROL, FAKE_LABELS_LONG };
enum fake_after { FAKE_AFTER_STAY, FAKE_AFTER_GONE, FAKE_AFTER_BLINK, FAKE_AFTER_RETURN };
enum fake_signature { FAKE_SIGNATURE_GOOD, FAKE_SIGNATURE_GARBAGE, FAKE_SIGNATURE_OVERSIZED };
enum fake_presence {
	FAKE_PRESENCE_HONEST,
	FAKE_PRESENCE_LIE,
	FAKE_PRESENCE_CLAIM,
	FAKE_PRESENCE_PAD
};

/* What one of its functions does instead of, or before, its work. */
enum fake_misdeed {
	FAKE_WELL,
	FAKE_FAIL,
	FAKE_SLOW,     /* half a second, unless it is cancelled */
	FAKE_STUCK,    /* until it is cancelled or the deadline passes */
	FAKE_HANG,     /* for good, deaf to the cancel */
	FAKE_CRASH,    /* SIGSEGV */
	FAKE_EXIT,     /* with status 3 */
	FAKE_NONSENSE, /* bytes that are no frame, on the agent's socket */
	FAKE_CHATTY,   /* a thousand log lines */
	FAKE_ERROR,    /* returns an error code that does not exist */
};

struct fake_options {
	char name[FAKE_NAME_MAX + 1];
	char claim[FAKE_CLAIM_MAX + 1]; /* whose key it claims: a NAME, or 0x and a blob */
	unsigned tokens;
	unsigned keys; /* of each token */
	unsigned tries;
	/* enums of the same name; in the order of the words in options.c */
	unsigned kind;
	unsigned touch;
	unsigned pin;
	unsigned last_try;
	unsigned labels;
	unsigned after;
	unsigned signature;
	unsigned presence;
	unsigned locate;
	unsigned open;
	unsigned list;
	unsigned login;
	unsigned sign;
	unsigned release;
	unsigned close;
};

/*
 * KS_BAD_INPUT when it is no such text or an option is unknown, given twice or out of range;
 * wrong then holds what was wrong, up to size bytes.
 */
KS_MUST_CHECK enum ks_error fake_options_parse(
	const char *provider, struct fake_options *options, char *wrong, size_t size);

#endif
