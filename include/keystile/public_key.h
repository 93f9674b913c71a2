/*
 * SSH public keys as they stand on the wire (RFC 4253 section 6.6, RFC 5656,
 * RFC 8709, OpenSSH PROTOCOL.u2f and PROTOCOL.certkeys): parsing, comparing and
 * verifying signatures with OpenSSL. Private keys are never touched here.
 */
#ifndef KEYSTILE_PUBLIC_KEY_H
#define KEYSTILE_PUBLIC_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/types.h>

#include <keystile/buffer.h>

enum key_kind {
	KEY_ED25519,
	KEY_ECDSA_P256,
	KEY_ECDSA_P384,
	KEY_ECDSA_P521,
	KEY_RSA,
	KEY_SK_ED25519,
	KEY_SK_ECDSA_P256,
	KEY_DSS, /* parsed like others; who uses one must have been told to */
	/* Composite (composite.h), unknown where libcrypto has no ML-DSA. */
	KEY_MLDSA44_ED25519,
	KEY_MLDSA44_ED25519_EARLY, /* as OpenSSH 10.4 and 10.5 name the same */
	KEY_KIND_COUNT
};

/* How a signature is made; the names are those of the wire. */
enum ks_algorithm {
	KS_ALGORITHM_ED25519,
	KS_ALGORITHM_ECDSA_P256,
	KS_ALGORITHM_ECDSA_P384,
	KS_ALGORITHM_ECDSA_P521,
	KS_ALGORITHM_RSA_SHA256,
	KS_ALGORITHM_RSA_SHA512,
	KS_ALGORITHM_RSA_SHA1,
	KS_ALGORITHM_SK_ED25519,
	KS_ALGORITHM_SK_ECDSA_P256,
	KS_ALGORITHM_DSS,
	KS_ALGORITHM_MLDSA44_ED25519,
	KS_ALGORITHM_MLDSA44_ED25519_EARLY,
	KS_ALGORITHM_COUNT
};

struct public_key {
	enum key_kind kind;
	bool certificate; /* the blob was a certificate; what follows is the key in it */
	EVP_PKEY *pkey;
	EVP_PKEY *second;  /* a composite key's Ed25519, beside ML-DSA in pkey; else NULL */
	char *application; /* sk keys, else NULL */
	struct buf plain;  /* the key's blob without certificate (equals the blob of a plain key) */
	/* certificates only */
	uint32_t certificate_type; /* 1 user, 2 host */
	struct buf signature_key;  /* blob of the CA's key */
	size_t certified_len;	   /* what the CA signed: so many bytes of the blob */
	uint64_t valid_after;	   /* seconds since 1970 */
	uint64_t valid_before;
	bool critical_options; /* it has any */
	struct buf principals; /* of a host's: strings in a row */
};

#define CERTIFICATE_USER 1
#define CERTIFICATE_HOST 2

/* Presence as an authenticator's signature shows it (PROTOCOL.u2f). */
#define SK_FLAG_USER_PRESENT 0x01
#define SK_FLAG_USER_VERIFIED 0x04

struct signature_facts {
	enum ks_algorithm algorithm;
	bool security_key;
	uint8_t sk_flags;
	uint32_t sk_counter;
};

/*
 * Parses a blob; trailing bytes, keys not on their curve, RSA under 1,024 or over
 * 16,384 bits or with an exponent over 32 bits, DSA other than 1,024 to 3,072 bits with
 * a q of 160 are KS_BAD_INPUT, a key type that is not known here is KS_UNSUPPORTED. *out is the
 * caller's, freed by public_key_free().
 */
KS_MUST_CHECK enum ks_error public_key_parse(struct bytes blob, struct public_key **out);
/*
 * KS_OK when the blob names a kind that is known; what follows may be anything. Enough where blobs
 * are only compared with those of keys that proved themselves.
 */
KS_MUST_CHECK enum ks_error public_key_kind_known(struct bytes blob);
void public_key_free(struct public_key **key); /* clears the pointer */

/* What is refused unless it is permitted by name: all that rests on SHA-1; bits. */
enum public_key_permit {
	PERMIT_NOTHING_OLD = 0,
	PERMIT_RSA_SHA1 = 1 << 0,
	PERMIT_DSS = 1 << 1,
};

/*
 * KS_OK when signature (string algorithm, string blob; sk: flags and counter follow)
 * over data was made by key with one of its algorithms. permitted: bits of enum
 * public_key_permit. Trailing bytes are refused. facts may be NULL. Anything else: KS_REFUSED
 * (does not verify) or KS_BAD_INPUT (malformed).
 */
KS_MUST_CHECK enum ks_error public_key_verify(const struct public_key *key, struct bytes signature,
	struct bytes data, unsigned permitted, struct signature_facts *facts);

/*
 * As public_key_verify() for the CA's signature over a certificate; blob is what it was parsed
 * from. KS_UNSUPPORTED: the CA's key is too large to be tried for a stranger (RSA over 8,192 bits).
 */
KS_MUST_CHECK enum ks_error public_key_verify_certificate(const struct public_key *certificate,
	struct bytes blob, unsigned permitted, struct signature_facts *facts);
/*
 * Whether a certificate whose signature was verified may stand for a host of that name now
 * (seconds since 1970): a host's, in date, without critical options, and one of its
 * principals, as a pattern, matches. One without principals names no host.
 */
bool public_key_certifies_host(
	const struct public_key *certificate, const char *name, uint64_t now);

/* "SHA256:..." as ssh-keygen -l prints it, of any blob; the caller frees it. */
char *public_key_fingerprint(struct bytes blob);
/* "ssh-ed25519", also for certificates' plain type; static. */
const char *key_kind_name(enum key_kind kind);
bool key_kind_is_security_key(enum key_kind kind);
bool key_kind_is_composite(enum key_kind kind);
/* "RSA", "ECDSA", "ED25519", "ECDSA-SK" ... as ssh-add -l prints it; static. */
const char *key_kind_label(enum key_kind kind);
unsigned public_key_bits(const struct public_key *key);
const char *ks_algorithm_name(enum ks_algorithm algorithm); /* "rsa-sha2-256"; static */
bool ks_algorithm_by_name(struct bytes name, enum ks_algorithm *out);
/*
 * True when the name of a public key algorithm, as userauth carries it, is one of this
 * key's (rsa-sha2-* for RSA keys, ...-cert-v01@openssh.com for certificates).
 */
bool public_key_takes_algorithm(const struct public_key *key, struct bytes name);

/* Blobs from raw numbers, for backends. The buffers are appended to. */
void public_key_put_ed25519(struct buf *out, struct bytes point);
KS_MUST_CHECK enum ks_error public_key_put_ecdsa(
	struct buf *out, enum key_kind kind, struct bytes point);
void public_key_put_rsa(struct buf *out, struct bytes exponent, struct bytes modulus);
/* p, q, g, y. */
void public_key_put_dss(struct buf *out, const struct bytes numbers[static 4]);
/* From an OpenSSL key, e.g. one out of an X.509 certificate; KS_UNSUPPORTED for other kinds. */
KS_MUST_CHECK enum ks_error public_key_put_pkey(struct buf *out, EVP_PKEY *pkey);

/*
 * Signatures from what tokens return: RSA and Ed25519 bytes as they are, ECDSA as r and s
 * of equal length (PKCS#11), DSA as r and s of 20 bytes each, composite ones as they are. Writes
 * string algorithm, string blob.
 */
KS_MUST_CHECK enum ks_error signature_put(
	struct buf *out, enum ks_algorithm algorithm, struct bytes raw);

#endif
