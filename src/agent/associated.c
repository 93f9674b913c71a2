/*
 * Finds for each key of a token the certificates that were given along. Each certificate is parsed
 * once, whatever the number of keys.
 */
#include "associated.h"

#include <stdlib.h>

/* The certificates that are given, NULL where one is a plain key. */
struct parsed {
	struct public_key **keys;
	size_t count;
};

/* The list that comes out. */
struct list {
	struct ks_key *keys;
	size_t count, max;
};

static enum ks_error parse_all(const struct associated *associated, struct parsed *parsed)
{
	*parsed = (struct parsed){0};
	if (associated->count == 0)
		return KS_OK;
	parsed->keys = calloc(associated->count, sizeof(struct public_key *));
	if (parsed->keys == NULL)
		return KS_NO_MEMORY;
	parsed->count = associated->count;
	for (size_t i = 0; i < parsed->count; i++) {
		struct bytes blob = associated->blobs[i];

		if (public_key_parse(blob, &parsed->keys[i]) == KS_OK &&
			!parsed->keys[i]->certificate)
			public_key_free(&parsed->keys[i]);
	}
	return KS_OK;
}

static void parsed_deinit(struct parsed *parsed)
{
	for (size_t i = 0; i < parsed->count; i++)
		public_key_free(&parsed->keys[i]);
	free(parsed->keys);
}

/* The blob is offered with label and flags of the key. */
static void put(struct list *list, const struct ks_key *key, struct bytes blob)
{
	if (list->count == list->max)
		return;
	list->keys[list->count] = *key;
	list->keys[list->count++].blob = blob;
}

static void put_certificates(struct list *list, const struct associated *associated,
	const struct parsed *parsed, const struct ks_key *key)
{
	for (size_t i = 0; i < parsed->count; i++)
		if (parsed->keys[i] != NULL &&
			bytes_equal(buf_bytes(&parsed->keys[i]->plain), key->blob))
			put(list, key, associated->blobs[i]);
}

enum ks_error associated_expand(const struct associated *associated, const struct ks_key *keys,
	size_t count, size_t max, struct ks_key **out, size_t *out_count)
{
	struct list list = {.keys = calloc(max + 1, sizeof(*list.keys)), .max = max};
	struct parsed parsed;

	*out = NULL;
	*out_count = 0;
	if (list.keys == NULL)
		return KS_NO_MEMORY;
	if (parse_all(associated, &parsed) != KS_OK) {
		free(list.keys);
		return KS_NO_MEMORY;
	}
	for (size_t i = 0; i < count; i++) {
		put_certificates(&list, associated, &parsed, &keys[i]);
		if (!associated->only)
			put(&list, &keys[i], keys[i].blob);
	}
	parsed_deinit(&parsed);
	*out = list.keys;
	*out_count = list.count;
	return KS_OK;
}

enum ks_error associated_plain(struct bytes blob, struct buf *out)
{
	struct public_key *key;
	enum ks_error error = public_key_parse(blob, &key);

	if (error != KS_OK)
		return error;
	buf_put(out, buf_bytes(&key->plain));
	public_key_free(&key);
	return buf_status(out);
}
