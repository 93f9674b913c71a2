/* authenticatorMakeCredential (CTAP 2.1, section 6.1). */
#include <string.h>

#include "command.h"

#define PRIVATE_ALGORITHM 0

/* A request, read. Spans are borrowed. */
struct make_request {
	struct span hash;
	struct span rp;
	uint8_t rp_hash[KEY_HASH_LEN];
	struct user user;
	int64_t algorithm; /* the first that we know; PRIVATE_ALGORITHM: none */
	const cbor_item_t *exclude;
	int64_t protect; /* 0: not asked for */
	bool resident;
	bool uv;
	bool up;
	struct pin_proof proof;
};

static void copy_text(const cbor_item_t *item, struct text *out)
{
	struct span text = {0};

	if (!item_text(item, &text) || text.len == 0)
		return;
	out->len = text.len < sizeof(out->data) ? text.len : sizeof(out->data);
	memcpy(out->data, text.data, out->len);
}

static enum ctap_status read_user(const cbor_item_t *item, struct user *out)
{
	struct span id = {0};

	if (item == NULL || !item_bytes(item_named(item, "id"), &id))
		return CTAP_MISSING_PARAMETER;
	if (id.len > sizeof(out->id))
		return CTAP_INVALID_LENGTH;
	if (id.len > 0)
		memcpy(out->id, id.data, id.len);
	out->id_len = id.len;
	copy_text(item_named(item, "name"), &out->name);
	copy_text(item_named(item, "displayName"), &out->display_name);
	return CTAP_OK;
}

static bool makes(const struct token *token, int64_t algorithm)
{
	return algorithm == KEY_ES256 || (algorithm == KEY_EDDSA && token->settings.eddsa);
}

static enum ctap_status read_algorithms(
	const struct token *token, const cbor_item_t *list, int64_t *out)
{
	if (list == NULL || !cbor_isa_array(list))
		return CTAP_MISSING_PARAMETER;
	for (size_t i = 0; i < cbor_array_size(list) && *out == PRIVATE_ALGORITHM; i++) {
		const cbor_item_t *one = cbor_array_handle(list)[i];
		int64_t algorithm = 0;

		if (!item_number(item_named(one, "alg"), &algorithm))
			return CTAP_INVALID_CBOR;
		if (item_is_text(item_named(one, "type"), "public-key") && makes(token, algorithm))
			*out = algorithm;
	}
	return *out == PRIVATE_ALGORITHM ? CTAP_UNSUPPORTED_ALGORITHM : CTAP_OK;
}

static enum ctap_status read_options(const cbor_item_t *parameters, struct make_request *out)
{
	const cbor_item_t *options = item_numbered(parameters, 7);
	const cbor_item_t *protect = item_named(item_numbered(parameters, 6), "credProtect");

	out->up = true;
	(void)item_bool(item_named(options, "rk"), &out->resident);
	(void)item_bool(item_named(options, "uv"), &out->uv);
	(void)item_bool(item_named(options, "up"), &out->up);
	if (protect != NULL && (!item_number(protect, &out->protect) || out->protect < 1 ||
				       out->protect > PROTECT_PIN))
		return CTAP_INVALID_OPTION;
	return CTAP_OK;
}

static enum ctap_status read_request(
	const struct token *token, const cbor_item_t *parameters, struct make_request *out)
{
	enum ctap_status status = CTAP_OK;

	if (!item_bytes(item_numbered(parameters, 1), &out->hash) ||
		!item_text(item_named(item_numbered(parameters, 2), "id"), &out->rp))
		return CTAP_MISSING_PARAMETER;
	if (out->hash.len != KEY_HASH_LEN || out->rp.len > STORE_RP_MAX)
		return CTAP_INVALID_LENGTH;
	key_hash(out->rp, out->rp_hash);
	out->exclude = item_numbered(parameters, 5);
	if (out->exclude != NULL && !cbor_isa_array(out->exclude))
		return CTAP_UNEXPECTED_TYPE;
	status = read_user(item_numbered(parameters, 3), &out->user);
	if (status == CTAP_OK)
		status = read_algorithms(token, item_numbered(parameters, 4), &out->algorithm);
	if (status == CTAP_OK)
		status = read_options(parameters, out);
	return status == CTAP_OK ? pin_proof_read(parameters, 8, 9, &out->proof) : status;
}

/* Whether a PIN was given, or need not have been. */
static enum ctap_status authorise(
	struct token *token, const struct make_request *request, bool *verified)
{
	const struct settings *settings = &token->settings;
	bool lenient = settings->make_without_pin && settings->permissions && !request->resident;
	bool needed = settings->always_uv || (token->pin.set && !lenient);
	enum ctap_status status = CTAP_OK;

	*verified = false;
	if (!settings->permissions && needed && !request->proof.there)
		return CTAP_PUAT_REQUIRED; /* CTAP 2.0 looks at nothing else before */
	if (request->uv || !request->up)
		return CTAP_INVALID_OPTION;
	if (!request->proof.there)
		return needed ? CTAP_PUAT_REQUIRED : CTAP_OK;
	status = pin_proof_check(
		token, &request->proof, request->hash, PERMIT_MAKE, request->rp_hash);
	*verified = status == CTAP_OK;
	return status;
}

