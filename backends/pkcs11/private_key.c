/*
 * Finds the private object that belongs to a public key. Ids are what ties the two
 * together, but some tokens give several keys the same id and some give none: what is public
 * of the key decides then.
 */
#include "key_list.h"

#include <keystile/cleanup.h>

#include "key_blob.h"

enum resemblance { DIFFERENT, UNKNOWN, SAME };

/* Ed25519 keys are CKK_EC on tokens that are older than CKK_EC_EDWARDS. */
static bool type_fits(const struct object *object, CK_KEY_TYPE wanted)
{
	CK_ULONG type = attribute_number(object, CKA_KEY_TYPE, wanted);

	return type == wanted || (wanted == CKK_EC_EDWARDS && type == CKK_EC);
}

static enum resemblance compare(const struct object *object, CK_KEY_TYPE type, struct bytes public)
{
	AUTO(buf)
	attribute = {0};

	if (!type_fits(object, type))
		return DIFFERENT;
	if (!attribute_read(object, type == CKK_RSA ? CKA_MODULUS : CKA_EC_POINT, &attribute) ||
		!attribute.len)
		return UNKNOWN;
	return key_blob_matches(buf_bytes(&attribute), public) ? SAME : DIFFERENT;
}

/* The first that is the same, otherwise the first that may be where that is enough. */
static CK_OBJECT_HANDLE choose(
	struct object object, const struct buf *handles, struct bytes blob, enum resemblance enough)
{
	CK_OBJECT_HANDLE fallback = CK_INVALID_HANDLE;
	size_t count = object_count(handles);
	struct bytes public;
	CK_KEY_TYPE type;

	if (!key_blob_describe(blob, &type, &public))
		return CK_INVALID_HANDLE;
	for (size_t i = 0; i < count; i++) {
		enum resemblance resemblance;

		object.handle = object_at(handles, i);
		resemblance = compare(&object, type, public);
		if (resemblance == SAME)
			return object.handle;
		if (resemblance >= enough && fallback == CK_INVALID_HANDLE)
			fallback = object.handle;
	}
	return fallback;
}

static CK_RV search(
	struct object object, struct bytes blob, struct bytes id, struct private_key *found)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE wanted[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_ID, (void *)(uintptr_t)id.data, id.len},
	};
	AUTO(buf)
	handles = {0};
	CK_RV value;

	value = object_find(object.module, object.session, wanted, id.len ? 2 : 1, &handles);
	if (value == CKR_OK)
		found->handle = choose(object, &handles, blob, id.len ? UNKNOWN : SAME);
	return value;
}

CK_RV private_key_find(struct module *module, CK_SESSION_HANDLE session, struct bytes blob,
	struct bytes id, struct private_key *found)
{
	struct object object = {.module = module, .session = session};
	CK_RV value = CKR_OK;

	*found = (struct private_key){.handle = CK_INVALID_HANDLE};
	if (id.len)
		value = search(object, blob, id, found);
	if (value == CKR_OK && found->handle == CK_INVALID_HANDLE)
		value = search(object, blob, (struct bytes){0}, found);
	if (value != CKR_OK || found->handle == CK_INVALID_HANDLE)
		return value;
	object.handle = found->handle;
	found->always_pin = attribute_flag(&object, CKA_ALWAYS_AUTHENTICATE);
	return CKR_OK;
}
