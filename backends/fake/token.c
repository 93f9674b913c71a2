/*
 * What a real token keeps inside.
 */
#include "token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "keys.h"

static enum ks_error make_key(
	struct fake_key *key, const char *name, uint32_t token, size_t number, unsigned kind)
{
	char full[FAKE_TOKEN_TEXT_MAX];
	enum fake_kind one =
		kind == FAKE_MIXED ? (enum fake_kind)(number % FAKE_MIXED) : (enum fake_kind)kind;

	snprintf(full, sizeof(full), "%s/%u/%zu", name, token, number);
	snprintf(key->label, sizeof(key->label), "%s key %zu", name, number);
	key->pkey = fake_key_make(full, one);
	if (key->pkey == NULL)
		return KS_DEVICE_FAILED;
	buf_clear(&key->blob);
	return public_key_put_pkey(&key->blob, key->pkey);
}

static int hex_digit(char digit)
{
	const char *digits = "0123456789abcdef";
	const char *at = digit != '\0' ? strchr(digits, digit) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

static enum ks_error put_hex(struct buf *out, const char *hex)
{
	for (; hex[0] != '\0'; hex += 2) {
		int high = hex_digit(hex[0]);
		int low = hex_digit(hex[1]);
		if (high < 0 || low < 0)
			return KS_BAD_INPUT;
		buf_put_u8(out, (uint8_t)(high << 4 | low));
	}
	return buf_status(out);
}

/* Lists a key under the blob of one that is not its own. */
static enum ks_error claim(struct fake_key *key, const struct fake_options *options)
{
	struct fake_key other = {0};
	enum ks_error error;

	if (strncmp(options->claim, "0x", 2) == 0)
		error = put_hex(&other.blob, options->claim + 2);
	else
		error = make_key(&other, options->claim, 0, 0, options->kind);
	buf_deinit(&key->blob);
	key->blob = other.blob;
	EVP_PKEY_free(other.pkey);
	return error;
}

enum ks_error fake_token_init(
	struct fake_token *token, uint32_t id, const struct fake_options *options)
{
	*token = (struct fake_token){.id = id,
		.present = true,
		.tries_left = options->tries,
		.tries_most = options->tries};
	snprintf(token->label, sizeof(token->label), "%s token %u", options->name, id);
	token->keys = calloc(options->keys + 1, sizeof(*token->keys));
	if (token->keys == NULL)
		return KS_NO_MEMORY;
	for (size_t i = 0; i < options->keys; i++) {
		token->key_count = i + 1;
		enum ks_error error =
			make_key(&token->keys[i], options->name, id, i, options->kind);
		if (error != KS_OK)
			return error;
	}
	if (options->claim[0] != '\0' && token->key_count > 0)
		return claim(&token->keys[0], options);
	return KS_OK;
}

void fake_token_deinit(struct fake_token *token)
{
	for (size_t i = 0; i < token->key_count; i++) {
		EVP_PKEY_free(token->keys[i].pkey);
		buf_deinit(&token->keys[i].blob);
	}
	free(token->keys);
	*token = (struct fake_token){0};
}

const struct fake_key *fake_token_key(const struct fake_token *token, struct bytes blob)
{
	for (size_t i = 0; i < token->key_count; i++)
		if (bytes_equal(buf_bytes(&token->keys[i].blob), blob))
			return &token->keys[i];
	return NULL;
}

enum ks_error fake_token_login(struct fake_token *token, const struct secret *pin)
{
	if (token->tries_left == 0)
		return KS_PIN_BLOCKED;
	if (!bytes_equal_text(BYTES(pin->data, pin->len), FAKE_PIN)) {
		token->tries_left--;
		return KS_PIN_WRONG;
	}
	token->tries_left = token->tries_most;
	token->logged_in = true;
	return KS_OK;
}
