/* authenticatorGetAssertion and authenticatorGetNextAssertion (CTAP 2.1, sections 6.2 and 6.3). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

#define NEXT_MS 30000
#define APPLICABLE_MAX 64

/* A request, read. Spans are borrowed. */
struct assert_request {
	uint8_t rp_hash[KEY_HASH_LEN];
	struct span hash;
	const cbor_item_t *allowed; /* NULL: resident ones */
	bool up;
	bool uv;
	bool touched;	   /* a finger has shown who it is */
	bool has_resident; /* an option that has no place here */
	struct pin_proof proof;
};

/* What is common to the assertions of one request. */
struct assertion_kind {
	uint8_t rp_hash[KEY_HASH_LEN];
	uint8_t hash[KEY_HASH_LEN];
	uint8_t flags;
	bool identifies; /* shows names of users */
	bool listed;	 /* there is more than one that it could be */
};

/* Those that are still to come. */
struct next_assertions {
	struct assertion_kind kind;
	struct credential *list[APPLICABLE_MAX];
	size_t count;
	size_t done;
	uint64_t since_ms;
};

static enum ctap_status read_request(const cbor_item_t *parameters, struct assert_request *out)
{
	const cbor_item_t *options = item_numbered(parameters, 5);
	struct span rp = {0};

	if (!item_text(item_numbered(parameters, 1), &rp) ||
		!item_bytes(item_numbered(parameters, 2), &out->hash))
		return CTAP_MISSING_PARAMETER;
	if (out->hash.len != KEY_HASH_LEN || rp.len > STORE_RP_MAX)
		return CTAP_INVALID_LENGTH;
	key_hash(rp, out->rp_hash);
	out->allowed = item_numbered(parameters, 3);
	if (out->allowed != NULL && !cbor_isa_array(out->allowed))
		return CTAP_UNEXPECTED_TYPE;
	if (out->allowed != NULL && cbor_array_size(out->allowed) == 0)
		out->allowed = NULL;
	out->up = true;
	(void)item_bool(item_named(options, "up"), &out->up);
	(void)item_bool(item_named(options, "uv"), &out->uv);
	out->has_resident = item_named(options, "rk") != NULL;
	return pin_proof_read(parameters, 6, 7, &out->proof);
}

static enum ctap_status authorise(
	struct token *token, struct assert_request *request, bool *verified)
{
	enum ctap_status status = CTAP_OK;

	*verified = false;
	if (request->has_resident)
		return CTAP_UNSUPPORTED_OPTION;
	if (request->proof.there) {
		status = pin_proof_check(
			token, &request->proof, request->hash, PERMIT_ASSERT, request->rp_hash);
		*verified = status == CTAP_OK;
		request->touched = pin_proof_present(token, &request->proof);
		return status;
	}
	if (request->uv && token->settings.fingerprint) {
		status = client_pin_finger(token, verified);
		request->touched = *verified;
		return status;
	}
	if (request->uv)
		return token->settings.permissions ? CTAP_INVALID_OPTION : CTAP_UNSUPPORTED_OPTION;
	if (!request->up && token->settings.silent_status != 0)
		return (enum ctap_status)token->settings.silent_status;
	return token->settings.always_uv && request->up ? CTAP_PUAT_REQUIRED : CTAP_OK;
}

/* ---- Which credentials ---- */

static size_t find_allowed(const struct token *token, const struct assert_request *request,
	bool verified, struct credential **out)
{
	for (size_t i = 0; i < cbor_array_size(request->allowed); i++) {
		struct span id = {0};
		struct credential *one = NULL;

		if (item_bytes(item_named(cbor_array_handle(request->allowed)[i], "id"), &id))
			one = store_find(&token->store, request->rp_hash, id);
		if (one != NULL && (verified || one->protect != PROTECT_PIN)) {
			out[0] = one;
			return 1;
		}
	}
	return 0;
}

static size_t find_resident(const struct token *token, const uint8_t rp_hash[KEY_HASH_LEN],
	bool verified, struct credential **out)
{
	size_t count = 0;

	for (struct credential *one = token->store.newest; one != NULL; one = one->older) {
		if (one->resident && memcmp(one->rp_hash, rp_hash, KEY_HASH_LEN) == 0 &&
			(verified || one->protect == PROTECT_OPTIONAL) && count < APPLICABLE_MAX)
			out[count++] = one;
	}
	return count;
}

/* ---- Answers ---- */

static cbor_item_t *describe_id(const struct token *token, const struct credential *credential)
{
	cbor_item_t *map = item_new_map(2);
	uint8_t id[STORE_ID_MAX];

	memcpy(id, credential->id, credential->id_len);
	if (fault_is(token, FAULT_CREDENTIAL))
		id[0] ^= 1;
	item_put_named(map, "id", item_new_bytes(id, credential->id_len));
	item_put_named(map, "type", cbor_build_string("public-key"));
	return map;
}

