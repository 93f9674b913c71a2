/* Nothing here trusts a type: a host may send anything. */
#include "item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cbor_pair *pairs_of(const cbor_item_t *map, size_t *count)
{
	*count = map != NULL && cbor_isa_map(map) ? cbor_map_size(map) : 0;
	return *count > 0 ? cbor_map_handle(map) : NULL;
}

cbor_item_t *item_numbered(const cbor_item_t *map, uint64_t key)
{
	size_t count = 0;
	struct cbor_pair *pairs = pairs_of(map, &count);

	for (size_t i = 0; i < count; i++) {
		if (cbor_isa_uint(pairs[i].key) && cbor_get_int(pairs[i].key) == key)
			return pairs[i].value;
	}
	return NULL;
}

cbor_item_t *item_named(const cbor_item_t *map, const char *key)
{
	size_t count = 0;
	struct cbor_pair *pairs = pairs_of(map, &count);

	for (size_t i = 0; i < count; i++) {
		if (item_is_text(pairs[i].key, key))
			return pairs[i].value;
	}
	return NULL;
}

bool item_bytes(const cbor_item_t *item, struct span *out)
{
	if (item == NULL || !cbor_isa_bytestring(item) || !cbor_bytestring_is_definite(item))
		return false;
	out->data = cbor_bytestring_handle(item);
	out->len = cbor_bytestring_length(item);
	return true;
}

bool item_text(const cbor_item_t *item, struct span *out)
{
	if (item == NULL || !cbor_isa_string(item) || !cbor_string_is_definite(item))
		return false;
	out->data = cbor_string_handle(item);
	out->len = cbor_string_length(item);
	return true;
}

bool item_number(const cbor_item_t *item, int64_t *out)
{
	uint64_t value = 0;

	if (item == NULL || !cbor_is_int(item))
		return false;
	value = cbor_get_int(item);
	if (value > INT64_MAX)
		return false;
	*out = cbor_isa_negint(item) ? -1 - (int64_t)value : (int64_t)value;
	return true;
}

bool item_bool(const cbor_item_t *item, bool *out)
{
	if (item == NULL || !cbor_isa_float_ctrl(item) || !cbor_is_bool(item))
		return false;
	*out = cbor_ctrl_value(item) == CBOR_CTRL_TRUE;
	return true;
}

bool item_is_text(const cbor_item_t *item, const char *text)
{
	struct span found = {0};

	return item_text(item, &found) && found.len == strlen(text) &&
	       (found.len == 0 || memcmp(found.data, text, found.len) == 0);
}

/* A test program that has no memory can't go on. */
static cbor_item_t *must(cbor_item_t *item)
{
	if (item == NULL) {
		fprintf(stderr, "authenticator: no memory\n");
		abort();
	}
	return item;
}

cbor_item_t *item_new_map(size_t pairs)
{
	return must(cbor_new_definite_map(pairs));
}

static cbor_item_t *new_unsigned(uint64_t value)
{
	if (value <= UINT8_MAX)
		return must(cbor_build_uint8((uint8_t)value));
	if (value <= UINT16_MAX)
		return must(cbor_build_uint16((uint16_t)value));
	return value <= UINT32_MAX ? must(cbor_build_uint32((uint32_t)value))
				   : must(cbor_build_uint64(value));
}

cbor_item_t *item_new_number(int64_t value)
{
	cbor_item_t *item = new_unsigned((uint64_t)(value < 0 ? -1 - value : value));

	if (value < 0)
		cbor_mark_negint(item);
	return item;
}

cbor_item_t *item_new_bytes(const uint8_t *data, size_t len)
{
	return must(cbor_build_bytestring(data, len));
}

cbor_item_t *item_new_text(struct span text)
{
	return must(cbor_build_stringn((const char *)text.data, text.len));
}

cbor_item_t *item_new_bool(bool value)
{
	return must(cbor_build_bool(value));
}

static void put(cbor_item_t *map, cbor_item_t *key, cbor_item_t *value)
{
	if (!cbor_map_add(map, (struct cbor_pair){.key = key, .value = value})) {
		fprintf(stderr, "authenticator: a map has no room\n");
		abort();
	}
	cbor_decref(&key);
	cbor_decref(&value);
}

void item_put(cbor_item_t *map, int64_t key, cbor_item_t *value)
{
	put(map, item_new_number(key), value);
}

void item_put_named(cbor_item_t *map, const char *key, cbor_item_t *value)
{
	put(map, must(cbor_build_string(key)), value);
}

void item_append(cbor_item_t *array, cbor_item_t *value)
{
	if (!cbor_array_push(array, value)) {
		fprintf(stderr, "authenticator: an array has no room\n");
		abort();
	}
	cbor_decref(&value);
}

size_t item_write(const cbor_item_t *item, uint8_t *out, size_t room)
{
	return cbor_serialize(item, out, room);
}
