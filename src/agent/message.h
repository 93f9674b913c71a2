/*
 * The messages of the agent protocol (RFC 9987), parsed whole before anything acts on them.
 * Handlers see these structs, never bytes.
 */
#ifndef AGENT_MESSAGE_H
#define AGENT_MESSAGE_H

#include <keystile/private_key.h>

#include "constraints.h"

enum message_type {
	MESSAGE_FAILURE = 5,
	MESSAGE_SUCCESS = 6,
	MESSAGE_LIST = 11,
	MESSAGE_LIST_REPLY = 12,
	MESSAGE_SIGN = 13,
	MESSAGE_SIGN_REPLY = 14,
	MESSAGE_ADD = 17,
	MESSAGE_REMOVE = 18,
	MESSAGE_REMOVE_ALL = 19,
	MESSAGE_ADD_TOKEN = 20,
	MESSAGE_REMOVE_TOKEN = 21,
	MESSAGE_LOCK = 22,
	MESSAGE_UNLOCK = 23,
	MESSAGE_ADD_CONSTRAINED = 25,
	MESSAGE_ADD_TOKEN_CONSTRAINED = 26,
	MESSAGE_EXTENSION = 27,
	MESSAGE_EXTENSION_FAILURE = 28,
	MESSAGE_EXTENSION_RESPONSE = 29,
	MESSAGE_REMOVE_ALL_V1 = 9,
};

/* Signature flags of message 13. */
#define MESSAGE_SIGN_RSA_SHA256 2
#define MESSAGE_SIGN_RSA_SHA512 4

#define MESSAGE_COMMENT_MAX 4096 /* bytes: it is shown and listed as long as the key is there */

struct message_sign {
	struct bytes blob;
	struct bytes data;
	uint32_t flags;
};

/* Owns all but key, which borrows. */
struct message_add_key {
	struct private_key key;
	struct buf blob; /* by which it is listed */
	char *comment;
	struct constraints *constraints;
};

/* Owns provider and a reference of the constraints; pin borrows. */
struct message_add_token {
	char *provider;
	struct bytes pin; /* empty: none given */
	struct constraints *constraints;
};

struct message_extension {
	struct bytes name;
	struct bytes content;
};

/* True for messages that carry a PIN, password or private key. */
bool message_is_secret(uint8_t type);

KS_MUST_CHECK enum ks_error message_parse_sign(struct bytes body, struct message_sign *out);
/*
 * KS_UNSUPPORTED: a kind of key or a constraint that is not known or not for this one, logged by
 * name. A message's deinit() is due in any case. A key that comes from afar has fewer constraints.
 */
KS_MUST_CHECK enum ks_error message_parse_add_key(
	struct bytes body, bool from_afar, struct message_add_key *out);
void message_add_key_deinit(struct message_add_key *message);
KS_MUST_CHECK enum ks_error message_parse_add_token(
	struct bytes body, struct message_add_token *out);
void message_add_token_deinit(struct message_add_token *message);
/* The provider's name; the caller frees it. */
KS_MUST_CHECK enum ks_error message_parse_remove_token(struct bytes body, char **provider);
/* Of lock and unlock; borrows, may be empty. A NUL at its end is one more byte of it, as with
 * ssh-agent. */
KS_MUST_CHECK enum ks_error message_parse_password(struct bytes body, struct bytes *password);
KS_MUST_CHECK enum ks_error message_parse_remove(struct bytes body, struct bytes *blob);
KS_MUST_CHECK enum ks_error message_parse_extension(
	struct bytes body, struct message_extension *out);

#endif
