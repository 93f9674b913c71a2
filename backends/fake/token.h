/*
 * A fake token: keys, a PIN with its tries, and whether it is plugged in. It stands where
 * another backend has its library and its hardware.
 */
#ifndef KEYSTILE_FAKE_TOKEN_H
#define KEYSTILE_FAKE_TOKEN_H

#include <stdbool.h>

#include <openssl/types.h>

#include <keystile/backend.h>

#include "options.h"

#define FAKE_PIN "1234"
#define FAKE_TOKEN_TEXT_MAX 96

struct fake_key {
	EVP_PKEY *pkey;
	struct buf blob; /* as listed: of pkey, but for option claim */
	char label[FAKE_TOKEN_TEXT_MAX];
};

struct fake_token {
	uint32_t id;
	char label[FAKE_TOKEN_TEXT_MAX];
	struct fake_key *keys;
	size_t key_count;
	bool present;
	bool logged_in;
	unsigned tries_left;
	unsigned tries_most;
};

/* Makes its keys. fake_token_deinit() is due after a failure too. */
KS_MUST_CHECK enum ks_error fake_token_init(
	struct fake_token *token, uint32_t id, const struct fake_options *options);
void fake_token_deinit(struct fake_token *token);

/* NULL where it has no such key. */
const struct fake_key *fake_token_key(const struct fake_token *token, struct bytes blob);

/* Takes one try where the PIN is wrong. KS_OK logs in. */
KS_MUST_CHECK enum ks_error fake_token_login(struct fake_token *token, const struct secret *pin);

#endif
