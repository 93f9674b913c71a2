/* authenticatorClientPIN. */
#include "client_pin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "command.h"
#include "token.h"

#define PIN_LEN_MAX 63
#define PIN_PADDED_LEN 64

/* A request, read. Spans are borrowed and NULL where there is nothing. */
struct pin_request {
	int protocol; /* 0: none that we know */
	bool protocol_there;
	int64_t subcommand;
	const cbor_item_t *agreement;
	struct span proof;
	struct span new_pin;
	struct span pin_hash;
	int64_t permissions; /* -1: not there */
	struct span rp;
};

/* ---- State ---- */

static void renew_tokens(struct client_pin *pin)
{
	for (int i = 0; i < PIN_PROTOCOLS; i++) {
		pin->tokens[i] = (struct pin_token){0};
		RAND_bytes(pin->tokens[i].value, PIN_TOKEN_LEN);
	}
}

static void renew_agreement(struct client_pin *pin)
{
	EVP_PKEY_free(pin->agreement);
	pin->agreement = key_new(KEY_ES256);
}

void client_pin_init(struct client_pin *pin)
{
	*pin = (struct client_pin){
		.tries = PIN_TRIES, .finger_tries = FINGER_TRIES, .len_least = 4};
	client_pin_power(pin);
}

void client_pin_free(struct client_pin *pin)
{
	EVP_PKEY_free(pin->agreement);
}

void client_pin_power(struct client_pin *pin)
{
	pin->wrong_at_once = 0;
	renew_agreement(pin);
	renew_tokens(pin);
}

static void keep(struct client_pin *pin, struct span text)
{
	uint8_t hash[KEY_HASH_LEN];

	key_hash(text, hash);
	memcpy(pin->hash, hash, PIN_HASH_LEN);
	pin->set = true;
	pin->change_forced = false;
	pin->tries = PIN_TRIES;
	pin->wrong_at_once = 0;
	renew_tokens(pin);
}

void client_pin_place(struct client_pin *pin, const char *text)
{
	keep(pin, (struct span){.data = (const uint8_t *)text, .len = strlen(text)});
	pin->set = text[0] != '\0';
}

/* ---- Proofs that a PIN was given ---- */

enum ctap_status pin_proof_read(const cbor_item_t *parameters, uint64_t proof_key,
	uint64_t protocol_key, struct pin_proof *out)
{
	const cbor_item_t *proof = item_numbered(parameters, proof_key);
	const cbor_item_t *protocol = item_numbered(parameters, protocol_key);

	if (proof != NULL && !item_bytes(proof, &out->proof))
		return CTAP_UNEXPECTED_TYPE;
	if (protocol != NULL && !item_number(protocol, &out->protocol))
		return CTAP_UNEXPECTED_TYPE;
	out->there = proof != NULL;
	if (out->there && protocol == NULL && out->proof.len > 0)
		return CTAP_MISSING_PARAMETER;
	return CTAP_OK;
}

static bool knows_protocol(const struct token *token, int64_t protocol)
{
	return protocol == 1 || (protocol == 2 && token->settings.new_protocol);
}

static bool may(const struct pin_token *held, enum permission permission, const uint8_t *rp_hash)
{
	if ((held->permissions & permission) == 0)
		return false;
	if (!held->bound)
		return true;
	return rp_hash != NULL && memcmp(rp_hash, held->rp_hash, KEY_HASH_LEN) == 0;
}

static void bind_token(struct pin_token *held, const uint8_t rp_hash[KEY_HASH_LEN])
{
	held->bound = true;
	memcpy(held->rp_hash, rp_hash, KEY_HASH_LEN);
}

enum ctap_status pin_proof_check(struct token *token, const struct pin_proof *proof,
	struct span message, enum permission permission, const uint8_t *rp_hash)
{
	struct pin_token *held = NULL;

	if (!knows_protocol(token, proof->protocol))
		return CTAP_INVALID_PARAMETER;
	held = &token->pin.tokens[proof->protocol - 1];
	if (!pin_verify((int)proof->protocol, held->value, message, (struct span){0}, proof->proof))
		return CTAP_PIN_AUTH_INVALID;
	if (!may(held, permission, rp_hash))
		return CTAP_PIN_AUTH_INVALID;
	if (!held->bound && permission != PERMIT_MANAGE)
		bind_token(held, rp_hash);
	return CTAP_OK;
}

bool pin_proof_present(const struct token *token, const struct pin_proof *proof)
{
	return proof->there && knows_protocol(token, proof->protocol) &&
	       token->pin.tokens[proof->protocol - 1].present;
}

void pin_proof_spent(struct token *token, const struct pin_proof *proof)
{
	if (token->settings.permissions && knows_protocol(token, proof->protocol))
		token->pin.tokens[proof->protocol - 1].permissions = 0;
}

