/*
 * The keys that a token shows: its public-key objects, and the certificates of those that
 * have none. The private object of each is looked for when it is first used, then kept.
 */
#ifndef KEYSTILE_PKCS11_KEY_LIST_H
#define KEYSTILE_PKCS11_KEY_LIST_H

#include "attribute.h"
#include "certificate.h"

struct token_key {
	struct buf blob;
	struct buf id; /* CKA_ID, may be empty */
	char *label;
	struct certificate *certificate; /* NULL: none that can be read */
	CK_OBJECT_HANDLE private;	 /* CK_INVALID_HANDLE: not found yet */
	bool always_pin;		 /* CKA_ALWAYS_AUTHENTICATE of the private object */
};

struct key_list {
	struct token_key *keys;
	size_t count;
};

/* Reads what the session sees; list is zeroed before, and the caller's to deinit in any case. */
CK_RV key_list_read(struct module *module, CK_SESSION_HANDLE session, struct key_list *list);
void key_list_deinit(struct key_list *list);
struct token_key *key_list_find(const struct key_list *list, struct bytes blob);
/* Adds the keys of older that are missing in list, and empties older. */
KS_MUST_CHECK enum ks_error key_list_keep(struct key_list *list, struct key_list *older);
/* Private handles are void: they will be looked for again. */
void key_list_forget_handles(struct key_list *list);

/* What private_key_find() found. */
struct private_key {
	CK_OBJECT_HANDLE handle; /* CK_INVALID_HANDLE: the session sees none */
	bool always_pin;
};

/*
 * Looks for the private object of a key: by CKA_ID, and where that finds none, by what is
 * public of it.
 */
CK_RV private_key_find(struct module *module, CK_SESSION_HANDLE session, struct bytes blob,
	struct bytes id, struct private_key *found);

#endif
