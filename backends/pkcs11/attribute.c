/*
 * Reads attributes and finds objects, with every length and count that a module returns
 * checked.
 */
#include "attribute.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/frame.h>
#include <keystile/log.h>

#define FIND_AT_ONCE 64

bool attribute_read(const struct object *object, CK_ATTRIBUTE_TYPE type, struct buf *out)
{
	uint8_t *room = buf_reserve(out, ATTRIBUTE_MAX);
	CK_ATTRIBUTE attribute = {type, room, ATTRIBUTE_MAX};
	CK_RV value;

	if (!room)
		return false;
	value = CALL(object->module, C_GetAttributeValue, object->session, object->handle,
		&attribute, 1);
	if (value != CKR_OK || attribute.ulValueLen > ATTRIBUTE_MAX)
		return false;
	out->len += attribute.ulValueLen;
	return true;
}

CK_ULONG attribute_number(const struct object *object, CK_ATTRIBUTE_TYPE type, CK_ULONG fallback)
{
	AUTO(buf)
	value = {0};
	CK_ULONG number;

	if (!attribute_read(object, type, &value) || value.len != sizeof(number))
		return fallback;
	memcpy(&number, value.data, sizeof(number));
	return number;
}

bool attribute_flag(const struct object *object, CK_ATTRIBUTE_TYPE type)
{
	AUTO(buf)
	value = {0};

	return attribute_read(object, type, &value) && value.len == sizeof(CK_BBOOL) &&
	       value.data[0] != CK_FALSE;
}

char *attribute_text(const struct object *object, CK_ATTRIBUTE_TYPE type, size_t max)
{
	AUTO(buf)
	value = {0};

	if (!attribute_read(object, type, &value) || !value.len)
		return strdup("");
	return strndup((const char *)value.data, value.len < max ? value.len : max);
}

static CK_RV collect(struct module *module, CK_SESSION_HANDLE session, struct buf *handles)
{
	CK_OBJECT_HANDLE some[FIND_AT_ONCE];
	CK_ULONG count;
	CK_RV value;

	while (object_count(handles) < FRAME_KEYS_MAX) {
		count = 0;
		value = CALL(module, C_FindObjects, session, some, FIND_AT_ONCE, &count);
		if (value != CKR_OK || !count)
			return value;
		if (count > FIND_AT_ONCE) {
			log_warning("the module returned more objects than were asked for");
			return CKR_GENERAL_ERROR;
		}
		buf_put(handles, BYTES((const uint8_t *)some, count * sizeof(some[0])));
		if (buf_status(handles) != KS_OK)
			return CKR_HOST_MEMORY;
	}
	log_warning("the token has more than %d objects of a kind: the rest is left out",
		FRAME_KEYS_MAX);
	return CKR_OK;
}

CK_RV object_find(struct module *module, CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted,
	CK_ULONG wanted_count, struct buf *handles)
{
	CK_RV value, final;

	value = CALL(module, C_FindObjectsInit, session, wanted, wanted_count);
	if (value != CKR_OK)
		return value;
	value = collect(module, session, handles);
	final = CALL(module, C_FindObjectsFinal, session);
	return value != CKR_OK ? value : final;
}

size_t object_count(const struct buf *handles)
{
	return handles->len / sizeof(CK_OBJECT_HANDLE);
}

CK_OBJECT_HANDLE object_at(const struct buf *handles, size_t index)
{
	CK_OBJECT_HANDLE handle;

	memcpy(&handle, handles->data + index * sizeof(handle), sizeof(handle));
	return handle;
}
