/*
 * What a security key's answer means for a person.
 */
#ifndef KEYSTILE_FIDO2_CODE_H
#define KEYSTILE_FIDO2_CODE_H

#include "token_call.h"

/* The error of a FIDO_ERR_... or enum token_code, with its words; KS_OK for TOKEN_CODE_OK. */
KS_MUST_CHECK enum ks_error code_error(struct ks_operation *operation, int32_t code);
/* It asks for a PIN, or for a verification that it can't make itself now. */
bool code_wants_pin(int32_t code);
/* It does not hold the key. */
bool code_is_stranger(int32_t code);
/*
 * What was not answered, or not as it should be, may be answered yet: the next request needs a
 * process and a queue of reports of its own.
 */
bool code_ends_session(int32_t code);

#endif