static cbor_item_t *describe_user(const struct user *user, bool identifies)
{
	cbor_item_t *map = item_new_map(3);
	struct span name = {.data = (const uint8_t *)user->name.data, .len = user->name.len};
	struct span display = {
		.data = (const uint8_t *)user->display_name.data, .len = user->display_name.len};

	item_put_named(map, "id", item_new_bytes(user->id, user->id_len));
	if (identifies && name.len > 0)
		item_put_named(map, "name", item_new_text(name));
	if (identifies && display.len > 0)
		item_put_named(map, "displayName", item_new_text(display));
	return map;
}

/* count: how many there are in all; 0: not said. */
static cbor_item_t *describe(struct token *token, const struct assertion_kind *kind,
	const struct credential *credential, size_t count)
{
	uint8_t data[AUTH_DATA_MAX + KEY_HASH_LEN];
	uint8_t signature[KEY_SIGNATURE_MAX];
	size_t len = command_auth_data(token, kind->rp_hash, kind->flags, data);
	size_t signature_len = 0;
	cbor_item_t *map = item_new_map(5);

	memcpy(data + len, kind->hash, KEY_HASH_LEN);
	signature_len = key_sign(credential->key, credential->algorithm,
		(struct span){.data = data, .len = len + KEY_HASH_LEN}, signature);
	if (fault_is(token, FAULT_SIGNATURE))
		signature[signature_len - 1] ^= 1;
	if (!token->settings.terse || kind->listed)
		item_put(map, 1, describe_id(token, credential));
	item_put(map, 2, item_new_bytes(data, len));
	item_put(map, 3, item_new_bytes(signature, signature_len));
	if (credential->resident)
		item_put(map, 4, describe_user(&credential->user, kind->identifies));
	if (count > 1)
		item_put(map, 5, item_new_number((int64_t)count));
	return map;
}

static struct next_assertions *next_of(struct token *token)
{
	if (token->next == NULL)
		token->next = calloc(1, sizeof(*token->next));
	if (token->next == NULL) {
		fprintf(stderr, "authenticator: no memory\n");
		abort();
	}
	return token->next;
}

void get_assertion_forget(struct token *token)
{
	if (token->next != NULL)
		token->next->count = token->next->done = 0;
}

static enum ctap_status chosen_by_touch(struct token *token)
{
	enum ctap_status status = command_touch(token);

	if (status != CTAP_OK)
		return status;
	return token->pin.set ? CTAP_PIN_INVALID : CTAP_PIN_NOT_SET;
}

static enum ctap_status touch(struct token *token, const struct assert_request *request)
{
	enum ctap_status status = CTAP_OK;

	if (!request->up) {
		token->counts.silent++;
		return CTAP_OK;
	}
	status = request->touched ? CTAP_OK : command_touch(token);
	if (status == CTAP_OK)
		pin_proof_spent(token, &request->proof);
	return status;
}

static enum ctap_status answer_found(struct token *token, const struct assert_request *request,
	bool verified, cbor_item_t **answer)
{
	struct next_assertions *next = next_of(token);
	struct assertion_kind *kind = &next->kind;
	enum ctap_status status = CTAP_OK;

	memcpy(kind->rp_hash, request->rp_hash, KEY_HASH_LEN);
	memcpy(kind->hash, request->hash.data, KEY_HASH_LEN);
	next->count = request->allowed != NULL
			      ? find_allowed(token, request, verified, next->list)
			      : find_resident(token, kind->rp_hash, verified, next->list);
	if (next->count == 0)
		return CTAP_NO_CREDENTIALS;
	status = touch(token, request);
	if (status != CTAP_OK || next->count == 0) /* a reset, or the test, took them away */
		return status == CTAP_OK ? CTAP_NO_CREDENTIALS : status;
	kind->flags = (uint8_t)((request->up ? FLAG_UP : 0) | (verified ? FLAG_UV : 0));
	kind->identifies = verified && next->count > 1;
	kind->listed = request->allowed == NULL || cbor_array_size(request->allowed) > 1;
	*answer = describe(token, kind, next->list[0], next->count);
	next->done = 1;
	next->since_ms = now_ms();
	return CTAP_OK;
}

enum ctap_status get_assertion(
	struct token *token, const cbor_item_t *parameters, cbor_item_t **answer)
{
	struct assert_request request = {0};
	bool verified = false;
	enum ctap_status status = read_request(parameters, &request);

	if (status != CTAP_OK)
		return status;
	if (request.proof.there && request.proof.proof.len == 0)
		return chosen_by_touch(token);
	status = authorise(token, &request, &verified);
	return status == CTAP_OK ? answer_found(token, &request, verified, answer) : status;
}

enum ctap_status get_next_assertion(
	struct token *token, const cbor_item_t *parameters, cbor_item_t **answer)
{
	struct next_assertions *next = token->next;

	(void)parameters;
	if (next == NULL || next->done == 0 || next->done >= next->count ||
		now_ms() - next->since_ms > NEXT_MS)
		return CTAP_NOT_ALLOWED;
	*answer = describe(token, &next->kind, next->list[next->done++], 0);
	next->since_ms = now_ms();
	return CTAP_OK;
}
