/*
 * One signature with a key that a client handed over, and what the files that make it call of each
 * other: which token holds it (choose.c), its device (device.c), PIN (pin.c), touch and the
 * assertion itself (ask.c), their order (signing.c).
 */
#ifndef KEYSTILE_FIDO2_SIGNING_H
#define KEYSTILE_FIDO2_SIGNING_H

#include "finder.h"

/* The agent refuses more than 16 in an operation, and a token may say anything. */
#define TOUCHES_TOLD_MAX 12
#define PINS_ASKED_MAX 4 /* likewise */

struct signing {
	struct ks_operation *operation;
	struct tokens *tokens;
	struct finder *finder;
	const struct key_handle *key;
	const struct ks_sign *request;
	uint8_t hash[TOKEN_HASH_BYTES]; /* of what is signed */
	bool present;			/* a touch is wanted */
	bool verified;			/* PIN or fingerprint is */
	bool seen;			/* there was a token when it began */
	bool lost;			/* the token that held the key was pulled meanwhile */
	bool hidden;			/* the token can't tell whether it holds the key */
	bool pin_given;
	struct fido_token *token; /* taken; NULL: none was chosen yet */
	struct secret pin;
	unsigned pins_asked;
	bool patient; /* another worker of ours may hold the token open for a moment */
	/* What a PIN is for, where that is no assertion; *code as in an exchange. */
	enum ks_error (*spend)(struct signing *signing, int32_t *code);
	void *spend_owner;
	/* The touch, as the agent was told of it. */
	bool touch_told;
	unsigned touches_told;
};

/* The whole of it. */
KS_MUST_CHECK enum ks_error signing_run(struct signing *signing, struct buf *signature);

/* ---- choose.c ---- */

/* Finds the token that holds the key, takes it and opens it. */
KS_MUST_CHECK enum ks_error choose_token(struct signing *signing);

/* That token was pulled; who waits for it has nothing to wait for with the others. */
void choose_note_loss(struct signing *signing, struct fido_token *token);

/*
 * Before a PIN is asked for: the token has shown since it was opened that it holds the key, does so
 * now, or the person touches it to say that it is the one.
 */
KS_MUST_CHECK enum ks_error choose_surely(struct signing *signing);

/* ---- device.c ---- */

/*
 * How long a token that another program uses is waited for. From afar nobody waits: the touch could
 * be meant for that program.
 */
uint32_t device_patience_ms(const struct signing *signing);
/* A moment of that. KS_BUSY, with its words: there is none left. */
KS_MUST_CHECK enum ks_error device_rest(const struct signing *signing, uint32_t *patience_ms);
/* Opens and locks it, and starts its process. */
KS_MUST_CHECK enum ks_error device_open(struct signing *signing, struct fido_token *token);

/* ---- ask.c ---- */

/* The token's device and process, unless they are there already. Taken by this operation. */
KS_MUST_CHECK enum ks_error ask_open(struct signing *signing, struct fido_token *token);
/*
 * An assertion that needs nobody, with signing->pin where there is one; verified. *code as in an
 * exchange.
 */
KS_MUST_CHECK enum ks_error ask_silently(
	struct signing *signing, struct fido_token *token, int32_t *code);
/* The assertion, with signing->pin where there is one; verifies it. */
KS_MUST_CHECK enum ks_error ask_assertion(
	struct signing *signing, bool verified, int32_t *code, struct buf *signature);
/* A request that needs nobody but the PIN, if any; its answer goes into out. */
KS_MUST_CHECK enum ks_error ask_plainly(
	struct signing *signing, enum token_call_kind kind, int32_t *code, struct buf *out);
KS_MUST_CHECK enum ks_error ask_tries(struct signing *signing, uint32_t *tries);
/* The one that is touched of several, all taken and open; the rest is cancelled. */
KS_MUST_CHECK enum ks_error ask_choice(struct signing *signing,
	struct fido_token *const *candidates, size_t count, struct fido_token **out);

/* ---- pin.c ---- */

/* Asks the person until the token takes a PIN, and signs with it. */
KS_MUST_CHECK enum ks_error pin_sign(struct signing *signing, struct buf *signature);
/* With signing->pin as it was typed before, once. */
KS_MUST_CHECK enum ks_error pin_spend(struct signing *signing);

#endif
