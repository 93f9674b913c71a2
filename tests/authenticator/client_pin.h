/*
 * The PIN of a token: its tries, the agreement of keys, and the PIN tokens that stand for a PIN
 * that was right (CTAP 2.1, section 6.5).
 */
#ifndef AUTHENTICATOR_CLIENT_PIN_H
#define AUTHENTICATOR_CLIENT_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "item.h"
#include "pin_protocol.h"
#include "store.h"

#define PIN_HASH_LEN 16
#define PIN_TRIES 8
#define FINGER_TRIES 3
#define PIN_TRIES_AT_ONCE 3 /* before power has to go and come */

enum permission { PERMIT_MAKE = 0x01, PERMIT_ASSERT = 0x02, PERMIT_MANAGE = 0x04 };

struct pin_token {
	uint8_t value[PIN_TOKEN_LEN];
	uint8_t permissions;
	bool present; /* given to a finger, which is a touch as well */
	bool bound;   /* to an application */
	uint8_t rp_hash[KEY_HASH_LEN];
};

struct client_pin {
	bool set;
	bool change_forced;
	uint8_t hash[PIN_HASH_LEN];
	uint32_t len_least;
	unsigned tries;
	unsigned wrong_at_once;
	unsigned finger_tries;
	EVP_PKEY *agreement;
	struct pin_token tokens[PIN_PROTOCOLS]; /* by protocol - 1 */
};

/* What a command carries to show that a PIN was given. */
struct pin_proof {
	bool there;
	int64_t protocol; /* 0: not there */
	struct span proof;
};

struct token;
enum ctap_status;

void client_pin_init(struct client_pin *pin);
void client_pin_free(struct client_pin *pin);

/* As after power came: tokens and the agreement are new, tries at once are given back. */
void client_pin_power(struct client_pin *pin);

/* Sets it, or with "" takes it away, as if it had always been so: all tries are there. */
void client_pin_place(struct client_pin *pin, const char *text);

/* Reads the two fields of a command. */
enum ctap_status pin_proof_read(const cbor_item_t *parameters, uint64_t proof_key,
	uint64_t protocol_key, struct pin_proof *out);

/*
 * Whether a proof over a message is good, and its token permits this. rp_hash NULL: for no single
 * application; a token that is bound to one is refused then.
 */
enum ctap_status pin_proof_check(struct token *token, const struct pin_proof *proof,
	struct span message, enum permission permission, const uint8_t *rp_hash);

/* Waits for the finger of its person, who is *known then. */
enum ctap_status client_pin_finger(struct token *token, bool *known);

/* It was given to a finger: no touch is wanted besides. */
bool pin_proof_present(const struct token *token, const struct pin_proof *proof);

/* A touch was spent on it: the token is good for nothing more (section 6.5.3.3). */
void pin_proof_spent(struct token *token, const struct pin_proof *proof);

#endif
