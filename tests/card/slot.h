/*
 * A key's place on the card: the key, its certificate, and what it wants before it signs.
 */
#ifndef CARD_SLOT_H
#define CARD_SLOT_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include <keystile/buffer.h>

enum algorithm { /* NIST SP 800-78-5 table 6-2 */
	ALGORITHM_RSA_2048 = 0x07,
	ALGORITHM_P256 = 0x11,
	ALGORITHM_P384 = 0x14,
};

/* As YubiKeys number them in GET METADATA and in attestations. */
enum pin_policy { PIN_NEVER = 1, PIN_ONCE, PIN_ALWAYS };
enum touch_policy { TOUCH_NEVER = 1, TOUCH_ALWAYS, TOUCH_CACHED };

struct slot {
	uint8_t id;	 /* key reference: 0x9a, ... */
	unsigned object; /* tag of its certificate */
	enum pin_policy pin;
	enum touch_policy touch;
	bool imported;
	EVP_PKEY *key; /* NULL: empty */
	enum algorithm algorithm;
	struct buf certificate; /* DER */
	struct buf attestation; /* DER; empty: it has none */
};

#define SLOT_COUNT 5

void slots_init(struct slot slots[SLOT_COUNT]);
void slots_deinit(struct slot slots[SLOT_COUNT]);
/* NULL: there is none of that number. */
struct slot *slots_find(struct slot slots[SLOT_COUNT], unsigned id);
/*
 * "9a,key=FILE,cert=FILE,pin=never|once|always,touch=never|always|cached,attestation=FILE,imported";
 * files are PEM. False: it can't be understood or read; the words went to stderr.
 */
bool slots_fill(struct slot slots[SLOT_COUNT], const char *description);
/* "P-256" and so on; puts the public key as 81/82 or 86, as GENERATE and GET METADATA show it. */
bool slot_put_public(const struct slot *slot, struct buf *out);

#endif
