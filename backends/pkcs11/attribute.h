/*
 * Objects and their attributes, read with bounds: a module is a stranger, and what a card
 * says through it is worse.
 */
#ifndef KEYSTILE_PKCS11_ATTRIBUTE_H
#define KEYSTILE_PKCS11_ATTRIBUTE_H

#include <stdbool.h>

#include "module.h"

#define ATTRIBUTE_MAX ((size_t)16 * 1024)

/* Where an object is to be read. */
struct object {
	struct module *module;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE handle;
};

/*
 * Appends an attribute's value to out. False where the object has none, it is over
 * ATTRIBUTE_MAX or memory ran out; out is unchanged then.
 */
bool attribute_read(const struct object *object, CK_ATTRIBUTE_TYPE type, struct buf *out);
/* A number; fallback where there is none. */
CK_ULONG attribute_number(const struct object *object, CK_ATTRIBUTE_TYPE type, CK_ULONG fallback);
bool attribute_flag(const struct object *object, CK_ATTRIBUTE_TYPE type);
/* Text up to its first NUL; the caller frees it. NULL when out of memory; "" where there is none.
 */
char *attribute_text(const struct object *object, CK_ATTRIBUTE_TYPE type, size_t max);

/*
 * Finds up to max objects; *count says how many. One that returns more handles than were
 * asked for is answered by CKR_GENERAL_ERROR.
 */
CK_RV object_find(struct module *module, CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted,
	CK_ULONG wanted_count, struct buf *handles);
/* Handles that object_find() appended to a buffer. */
size_t object_count(const struct buf *handles);
CK_OBJECT_HANDLE object_at(const struct buf *handles, size_t index);

#endif
