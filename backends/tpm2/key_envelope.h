/*
 * The ASN.1 of a TPM 2.0 key file (draft-bottomley-tpm2-keys, section 3), and nothing of what is
 *inside its octet strings:
 *
 *	TPMKey ::= SEQUENCE {
 *		type        OBJECT IDENTIFIER,    -- 2.23.133.10.1.3 loadable, .4 importable, .5
 *sealed emptyAuth   [0] EXPLICIT BOOLEAN OPTIONAL, policy      [1] EXPLICIT SEQUENCE OF TPMPolicy
 *OPTIONAL, secret      [2] EXPLICIT OCTET STRING OPTIONAL, authPolicy  [3] EXPLICIT SEQUENCE OF
 *TPMAuthPolicy OPTIONAL, description [4] EXPLICIT UTF8String OPTIONAL, rsaParent   [5] EXPLICIT
 *BOOLEAN OPTIONAL, parent      INTEGER, pubkey      OCTET STRING,         -- TPM2B_PUBLIC privkey
 *OCTET STRING          -- TPM2B_PRIVATE
 *	}
 */
#ifndef KEYSTILE_TPM2_KEY_ENVELOPE_H
#define KEYSTILE_TPM2_KEY_ENVELOPE_H

#include <keystile/buffer.h>

enum key_envelope_type {
	KEY_ENVELOPE_OTHER,
	KEY_ENVELOPE_LOADABLE,
	KEY_ENVELOPE_IMPORTABLE,
	KEY_ENVELOPE_SEALED,
};

/* Bytes borrow from parsed, where it is not NULL; empty ones are not there. */
struct key_envelope {
	enum key_envelope_type type;
	bool empty_auth;
	bool has_policy; /* policy or authPolicy; never written */
	bool rsa_parent;
	uint64_t parent; /* UINT64_MAX for what is negative or longer */
	struct bytes public;
	struct bytes private;
	struct bytes secret;
	struct bytes description;
	struct key_sequence *parsed;
};

/* False: not this structure, or bytes are left over. key_envelope_deinit() is due after true. */
bool key_envelope_read(struct bytes der, struct key_envelope *out);
void key_envelope_deinit(struct key_envelope *envelope);
/* Appends DER. False: out of memory, or a type that can't be written. */
bool key_envelope_put(const struct key_envelope *envelope, struct buf *out);

#endif
