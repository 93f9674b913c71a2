/*
 * What a YubiKey attests of a key in its PIV part: an X.509 certificate for that key, which its
 * maker's certificates lead to, with the key's policies in it (Yubico, "PIV attestation").
 */
#ifndef KEYSTILE_ATTESTATION_PROOF_H
#define KEYSTILE_ATTESTATION_PROOF_H

#include <stdbool.h>

#include <keystile/buffer.h>
#include <keystile/error.h>

struct claim {
	struct bytes key;	  /* the public key's blob */
	struct bytes certificate; /* X.509 in DER, of that key */
	struct bytes signer;	  /* the same, of the key that signed it */
};

/*
 * Whether the card makes no signature with that key without a touch for it. When not, *words, which
 * are static, say why.
 */
KS_MUST_CHECK enum ks_error proof_of_touch(
	const struct claim *claim, bool *proven, const char **words);

#endif