/* ---- The parts of a request ---- */

static enum ctap_status read_request(
	const struct token *token, const cbor_item_t *parameters, struct pin_request *out)
{
	int64_t protocol = 0;
	static const uint64_t spans[] = {4, 5, 6};
	struct span *const targets[] = {&out->proof, &out->new_pin, &out->pin_hash};
	const cbor_item_t *rp = item_numbered(parameters, 10);
	const cbor_item_t *permissions = item_numbered(parameters, 9);

	if (!item_number(item_numbered(parameters, 2), &out->subcommand))
		return CTAP_MISSING_PARAMETER;
	out->protocol_there = item_number(item_numbered(parameters, 1), &protocol);
	out->protocol = knows_protocol(token, protocol) ? (int)protocol : 0;
	out->agreement = item_numbered(parameters, 3);
	out->permissions = -1;
	for (size_t i = 0; i < 3; i++) {
		const cbor_item_t *item = item_numbered(parameters, spans[i]);

		if (item != NULL && !item_bytes(item, targets[i]))
			return CTAP_UNEXPECTED_TYPE;
	}
	if ((rp != NULL && !item_text(rp, &out->rp)) ||
		(permissions != NULL && !item_number(permissions, &out->permissions)))
		return CTAP_UNEXPECTED_TYPE;
	return out->rp.len > STORE_RP_MAX ? CTAP_INVALID_LENGTH : CTAP_OK;
}

/* The secret that the host's half of the agreement and ours make. */
static enum ctap_status agree(
	struct token *token, const struct pin_request *request, struct pin_secret *out)
{
	struct span x = {0};
	struct span y = {0};
	uint8_t agreed[KEY_COORDINATE];
	EVP_PKEY *theirs = NULL;
	bool good = false;

	if (request->agreement == NULL || !cbor_isa_map(request->agreement))
		return CTAP_MISSING_PARAMETER;
	for (size_t i = 0; i < cbor_map_size(request->agreement); i++) {
		struct cbor_pair pair = cbor_map_handle(request->agreement)[i];
		int64_t key = 0;

		if (item_number(pair.key, &key) && (key == -2 || key == -3))
			(void)item_bytes(pair.value, key == -2 ? &x : &y);
	}
	if (x.len != KEY_COORDINATE || y.len != KEY_COORDINATE)
		return CTAP_INVALID_PARAMETER;
	theirs = key_from_point(x.data, y.data);
	good = theirs != NULL && key_agree(token->pin.agreement, theirs, agreed);
	EVP_PKEY_free(theirs);
	if (!good)
		return CTAP_INVALID_PARAMETER;
	pin_secret_derive(request->protocol, agreed, out);
	return CTAP_OK;
}

static size_t letters(struct span text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += (text.data[i] & 0xc0) != 0x80;
	return count;
}

/* Unseals a new PIN, sees that it is long enough, and keeps it. */
static enum ctap_status keep_new(
	struct client_pin *pin, const struct pin_secret *secret, struct span sealed)
{
	uint8_t text[PIN_SEALED_MAX];
	size_t len = 0;
	struct span plain = {.data = text};

	if (!pin_decrypt(secret, sealed, text, &len) || len != PIN_PADDED_LEN)
		return CTAP_INVALID_PARAMETER;
	plain.len = strnlen((const char *)text, len);
	if (plain.len > PIN_LEN_MAX || letters(plain) < pin->len_least)
		return CTAP_PIN_POLICY_VIOLATION;
	keep(pin, plain);
	return CTAP_OK;
}

/* ---- Tries ---- */

static enum ctap_status failed(struct client_pin *pin)
{
	renew_agreement(pin);
	pin->wrong_at_once++;
	if (pin->tries == 0)
		return CTAP_PIN_BLOCKED;
	return pin->wrong_at_once >= PIN_TRIES_AT_ONCE ? CTAP_PIN_AUTH_BLOCKED : CTAP_PIN_INVALID;
}

/* Spends a try, and gives it back where the PIN was right. */
static enum ctap_status try_pin(
	struct token *token, const struct pin_secret *secret, struct span sealed_hash)
{
	struct client_pin *pin = &token->pin;
	uint8_t hash[PIN_SEALED_MAX];
	size_t len = 0;

	token->counts.pin_tries++;
	pin->tries--;
	if (!pin_decrypt(secret, sealed_hash, hash, &len) || len != PIN_HASH_LEN ||
		CRYPTO_memcmp(hash, pin->hash, PIN_HASH_LEN) != 0)
		return failed(pin);
	pin->tries = PIN_TRIES;
	pin->wrong_at_once = 0;
	pin->finger_tries = FINGER_TRIES;
	return CTAP_OK;
}

