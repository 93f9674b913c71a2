/*
 * What a PIV card knows that PKCS#11 has no words for: how often its PIN may still be wrong and, of
 * Yubico's, which PIN and touch policy its keys have. It is asked when it came and before a PIN is,
 * never while it is logged in to, as to select its application may end a login. Where it is not
 * certain that it is the token's card, nothing is known.
 */
#ifndef KEYSTILE_PKCS11_PIV_H
#define KEYSTILE_PKCS11_PIV_H

#include "card.h"
#include "key_list.h"

/* NIST SP 800-73-4 part 1, table 4b: four keys, and twenty that were retired. */
#define PIV_SLOTS 24

/* Of one key that the card has and the token shows. */
struct piv_key {
	struct ks_key_facts facts; /* borrows from the two below */
	struct buf blob;
	struct buf attestation; /* DER; empty: none */
};

struct piv_facts {
	bool known;	   /* what follows, but for the tries */
	unsigned reads;	   /* tried, since the token came */
	unsigned presence; /* the token's departures then */
	int32_t tries;	   /* of the PIN, or KS_TRIES_UNKNOWN */
	bool yubikey;
	char firmware[12]; /* "5.4.3", or "" */
	char serial[11];   /* the device's own, or "" */
	struct piv_key keys[PIV_SLOTS];
	size_t count;
	struct buf intermediate; /* DER of the certificate that attestations are signed with */
};

/* The token that is meant: its serial number as the module says it, and its keys, all borrowed. */
struct piv_wanted {
	const char *manufacturer;
	const char *serial;
	const struct key_list *keys;
};

void piv_facts_deinit(struct piv_facts *facts);
/* Only of those whose token says that it is one, as their serial numbers can be compared. */
bool piv_is(const char *manufacturer);
/*
 * Selects the application and reads it all; nobody is logged in. False: it is not the
 * card that is meant, or makes no sense; facts are empty then.
 */
bool piv_read(struct card *card, const struct piv_wanted *wanted, struct piv_facts *facts);
/*
 * Tries left, KS_TRIES_UNKNOWN where the card does not say or it is another one. Where somebody is
 * logged in nothing is selected, and only a YubiKey says it.
 */
int32_t piv_tries(struct card *card, const struct piv_wanted *wanted, bool logged_in);

/* ---- For the files piv*.c ---- */

/* The value of the first element of that tag, of one or two bytes, as BER-TLV; data NULL: none. */
struct bytes piv_element(struct bytes in, unsigned tag);
/* Reads what the slots say of themselves; keeps those whose key the token shows. */
void piv_read_keys(struct card *card, const struct piv_wanted *wanted, struct piv_facts *facts);

#endif
