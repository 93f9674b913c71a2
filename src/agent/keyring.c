/*
 * Keys and their sources. Blobs come from workers and are parsed here once: what the
 * agent can't verify it does not offer.
 */
#include "keyring.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <keystile/log.h>
#include <keystile/text.h>

#include "constraints.h"
#include "provider.h"

#define CLOCKS_DIFFER_S 300 /* as much as ssh-add allows for */

static struct key *key_new(struct bytes blob, const char *comment)
{
	struct key *key = calloc(1, sizeof(*key));

	if (key == NULL)
		return NULL;
	key->references = 1;
	key->blob.max = blob.len > 0 ? blob.len : 1; /* no more than it needs */
	buf_put(&key->blob, blob);
	key->comment = strdup(comment);
	if (key->comment == NULL || buf_status(&key->blob) != KS_OK)
		key_release(&key);
	return key;
}

/* Blobs that workers report are parsed at once: what the agent can't verify it does not offer. */
static struct key *key_of_token(const struct token *token, const struct ks_key *from)
{
	bool labelled = from->label != NULL && from->label[0] != '\0';
	struct key *key = key_new(from->blob, labelled ? from->label : token->provider->name);

	if (key == NULL || key_public(key) == NULL) {
		log_warning("a token offers a key that can't be understood: left out");
		key_release(&key);
		return NULL;
	}
	/* Clients print it as it is. */
	if (labelled)
		text_make_plain(key->comment);
	key->kind = key->public_key->kind;
	/*
	 * It takes ten times as much as the rest, and most keys never sign. Certificates are few,
	 * and are looked at each time.
	 */
	if (!key->public_key->certificate)
		public_key_free(&key->public_key);
	return key;
}

const struct public_key *key_public(struct key *key)
{
	if (key->public_key == NULL &&
		public_key_parse(buf_bytes(&key->blob), &key->public_key) != KS_OK)
		return NULL;
	return key->public_key;
}

static void source_free(struct key_source *source)
{
	constraints_release(&source->constraints);
	free(source);
}

struct key *key_reference(struct key *key)
{
	key->references++;
	return key;
}

void key_release(struct key **held)
{
	struct key *key = *held;

	*held = NULL;
	if (key == NULL || --key->references > 0)
		return;
	while (key->sources != NULL) {
		struct key_source *source = key->sources;

		key->sources = source->next;
		source_free(source);
	}
	public_key_free(&key->public_key);
	buf_deinit(&key->blob);
	free(key->comment);
	free(key);
}

bool key_is_security_key(const struct key *key)
{
	return key->kind == KEY_SK_ED25519 || key->kind == KEY_SK_ECDSA_P256;
}

bool key_is_from_afar(const struct key *key)
{
	const struct key_source *source = key->sources;

	while (source != NULL && (source->hidden || source->from_afar))
		source = source->next;
	return source == NULL;
}

bool key_outdated(const struct key *key)
{
	const struct public_key *certificate = key->public_key;
	uint64_t now = (uint64_t)time(NULL);

	if (certificate == NULL || !certificate->certificate || key_added_source(key) != NULL)
		return false;
	return (now > certificate->valid_before &&
		       now - certificate->valid_before > CLOCKS_DIFFER_S) ||
	       (now < certificate->valid_after && certificate->valid_after - now > CLOCKS_DIFFER_S);
}

struct key_source *key_source(const struct key *key)
{
	struct key_source *absent = NULL;

	for (struct key_source *source = key->sources; source != NULL; source = source->next) {
		if (source->hidden || !source->token->provider->established)
			continue;
		if (!source->token->absent)
			return source;
		if (absent == NULL)
			absent = source;
	}
	return absent;
}

/* Also one that is not offered now. */
static struct key *find_any(struct keyring *keyring, struct bytes blob)
{
	for (struct key *key = keyring->first; key != NULL; key = key->next)
		if (bytes_equal(buf_bytes(&key->blob), blob))
			return key;
	return NULL;
}

struct key *keyring_find(struct keyring *keyring, struct bytes blob)
{
	struct key *key = find_any(keyring, blob);

	return key != NULL && key_source(key) != NULL ? key : NULL;
}

/* A certificate stands before its key, also where that came first. */
static bool stands_before(const struct key *key, const struct key *other)
{
	const struct public_key *parsed = key->public_key;

	return parsed != NULL && parsed->certificate &&
	       bytes_equal(buf_bytes(&parsed->plain), buf_bytes(&other->blob));
}

/* key is taken; NULL is fine. */
static struct key *append(struct keyring *keyring, struct key *key)
{
	struct key **end = &keyring->first;

	if (key == NULL)
		return NULL;
	while (*end != NULL && !stands_before(key, *end))
		end = &(*end)->next;
	key->next = *end;
	*end = key;
	keyring->count++;
	return key;
}

static struct key *find_or_add(
	struct keyring *keyring, const struct token *token, const struct ks_key *from)
{
	struct key *key = find_any(keyring, from->blob);

	if (key != NULL || keyring->count >= KEYRING_KEYS_MAX)
		return key;
	return append(keyring, key_of_token(token, from));
}

/* The source of that token, a new one where there was none; NULL when out of memory. */
static struct key_source *add_source(struct key *key, struct token *token, uint32_t flags)
{
	struct key_source **at = &key->sources;

	while (*at != NULL && (*at)->token != token)
		at = &(*at)->next;
	if (*at == NULL) {
		*at = calloc(1, sizeof(**at));
		if (*at == NULL)
			return NULL;
		(*at)->token = token;
	}
	(*at)->flags = flags;
	(*at)->stale = false;
	return *at;
}

