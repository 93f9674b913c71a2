/*
 * What a security key says of itself (getInfo, CTAP 2.1 section 6.4), and how many tries are left.
 */
#include <string.h>

#include "perform.h"

/* What a person is not shown is not passed on: names are a few letters in every standard. */
static bool is_name(const char *text)
{
	size_t len = 0;

	while (text[len] > ' ' && text[len] < 0x7f && len < TOKEN_USER_MAX)
		len++;
	return len > 0 && text[len] == '\0';
}

static size_t least(size_t count)
{
	return count < TOKEN_LISTED_MAX ? count : TOKEN_LISTED_MAX;
}

static void put_versions(const fido_cbor_info_t *info, struct buf *out)
{
	char **versions = fido_cbor_info_versions_ptr(info);

	for (size_t i = 0; i < least(fido_cbor_info_versions_len(info)); i++)
		if (is_name(versions[i]))
			buf_put_text(out, versions[i]);
}

static void put_algorithms(const fido_cbor_info_t *info, struct buf *out)
{
	for (size_t i = 0; i < least(fido_cbor_info_algorithm_count(info)); i++)
		buf_put_u32(out, (uint32_t)fido_cbor_info_algorithm_cose(info, i));
}

static void put_options(const fido_cbor_info_t *info, struct buf *out)
{
	char **names = fido_cbor_info_options_name_ptr(info);
	const bool *values = fido_cbor_info_options_value_ptr(info);

	for (size_t i = 0; i < least(fido_cbor_info_options_len(info)); i++) {
		if (!is_name(names[i]))
			continue;
		buf_put_text(out, names[i]);
		buf_put_bool(out, values[i]);
	}
}

static uint32_t number(int64_t value)
{
	return value < 0 || value >= TOKEN_NUMBER_UNKNOWN ? TOKEN_NUMBER_UNKNOWN : (uint32_t)value;
}

static void count_tries(fido_dev_t *device, struct token_description *description)
{
	int tries;

	if (fido_dev_has_pin(device) && fido_dev_get_retry_count(device, &tries) == FIDO_OK)
		description->pin_tries = number(tries);
	if (fido_dev_has_uv(device) && fido_dev_get_uv_retry_count(device, &tries) == FIDO_OK)
		description->finger_tries = number(tries);
}

static void put_description(fido_dev_t *device, const fido_cbor_info_t *info,
	struct buf lists[static 3], struct buf *body)
{
	struct token_description description = {
		.aaguid = BYTES(fido_cbor_info_aaguid_ptr(info), fido_cbor_info_aaguid_len(info)),
		.firmware = fido_cbor_info_fwversion(info),
		.pin_tries = TOKEN_NUMBER_UNKNOWN,
		.finger_tries = TOKEN_NUMBER_UNKNOWN,
		.rooms_left = number(fido_cbor_info_rk_remaining(info)),
		.pin_min = number((int64_t)fido_cbor_info_minpinlen(info)),
		.pin_change = fido_cbor_info_new_pin_required(info),
		.credentials = fido_dev_supports_credman(device)};

	put_versions(info, &lists[0]);
	put_algorithms(info, &lists[1]);
	put_options(info, &lists[2]);
	description.versions = buf_bytes(&lists[0]);
	description.algorithms = buf_bytes(&lists[1]);
	description.options = buf_bytes(&lists[2]);
	count_tries(device, &description);
	token_description_encode(&description, body);
}

int describe(fido_dev_t *device, struct buf *body)
{
	fido_cbor_info_t *info = fido_cbor_info_new();
	struct buf lists[3] = {0};
	int code = FIDO_ERR_INTERNAL;

	if (info != NULL)
		code = fido_dev_get_cbor_info(device, info);
	if (code == FIDO_OK)
		put_description(device, info, lists, body);
	for (size_t i = 0; i < 3; i++)
		buf_deinit(&lists[i]);
	fido_cbor_info_free(&info);
	return code;
}
