/* U2F, what keys spoke before CTAP2: APDUs in messages (FIDO U2F raw message formats, v1.2). */
#ifndef AUTHENTICATOR_U2F_H
#define AUTHENTICATOR_U2F_H

#include <stddef.h>
#include <stdint.h>

struct token;

void u2f_run(struct token *token, const uint8_t *message, size_t len);

#endif
