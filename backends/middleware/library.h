/*
 * Loads the library and calls it, in keystile-library-call. Answers begin with
 * u32 enum ks_error, string words.
 */
#ifndef KEYSTILE_MIDDLEWARE_LIBRARY_H
#define KEYSTILE_MIDDLEWARE_LIBRARY_H

#include "library_call.h"

void library_answer_error(struct buf *answer, enum ks_error error, const char *words);

void library_check(const struct library_call *call, struct buf *answer);
/*
 * After KS_OK and its words come u8 flags, u32 counter, string r, string s as the library gave
 * them, which means nothing yet. KS_PIN_NEEDED: without the PIN, or with a wrong one, it does not
 * sign.
 */
void library_sign(const struct library_call *call, const struct secret *secret, struct buf *answer);

#endif