static enum ctap_status triable(const struct client_pin *pin)
{
	if (!pin->set)
		return CTAP_PIN_NOT_SET;
	if (pin->tries == 0)
		return CTAP_PIN_BLOCKED;
	return pin->wrong_at_once >= PIN_TRIES_AT_ONCE ? CTAP_PIN_AUTH_BLOCKED : CTAP_OK;
}

/* ---- Subcommands ---- */

static enum ctap_status retries(
	struct token *token, const struct pin_request *request, cbor_item_t **answer)
{
	const struct client_pin *pin = &token->pin;

	(void)request;
	*answer = item_new_map(2);
	item_put(*answer, 3, item_new_number(pin->tries));
	if (token->settings.permissions)
		item_put(*answer, 4, item_new_bool(pin->wrong_at_once >= PIN_TRIES_AT_ONCE));
	return CTAP_OK;
}

static enum ctap_status key_agreement(
	struct token *token, const struct pin_request *request, cbor_item_t **answer)
{
	if (request->protocol == 0)
		return request->protocol_there ? CTAP_INVALID_PARAMETER : CTAP_MISSING_PARAMETER;
	*answer = item_new_map(1);
	item_put(*answer, 1, key_cose(token->pin.agreement, KEY_ECDH));
	return CTAP_OK;
}

static enum ctap_status set_pin(
	struct token *token, const struct pin_request *request, cbor_item_t **answer)
{
	struct pin_secret secret = {0};
	enum ctap_status status = CTAP_OK;

	(void)answer;
	if (request->new_pin.data == NULL || request->proof.data == NULL)
		return CTAP_MISSING_PARAMETER;
	if (token->pin.set)
		return CTAP_PIN_AUTH_INVALID;
	status = agree(token, request, &secret);
	if (status != CTAP_OK)
		return status;
	if (!pin_verify(request->protocol, secret.hmac, request->new_pin, (struct span){0},
		    request->proof))
		return CTAP_PIN_AUTH_INVALID;
	return keep_new(&token->pin, &secret, request->new_pin);
}

static enum ctap_status change_pin(
	struct token *token, const struct pin_request *request, cbor_item_t **answer)
{
	struct pin_secret secret = {0};
	enum ctap_status status = triable(&token->pin);

	(void)answer;
	if (request->new_pin.data == NULL || request->proof.data == NULL ||
		request->pin_hash.data == NULL)
		return CTAP_MISSING_PARAMETER;
	if (status == CTAP_OK)
		status = agree(token, request, &secret);
	if (status == CTAP_OK && !pin_verify(request->protocol, secret.hmac, request->new_pin,
					 request->pin_hash, request->proof))
		status = CTAP_PIN_AUTH_INVALID;
	if (status == CTAP_OK)
		status = try_pin(token, &secret, request->pin_hash);
	return status == CTAP_OK ? keep_new(&token->pin, &secret, request->new_pin) : status;
}

static enum ctap_status send_token(struct token *token, const struct pin_request *request,
	const struct pin_secret *secret, uint8_t permissions, cbor_item_t **answer)
{
	struct pin_token *held = &token->pin.tokens[request->protocol - 1];
	uint8_t sealed[PIN_SEALED_MAX];
	uint8_t rp_hash[KEY_HASH_LEN];
	size_t len = 0;

	renew_tokens(&token->pin);
	held->permissions = permissions;
	if (request->rp.data != NULL) {
		key_hash(request->rp, rp_hash);
		bind_token(held, rp_hash);
	}
	len = pin_encrypt(secret, (struct span){.data = held->value, .len = PIN_TOKEN_LEN}, sealed);
	*answer = item_new_map(1);
	item_put(*answer, 2, item_new_bytes(sealed, len));
	return CTAP_OK;
}

static enum ctap_status give_token(struct token *token, const struct pin_request *request,
	uint8_t permissions, cbor_item_t **answer)
{
	struct pin_secret secret = {0};
	enum ctap_status status = agree(token, request, &secret);

	if (status == CTAP_OK)
		status = try_pin(token, &secret, request->pin_hash);
	if (status != CTAP_OK)
		return status;
	if (token->pin.change_forced)
		return request->subcommand == 5 ? CTAP_PIN_INVALID : CTAP_PIN_POLICY_VIOLATION;
	return send_token(token, request, &secret, permissions, answer);
}

/* ---- By finger ---- */

/* A person who refuses is one whose finger it does not know. */
enum ctap_status client_pin_finger(struct token *token, bool *known)
{
	struct client_pin *pin = &token->pin;
	enum ctap_status status = CTAP_UV_BLOCKED;

