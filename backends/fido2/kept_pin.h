/*
 * PINs that are kept for a while, where the configuration gives them one
 * (KEYSTILE_FIDO2_PIN_MINUTES): each in locked memory with the token that took it, as long as that
 * stays in, and for requests from this machine that demand nothing.
 */
#ifndef KEYSTILE_FIDO2_KEPT_PIN_H
#define KEYSTILE_FIDO2_KEPT_PIN_H

#include "tokens.h"

/* How long one is kept, from the worker's environment: 0 where nothing is said. KS_BAD_INPUT. */
KS_MUST_CHECK enum ks_error kept_pin_seconds(struct ks_operation *operation, uint32_t *out);
/* A copy of the one that this token took, the caller's to be freed. KS_PIN_NEEDED: there is none.
 */
KS_MUST_CHECK enum ks_error kept_pin_get(
	struct tokens *tokens, struct fido_token *token, struct secret *out);
/* Unless none is kept; out of memory it is asked for again. */
void kept_pin_put(struct tokens *tokens, struct fido_token *token, const struct secret *pin);
void kept_pin_drop(struct tokens *tokens, struct fido_token *token);
/* Those whose time is over; when the next one's is, in ms, -1: there is none. */
int kept_pins_expire(struct tokens *tokens);

#endif
