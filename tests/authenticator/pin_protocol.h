/* PIN/UV auth protocols one and two (CTAP 2.1, sections 6.5.6 and 6.5.7): what they compute. */
#ifndef AUTHENTICATOR_PIN_PROTOCOL_H
#define AUTHENTICATOR_PIN_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key.h"

#define PIN_PROTOCOLS 2
#define PIN_TOKEN_LEN 32
#define PIN_SEALED_MAX 128

struct pin_secret {
	int protocol;
	uint8_t hmac[32];
	uint8_t aes[32];
};

/* From the x of the agreed point. */
void pin_secret_derive(int protocol, const uint8_t agreed[KEY_COORDINATE], struct pin_secret *out);

/* in: whole blocks. Returns the length. */
size_t pin_encrypt(const struct pin_secret *secret, struct span in, uint8_t out[PIN_SEALED_MAX]);

/* False: its length can't be. */
bool pin_decrypt(const struct pin_secret *secret, struct span in, uint8_t out[PIN_SEALED_MAX],
	size_t *out_len);

/* Whether proof is the authentication of a message in two parts, the second of which may be empty.
 */
bool pin_verify(int protocol, const uint8_t key[32], struct span message, struct span more,
	struct span proof);

#endif