	if (pin->finger_tries > 0)
		status = command_touch(token);
	*known = status == CTAP_OK;
	if (*known)
		pin->finger_tries = FINGER_TRIES;
	if (status != CTAP_OPERATION_DENIED)
		return status;
	return --pin->finger_tries > 0 ? CTAP_UV_INVALID : CTAP_UV_BLOCKED;
}

static enum ctap_status finger_token_with_permissions(
	struct token *token, const struct pin_request *request, cbor_item_t **answer)
{
	struct pin_secret secret = {0};
	bool known = false;
	enum ctap_status status = CTAP_OK;

	if (!token->settings.fingerprint)
		return CTAP_INVALID_SUBCOMMAND;
	if (request->permissions <= 0 || request->rp.data == NULL)
		return CTAP_MISSING_PARAMETER;
	status = agree(token, request, &secret);
	if (status == CTAP_OK)
		status = client_pin_finger(token, &known);
	if (status == CTAP_OK)
		status = send_token(token, request, &secret, (uint8_t)request->permissions, answer);
	token->pin.tokens[request->protocol - 1].present = status == CTAP_OK;
	return status;
}

static enum ctap_status finger_retries(
	struct token *token, const struct pin_request *request, cbor_item_t **answer)
{
	(void)request;
	if (!token->settings.fingerprint)
		return CTAP_INVALID_SUBCOMMAND;
	*answer = item_new_map(1);
	item_put(*answer, 5, item_new_number(token->pin.finger_tries));
	return CTAP_OK;
}

/* A token of CTAP 2.0; where it manages credentials already, that token is good for it as well. */
static enum ctap_status pin_token(
	struct token *token, const struct pin_request *request, cbor_item_t **answer)
{
	enum ctap_status status = triable(&token->pin);
	uint8_t permissions = PERMIT_MAKE | PERMIT_ASSERT;

	if (request->pin_hash.data == NULL)
		return CTAP_MISSING_PARAMETER;
	if (request->permissions >= 0 || request->rp.data != NULL)
		return CTAP_INVALID_PARAMETER;
	if (!token->settings.permissions)
		permissions |= PERMIT_MANAGE;
	return status == CTAP_OK ? give_token(token, request, permissions, answer) : status;
}

static enum ctap_status pin_token_with_permissions(
	struct token *token, const struct pin_request *request, cbor_item_t **answer)
{
	enum ctap_status status = triable(&token->pin);
	const int64_t known = PERMIT_MAKE | PERMIT_ASSERT | PERMIT_MANAGE;
	const int64_t bound = PERMIT_MAKE | PERMIT_ASSERT;

	if (request->pin_hash.data == NULL || request->permissions < 0)
		return CTAP_MISSING_PARAMETER;
	if (request->permissions == 0)
		return CTAP_INVALID_PARAMETER;
	if ((request->permissions & ~known) != 0 ||
		((request->permissions & bound) != 0 && !token->settings.pin_asserts))
		return CTAP_UNAUTHORIZED_PERMISSION;
	if ((request->permissions & bound) != 0 && request->rp.data == NULL)
		return CTAP_MISSING_PARAMETER;
	return status == CTAP_OK ? give_token(token, request, (uint8_t)request->permissions, answer)
				 : status;
}

typedef enum ctap_status subcommand_function(
	struct token *token, const struct pin_request *request, cbor_item_t **answer);

static subcommand_function *subcommand(const struct token *token, int64_t number)
{
	static subcommand_function *const known[] = {[1] = retries,
		[2] = key_agreement,
		[3] = set_pin,
		[4] = change_pin,
		[5] = pin_token,
		[6] = finger_token_with_permissions,
		[7] = finger_retries,
		[9] = pin_token_with_permissions};

	if (number < 1 || number > 9 ||
		((number == 6 || number == 9) && !token->settings.permissions))
		return NULL;
	return known[number];
}

enum ctap_status client_pin(
	struct token *token, const cbor_item_t *parameters, cbor_item_t **answer)
{
	struct pin_request request = {0};
	enum ctap_status status = read_request(token, parameters, &request);
	subcommand_function *run = NULL;

	if (status != CTAP_OK)
		return status;
	fault_subcommand_begins(token, request.subcommand);
	if (request.subcommand >= 0 && request.subcommand < COUNTS_SUBCOMMANDS)
		token->counts.subcommands[request.subcommand]++;
	run = subcommand(token, request.subcommand);
	if (run == NULL)
		return CTAP_INVALID_SUBCOMMAND;
	if (request.subcommand > 1 && request.protocol == 0)
		return request.protocol_there ? CTAP_INVALID_PARAMETER : CTAP_MISSING_PARAMETER;
	return run(token, &request, answer);
}
