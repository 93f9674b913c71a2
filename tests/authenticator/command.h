/* CTAP2 commands: numbers, errors (CTAP 2.1, sections 6 and 8.2), and how one is run. */
#ifndef AUTHENTICATOR_COMMAND_H
#define AUTHENTICATOR_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "item.h"
#include "token.h"

enum ctap_status {
	CTAP_OK = 0x00,
	CTAP_INVALID_COMMAND = 0x01,
	CTAP_INVALID_PARAMETER = 0x02,
	CTAP_INVALID_LENGTH = 0x03,
	CTAP_UNEXPECTED_TYPE = 0x11,
	CTAP_INVALID_CBOR = 0x12,
	CTAP_MISSING_PARAMETER = 0x14,
	CTAP_CREDENTIAL_EXCLUDED = 0x19,
	CTAP_UNSUPPORTED_ALGORITHM = 0x26,
	CTAP_OPERATION_DENIED = 0x27,
	CTAP_KEY_STORE_FULL = 0x28,
	CTAP_UNSUPPORTED_OPTION = 0x2b,
	CTAP_INVALID_OPTION = 0x2c,
	CTAP_KEEPALIVE_CANCEL = 0x2d,
	CTAP_NO_CREDENTIALS = 0x2e,
	CTAP_USER_ACTION_TIMEOUT = 0x2f,
	CTAP_NOT_ALLOWED = 0x30,
	CTAP_PIN_INVALID = 0x31,
	CTAP_PIN_BLOCKED = 0x32,
	CTAP_PIN_AUTH_INVALID = 0x33,
	CTAP_PIN_AUTH_BLOCKED = 0x34,
	CTAP_PIN_NOT_SET = 0x35,
	CTAP_PUAT_REQUIRED = 0x36,
	CTAP_PIN_POLICY_VIOLATION = 0x37,
	CTAP_REQUEST_TOO_LARGE = 0x39,
	CTAP_UV_BLOCKED = 0x3c,
	CTAP_INVALID_SUBCOMMAND = 0x3e,
	CTAP_UV_INVALID = 0x3f,
	CTAP_UNAUTHORIZED_PERMISSION = 0x40,
	CTAP_NOBODY_WAITS = 0x100, /* ours: no answer at all */
};

/* Bytes of authenticator data's flags. */
enum auth_flag { FLAG_UP = 0x01, FLAG_UV = 0x04, FLAG_AT = 0x40, FLAG_ED = 0x80 };

#define AUTH_DATA_MAX 1024
#define ID_MAX 128
#define LIST_MAX 16

/* parameters: NULL where there were none. answer: a map that the caller owns, or left NULL. */
typedef enum ctap_status command_function(
	struct token *token, const cbor_item_t *parameters, cbor_item_t **answer);

command_function get_info;
command_function make_credential;
command_function get_assertion;
command_function get_next_assertion;
command_function client_pin;
command_function credential_management;

/* Runs a message and sends what it has to be answered with. */
void command_run(struct token *token, const uint8_t *message, size_t len);

/* Waits for a touch and says how that ended. */
enum ctap_status command_touch(struct token *token);

/* Application, flags, and the counter, which goes up; returns how many bytes that are. */
size_t command_auth_data(struct token *token, const uint8_t rp_hash[KEY_HASH_LEN], uint8_t flags,
	uint8_t out[AUTH_DATA_MAX]);

/* Forgets what getNextAssertion and enumerations would go on with. */
void command_forget(struct token *token);
void get_assertion_forget(struct token *token);
void credential_management_forget(struct token *token);

#endif
