/*
 * Finds the security keys that are plugged in, and notices those that come and go: udev says when
 * to look. No request is ever sent to a token from here.
 */
#ifndef KEYSTILE_FIDO2_FINDER_H
#define KEYSTILE_FIDO2_FINDER_H

#include "tokens.h"

struct finder;

/* Looks once, and goes on in a thread of its own. */
KS_MUST_CHECK enum ks_error finder_start(struct tokens *tokens, struct finder **out);
/* Looks now: where no udev runs nobody says when. From any thread. */
void finder_look(struct finder *finder);
void finder_stop(struct finder **finder); /* clears the pointer; NULL is fine */

#endif
