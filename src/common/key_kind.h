/*
 * The table of key kinds and signature algorithms: names, curves and sizes, each
 * written down once for parsing, building, verifying and showing keys.
 */
#ifndef KEY_KIND_H
#define KEY_KIND_H

#include <keystile/public_key.h>

struct key_kind_facts {
	const char *name;
	const char *certificate_name;
	const char *label;
	unsigned bits;	   /* 0: the modulus says it (RSA, DSA) */
	unsigned strings;  /* that make up the key in a blob, after its name */
	const char *curve; /* RFC 5656 section 10.1; NULL where there is none */
	const char *group; /* the curve's name in OpenSSL */
	size_t coordinate; /* bytes of one coordinate */
	bool security_key; /* the last string is the application (PROTOCOL.u2f) */
	bool composite;	   /* of two keys, see composite.h */
};

struct algorithm_facts {
	const char *name;
	const char *certificate_name; /* as userauth says it with a certificate */
	enum key_kind kind;
	const EVP_MD *(*digest)(void); /* NULL: the algorithm hashes by itself */
};

/* Both are static and never NULL for a value of the enum. */
const struct key_kind_facts *key_kind_facts(enum key_kind kind);
const struct algorithm_facts *algorithm_facts(enum ks_algorithm algorithm);
/* False where the name is not known, or libcrypto can't verify keys of that name. */
bool key_kind_by_name(struct bytes name, enum key_kind *kind, bool *certificate);

#endif