/* Whether one of those that must not be there yet is. */
static bool excluded(const struct token *token, const struct make_request *request, bool verified)
{
	for (size_t i = 0; request->exclude != NULL && i < cbor_array_size(request->exclude); i++) {
		struct span id = {0};
		const struct credential *one = NULL;

		if (item_bytes(item_named(cbor_array_handle(request->exclude)[i], "id"), &id))
			one = store_find(&token->store, request->rp_hash, id);
		if (one != NULL && (verified || one->protect != PROTECT_PIN))
			return true;
	}
	return false;
}

static size_t add_key(
	const struct token *token, const struct credential *made, uint8_t *out, size_t room)
{
	cbor_item_t *cose = key_cose(made->key, made->algorithm);
	size_t len = 18 + made->id_len;

	memcpy(out, token->settings.aaguid, 16);
	out[16] = 0;
	out[17] = (uint8_t)made->id_len;
	memcpy(out + 18, made->id, made->id_len);
	if (fault_is(token, FAULT_CREDENTIAL))
		out[18] ^= 1;
	len += item_write(cose, out + len, room - len);
	cbor_decref(&cose);
	return len;
}

static size_t add_extensions(const struct credential *made, uint8_t *out, size_t room)
{
	cbor_item_t *map = item_new_map(1);
	size_t len = 0;

	item_put_named(map, "credProtect", item_new_number(made->protect));
	len = item_write(map, out, room);
	cbor_decref(&map);
	return len;
}

static cbor_item_t *attest(struct token *token, struct span auth_data, struct span hash)
{
	uint8_t whole[AUTH_DATA_MAX + KEY_HASH_LEN];
	uint8_t signature[KEY_SIGNATURE_MAX];
	size_t len = 0;
	cbor_item_t *map = item_new_map(3);
	cbor_item_t *chain = cbor_new_definite_array(1);
	struct store *store = &token->store;

	memcpy(whole, auth_data.data, auth_data.len);
	memcpy(whole + auth_data.len, hash.data, hash.len);
	len = key_sign(store->attestation, KEY_ES256,
		(struct span){.data = whole, .len = auth_data.len + hash.len}, signature);
	if (fault_is(token, FAULT_SIGNATURE))
		signature[len - 1] ^= 1;
	item_append(chain, item_new_bytes(store->certificate, store->certificate_len));
	item_put_named(map, "alg", item_new_number(KEY_ES256));
	item_put_named(map, "sig", item_new_bytes(signature, len));
	item_put_named(map, "x5c", chain);
	return map;
}

static struct credential *create(struct token *token, const struct make_request *request)
{
	struct credential *made = store_add(&token->store, request->rp, &request->user,
		(enum key_algorithm)request->algorithm, request->resident);

	if (request->protect > 0)
		made->protect = (enum store_protect)request->protect;
	if (made->protect < token->settings.protect_least)
		made->protect = (enum store_protect)token->settings.protect_least;
	return made;
}

static cbor_item_t *describe(struct token *token, const struct make_request *request,
	const struct credential *made, bool verified)
{
	uint8_t data[AUTH_DATA_MAX];
	bool extended = request->protect > 0;
	uint8_t flags =
		(uint8_t)(FLAG_UP | FLAG_AT | (verified ? FLAG_UV : 0) | (extended ? FLAG_ED : 0));
	size_t len = command_auth_data(token, made->rp_hash, flags, data);
	cbor_item_t *map = item_new_map(3);

	len += add_key(token, made, data + len, sizeof(data) - len);
	if (extended)
		len += add_extensions(made, data + len, sizeof(data) - len);
	item_put(map, 1, cbor_build_string("packed"));
	item_put(map, 2, item_new_bytes(data, len));
	item_put(map, 3, attest(token, (struct span){.data = data, .len = len}, request->hash));
	return map;
}

/* A proof of no bytes: the host wants to know which token is touched. */
static enum ctap_status chosen_by_touch(struct token *token)
{
	enum ctap_status status = command_touch(token);

	if (status != CTAP_OK)
		return status;
	return token->pin.set ? CTAP_PIN_INVALID : CTAP_PIN_NOT_SET;
}

enum ctap_status make_credential(
	struct token *token, const cbor_item_t *parameters, cbor_item_t **answer)
{
	struct make_request request = {0};
	bool verified = false;
	enum ctap_status status = read_request(token, parameters, &request);

	if (status != CTAP_OK)
		return status;
	if (request.proof.there && request.proof.proof.len == 0)
		return chosen_by_touch(token);
	status = authorise(token, &request, &verified);
	if (status != CTAP_OK)
		return status;
	status = command_touch(token);
	if (status != CTAP_OK)
		return status;
	pin_proof_spent(token, &request.proof);
	if (excluded(token, &request, verified))
		return CTAP_CREDENTIAL_EXCLUDED;
	if (request.resident && store_residents(&token->store) >= token->settings.resident_max)
		return CTAP_KEY_STORE_FULL;
	*answer = describe(token, &request, create(token, &request), verified);
	return CTAP_OK;
}
