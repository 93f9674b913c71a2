/* authenticatorGetInfo (CTAP 2.1, section 6.4): what kind of token this is. */
#include <string.h>

#include "command.h"

static cbor_item_t *texts(const char *const *names, size_t count)
{
	cbor_item_t *array = cbor_new_definite_array(count);

	for (size_t i = 0; i < count; i++)
		item_append(array, cbor_build_string(names[i]));
	return array;
}

static cbor_item_t *versions(const struct settings *settings)
{
	const char *names[3] = {NULL};
	size_t count = 0;

	if (settings->u2f)
		names[count++] = "U2F_V2";
	names[count++] = "FIDO_2_0";
	if (settings->permissions)
		names[count++] = "FIDO_2_1";
	return texts(names, count);
}

static cbor_item_t *options(const struct token *token)
{
	const struct settings *settings = &token->settings;
	cbor_item_t *map = item_new_map(10);

	item_put_named(map, "rk", item_new_bool(true));
	if (!settings->terse)
		item_put_named(map, "up", item_new_bool(true));
	if (settings->fingerprint)
		item_put_named(map, "uv", item_new_bool(true));
	if (!settings->terse)
		item_put_named(map, "plat", item_new_bool(false));
	if (settings->permissions)
		item_put_named(map, "alwaysUv", item_new_bool(settings->always_uv));
	if (settings->management && settings->permissions)
		item_put_named(map, "credMgmt", item_new_bool(true));
	item_put_named(map, "clientPin", item_new_bool(token->pin.set));
	if (settings->permissions)
		item_put_named(map, "pinUvAuthToken", item_new_bool(true));
	if (settings->permissions)
		item_put_named(map, "makeCredUvNotRqd",
			item_new_bool(settings->make_without_pin && !settings->always_uv));
	if (settings->permissions && !settings->pin_asserts)
		item_put_named(map, "noMcGaPermissionsWithClientPin", item_new_bool(true));
	if (settings->management && !settings->permissions)
		item_put_named(map, "credentialMgmtPreview", item_new_bool(true));
	return map;
}

static cbor_item_t *protocols(const struct settings *settings)
{
	cbor_item_t *array = cbor_new_definite_array(settings->new_protocol ? 2 : 1);

	if (settings->new_protocol)
		item_append(array, item_new_number(2));
	item_append(array, item_new_number(1));
	return array;
}

static cbor_item_t *algorithms(const struct settings *settings)
{
	cbor_item_t *array = cbor_new_definite_array(settings->eddsa ? 2 : 1);

	for (int i = 0; i < (settings->eddsa ? 2 : 1); i++) {
		cbor_item_t *one = item_new_map(2);

		item_put_named(one, "alg", item_new_number(i == 0 ? KEY_ES256 : KEY_EDDSA));
		item_put_named(one, "type", cbor_build_string("public-key"));
		item_append(array, one);
	}
	return array;
}

/* What CTAP 2.0 did not have yet. */
static void put_newer(cbor_item_t *map, struct token *token)
{
	static const char *const usb = "usb";
	uint32_t most = token->settings.resident_max;
	uint32_t used = store_residents(&token->store);

	item_put(map, 7, item_new_number(LIST_MAX));
	item_put(map, 8, item_new_number(ID_MAX));
	item_put(map, 9, texts(&usb, 1));
	item_put(map, 10, algorithms(&token->settings));
	item_put(map, 12, item_new_bool(token->pin.change_forced));
	item_put(map, 13, item_new_number(token->pin.len_least));
	item_put(map, 14, item_new_number(token->settings.firmware));
	item_put(map, 20, item_new_number(most > used ? most - used : 0));
}

enum ctap_status get_info(struct token *token, const cbor_item_t *parameters, cbor_item_t **answer)
{
	static const char *const extension = "credProtect";
	static const uint8_t none[16];
	cbor_item_t *map = item_new_map(14);

	(void)parameters;
	item_put(map, 1, versions(&token->settings));
	item_put(map, 2, texts(&extension, 1));
	item_put(map, 3, item_new_bytes(token->settings.terse ? none : token->settings.aaguid, 16));
	item_put(map, 4, options(token));
	if (!token->settings.terse)
		item_put(map, 5, item_new_number(token->settings.message_max));
	if (!token->settings.terse || token->pin.set)
		item_put(map, 6, protocols(&token->settings));
	if (token->settings.permissions && !token->settings.terse)
		put_newer(map, token);
	*answer = map;
	return CTAP_OK;
}
