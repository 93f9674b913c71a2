/* Short words for libcbor: fields of the maps that hosts send, and maps that are answered. */
#ifndef AUTHENTICATOR_ITEM_H
#define AUTHENTICATOR_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cbor.h>

/* Borrowed. data is NULL where there is nothing. */
struct span {
	const uint8_t *data;
	size_t len;
};

/* ---- Reading: each takes NULL for a field that is not there, and then returns false ---- */

/* The value of a key in a map, borrowed; NULL: not there, or no map. */
cbor_item_t *item_numbered(const cbor_item_t *map, uint64_t key);
cbor_item_t *item_named(const cbor_item_t *map, const char *key);

bool item_bytes(const cbor_item_t *item, struct span *out);
bool item_text(const cbor_item_t *item, struct span *out);
bool item_number(const cbor_item_t *item, int64_t *out);
bool item_bool(const cbor_item_t *item, bool *out);
bool item_is_text(const cbor_item_t *item, const char *text);

/* ---- Making: what is put into a map or an array belongs to it ---- */

cbor_item_t *item_new_map(size_t pairs);
cbor_item_t *item_new_number(int64_t value);
cbor_item_t *item_new_bytes(const uint8_t *data, size_t len);
cbor_item_t *item_new_text(struct span text);
cbor_item_t *item_new_bool(bool value);

/* Keys have to come in the order that CTAP wants: numbers rising, texts by length. */
void item_put(cbor_item_t *map, int64_t key, cbor_item_t *value);
void item_put_named(cbor_item_t *map, const char *key, cbor_item_t *value);
void item_append(cbor_item_t *array, cbor_item_t *value);

/* 0: no room. */
size_t item_write(const cbor_item_t *item, uint8_t *out, size_t room);

#endif
