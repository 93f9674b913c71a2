/*
 * The private part of a key on its own, and OpenSSL's key made of it and of the public part.
 */
#ifndef MEMORY_MATERIAL_H
#define MEMORY_MATERIAL_H

#include <keystile/private_key.h>

#define MATERIAL_FIELDS 4

/*
 * What is secret of a key, in the order of the wire; borrowed. Ed25519: the seed. ECDSA and DSA:
 * the number. RSA: d, iqmp, p, q. Composite keys: both seeds. Security keys: the key handle.
 */
struct material {
	struct bytes fields[MATERIAL_FIELDS];
	unsigned count;
};

struct material material_of(const struct private_key *key);

/* A key as OpenSSL has it. */
struct usable {
	EVP_PKEY *pkey;	  /* NULL: none could be made */
	EVP_PKEY *second; /* a composite key's Ed25519, else NULL */
};

void usable_free(struct usable *usable); /* clears it */
/* References for the caller; nothing where there are no more. */
struct usable usable_share(const struct usable *usable);

/*
 * Empty for security keys, whose private part no library can use, and where OpenSSL refuses the
 * numbers. That they belong together is not looked at.
 */
struct usable material_make(const struct public_key *public, const struct material *material);

/*
 * True when the private part is that of the public key (of a certificate's), so that no signature
 * is made with halves of two keys: some of those would give the private part away. usable is
 * what material_make() made, empty for a security key.
 */
bool material_belongs(const struct private_key *key, const struct public_key *public,
	const struct usable *usable);

/*
 * All of that for a key as it came from a client. On KS_OK blob has its public blob appended and
 * *usable is the caller's, empty for a security key. Otherwise *why says in words what is wrong;
 * static.
 */
KS_MUST_CHECK enum ks_error material_accept(struct bytes bytes, struct private_key *key,
	struct buf *blob, struct usable *usable, const char **why);

#endif
