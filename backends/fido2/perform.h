/*
 * What the worker asks of a security key, done by libfido2.
 */
#ifndef KEYSTILE_FIDO2_PERFORM_H
#define KEYSTILE_FIDO2_PERFORM_H

#include <fido.h>

#include "token_call.h"

/* Puts the answer's body; a FIDO_ERR_... */
KS_MUST_CHECK int perform(fido_dev_t *device, const struct token_call *call, struct buf *body);
/* describe.c: for TOKEN_DESCRIBE. */
KS_MUST_CHECK int describe(fido_dev_t *device, struct buf *body);
/* resident_read.c: for TOKEN_RESIDENT. pin ends with a NUL. */
KS_MUST_CHECK int resident_read(fido_dev_t *device, const char *pin, struct buf *body);

#endif