static void mark_stale(struct keyring *keyring, const struct token *token)
{
	for (struct key *key = keyring->first; key != NULL; key = key->next)
		for (struct key_source *source = key->sources; source != NULL;
			source = source->next)
			source->stale = source->stale || source->token == token;
}

/* Drops what is still stale, and keys that have no source left. */
static void sweep(struct keyring *keyring)
{
	struct key **at = &keyring->first;

	while (*at != NULL) {
		struct key *key = *at;
		struct key_source **source = &key->sources;

		while (*source != NULL) {
			struct key_source *stale = *source;

			if (!stale->stale) {
				source = &stale->next;
				continue;
			}
			*source = stale->next;
			source_free(stale);
		}
		if (key->sources != NULL) {
			at = &key->next;
			continue;
		}
		*at = key->next;
		keyring->count--;
		key_release(&key);
	}
}

/* How many keys a provider may still add; stale ones make room. */
static size_t room_for(const struct keyring *keyring, const struct provider *provider)
{
	size_t taken = 0;

	for (const struct key *key = keyring->first; key != NULL; key = key->next)
		for (const struct key_source *source = key->sources; source != NULL;
			source = source->next)
			taken += source->token->provider == provider && !source->stale;
	return taken < PROVIDER_KEYS_MAX ? PROVIDER_KEYS_MAX - taken : 0;
}

void keyring_token_is(
	struct keyring *keyring, struct token *token, const struct ks_key *keys, size_t count)
{
	size_t room;

	mark_stale(keyring, token);
	room = room_for(keyring, token->provider);
	token->left_out = count > room ? (unsigned)(count - room) : 0;
	if (token->left_out > 0)
		log_warning("a provider offers too many keys: %u are left out", token->left_out);
	for (size_t i = 0; i < count && i < room; i++) {
		struct key *key = find_or_add(keyring, token, &keys[i]);

		if (key != NULL && add_source(key, token, keys[i].flags) == NULL)
			log_error("no memory for a key of a token: it is left out");
	}
	sweep(keyring);
}

void keyring_token_gone(struct keyring *keyring, struct token *token)
{
	mark_stale(keyring, token);
	sweep(keyring);
}

bool keyring_token_has_keys(const struct keyring *keyring, const struct token *token)
{
	for (const struct key *key = keyring->first; key != NULL; key = key->next)
		for (const struct key_source *source = key->sources; source != NULL;
			source = source->next)
			if (source->token == token)
				return true;
	return false;
}

void keyring_unhide(struct keyring *keyring, const struct provider *provider)
{
	for (struct key *key = keyring->first; key != NULL; key = key->next)
		for (struct key_source *source = key->sources; source != NULL;
			source = source->next)
			if (source->token->provider == provider)
				source->hidden = false;
}

void keyring_hide(struct key *key)
{
	for (struct key_source *source = key->sources; source != NULL; source = source->next)
		source->hidden = true;
}

struct key_source *key_added_source(const struct key *key)
{
	struct key_source *source = key->sources;

	while (source != NULL && !token_takes_keys(source->token))
		source = source->next;
	return source;
}

/* What was said of the key before does not count any more. */
static void adopt(struct key_source *source, const struct key_addition *addition)
{
	struct constraints *constraints = constraints_reference(addition->constraints);

	constraints_release(&source->constraints);
	source->constraints = constraints;
	source->expires_ms = addition->expires_ms;
	source->from_afar = addition->from_afar;
	source->hidden = false;
}

enum ks_error keyring_add(
	struct keyring *keyring, struct token *token, const struct key_addition *addition)
{
	struct key *key = find_any(keyring, addition->blob);
	bool there = key != NULL;
	struct key_source *source;
	char *comment;

	if (!there && keyring->count < KEYRING_KEYS_MAX)
		key = append(keyring, key_new(addition->blob, addition->comment));
	if (key == NULL)
		return KS_NO_MEMORY;
	key->kind = addition->kind;
	/* Before there is a source, which would be without constraints. */
	comment = there ? strdup(addition->comment) : NULL;
	source = there && comment == NULL ? NULL : add_source(key, token, 0);
	if (source == NULL) {
		free(comment);
		sweep(keyring);
		return KS_NO_MEMORY;
	}
	if (there) {
		free(key->comment);
		key->comment = comment;
	}
	adopt(source, addition);
	return KS_OK;
}

void keyring_drop(struct keyring *keyring, const struct token *token, struct bytes blob)
{
	struct key *key = find_any(keyring, blob);

	for (struct key_source *source = key == NULL ? NULL : key->sources; source != NULL;
		source = source->next)
		source->stale = source->token == token;
	sweep(keyring);
}

unsigned keyring_count(const struct keyring *keyring, const struct provider *provider)
{
	unsigned count = 0;

	for (struct key *key = keyring->first; key != NULL; key = key->next) {
		const struct key_source *source = key->sources;

		while (source != NULL && (source->hidden || source->token->provider != provider ||
						 token_takes_keys(source->token)))
			source = source->next;
		count += source != NULL;
	}
	return count;
}

unsigned keyring_count_from_afar(const struct keyring *keyring)
{
	unsigned count = 0;

	for (const struct key *key = keyring->first; key != NULL; key = key->next)
		for (const struct key_source *source = key->sources; source != NULL;
			source = source->next)
			count += source->from_afar;
	return count;
}

void keyring_deinit(struct keyring *keyring)
{
	while (keyring->first != NULL) {
		struct key *key = keyring->first;

		keyring->first = key->next;
		key_release(&key);
	}
	keyring->count = 0;
}
