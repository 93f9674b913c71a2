/*
 * A client's messages: each parser as a table, with ssh-agent's leniency where clients rely on
 * it and none elsewhere.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/secret.h>

#include "message.h"
#include "provider.h"
#include "test.h"

/* Bytes written as a C string, which may hold NULs. */
#define RAW(text) BYTES((const uint8_t *)(text), sizeof(text) - 1)

static void messages_with_secrets_are_those_that_carry_a_pin_or_key(void **state)
{
	static const uint8_t secret[] = {17, 20, 22, 23, 25, 26};

	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		bool listed = memchr(secret, (int)type, sizeof(secret)) != NULL;

		assert_int_equal(message_is_secret((uint8_t)type), listed);
	}
}

static void a_sign_request_is_blob_data_and_flags(void **state)
{
	static const struct {
		struct bytes body;
		enum ks_error error;
	} rows[] = {
		{RAW("\0\0\0\1b\0\0\0\2dd\0\0\0\4"), KS_OK},
		{RAW("\0\0\0\1b\0\0\0\2dd\0\0\0\4more"), KS_OK}, /* as ssh-agent */
		{RAW("\0\0\0\1b\0\0\0\2dd\0\0\0"), KS_BAD_INPUT},
		{RAW("\0\0\0\1b\0\0\0\3dd\0\0\0\4"), KS_BAD_INPUT},
		{RAW("\0\0\0\1b"), KS_BAD_INPUT},
		{RAW("\xff\xff\xff\xff"
		     "b\0\0\0\2dd\0\0\0\4"),
			KS_BAD_INPUT},
		{RAW(""), KS_BAD_INPUT},
	};
	struct message_sign sign;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(message_parse_sign(rows[i].body, &sign), rows[i].error);
	assert_int_equal(message_parse_sign(rows[0].body, &sign), KS_OK);
	assert_true(bytes_equal_text(sign.blob, "b"));
	assert_true(bytes_equal_text(sign.data, "dd"));
	assert_int_equal(sign.flags, 4);
}

#define MODULE "\0\0\0\2/m"
#define PIN                                                                                        \
	MODULE "\0\0\0\4"                                                                          \
	       "1234"

static const struct {
	const char *what;
	struct bytes body;
	enum ks_error error;
	const char *pin;
	struct message_constraints constraints;
} add_tokens[] = {
	{"a PIN", RAW(PIN), KS_OK, "1234", {0}},
	{"no PIN", RAW(MODULE "\0\0\0\0"), KS_OK, "", {0}},
	{"a NUL after the name", RAW("\0\0\0\3/m\0\0\0\0\0"), KS_OK, "", {0}},
	{"a NUL after the PIN",
		RAW(MODULE "\0\0\0\5"
			   "1234\0"),
		KS_OK, "1234", {0}},
	{"a PIN that is a NUL", RAW(MODULE "\0\0\0\1\0"), KS_OK, "", {0}},
	{"a NUL in the PIN",
		RAW(MODULE "\0\0\0\4"
			   "1\0"
			   "34"),
		KS_BAD_INPUT, NULL, {0}},
	{"two NULs after the PIN",
		RAW(MODULE "\0\0\0\3"
			   "1\0\0"),
		KS_BAD_INPUT, NULL, {0}},
	{"a NUL in the name", RAW("\0\0\0\3/\0m\0\0\0\0"), KS_BAD_INPUT, NULL, {0}},
	{"no name",
		RAW("\0\0\0\0\0\0\0\4"
		    "1234"),
		KS_BAD_INPUT, NULL, {0}},
	{"a name that is a NUL", RAW("\0\0\0\1\0\0\0\0\0"), KS_BAD_INPUT, NULL, {0}},
	{"a name only", RAW(MODULE), KS_BAD_INPUT, NULL, {0}},
	{"nothing", RAW(""), KS_BAD_INPUT, NULL, {0}},
	{"confirm", RAW(PIN "\2"), KS_OK, "1234", {.confirm = true}},
	{"a lifetime", RAW(PIN "\1\0\0\1\0"), KS_OK, "1234",
		{.has_lifetime = true, .lifetime_s = 256}},
	{"a lifetime of 0", RAW(PIN "\1\0\0\0\0"), KS_OK, "1234", {.has_lifetime = true}},
	{"both", RAW(PIN "\2\1\0\0\0\5"), KS_OK, "1234",
		{.has_lifetime = true, .lifetime_s = 5, .confirm = true}},
	{"confirm twice", RAW(PIN "\2\2"), KS_BAD_INPUT, NULL, {0}},
	{"a lifetime twice", RAW(PIN "\1\0\0\0\5\1\0\0\0\5"), KS_BAD_INPUT, NULL, {0}},
	{"half a lifetime", RAW(PIN "\1\0\0\0"), KS_BAD_INPUT, NULL, {0}},
	{"an unknown constraint", RAW(PIN "\3\0\0\0\1"), KS_UNSUPPORTED, NULL, {0}},
	{"constraint 0", RAW(PIN "\0"), KS_UNSUPPORTED, NULL, {0}},
	{"an extension", RAW(PIN "\xff\0\0\0\1x\0\0\0\0"), KS_UNSUPPORTED, NULL, {0}},
	{"an extension after what is known", RAW(PIN "\2\xff\0\0\0\1x"), KS_UNSUPPORTED, NULL, {0}},
	{"half an extension", RAW(PIN "\xff\0\0\0\2x"), KS_BAD_INPUT, NULL, {0}},
};

static void ignore(enum log_level level, const char *line, void *context)
{
	(void)level;
	(void)line;
	(void)context;
}

static void adding_a_token_is_taken_whole_or_not_at_all(void **state)
{
	(void)state;
	log_to(ignore, NULL);
	for (size_t i = 0; i < sizeof(add_tokens) / sizeof(add_tokens[0]); i++) {
		struct message_add_token message;
		enum ks_error error = message_parse_add_token(add_tokens[i].body, &message);

		if (error != add_tokens[i].error)
			fail_msg("%s: %s", add_tokens[i].what, ks_error_text(error));
		if (error == KS_OK) {
			assert_string_equal(message.provider, "/m");
			assert_true(bytes_equal_text(message.pin, add_tokens[i].pin));
			assert_int_equal(
				message.constraints.confirm, add_tokens[i].constraints.confirm);
			assert_int_equal(message.constraints.has_lifetime,
				add_tokens[i].constraints.has_lifetime);
			assert_int_equal(message.constraints.lifetime_s,
				add_tokens[i].constraints.lifetime_s);
		}
		message_add_token_deinit(&message);
		assert_null(message.provider);
	}
	log_to(NULL, NULL);
}

static enum ks_error add_token_of(size_t name_len, size_t pin_len)
{
	char text[PROVIDER_NAME_MAX + 2];
	AUTO(buf) body = {0};
	struct message_add_token message;
	enum ks_error error;

	memset(text, 'x', sizeof(text));
	buf_put_string(&body, BYTES((const uint8_t *)text, name_len));
	buf_put_string(&body, BYTES((const uint8_t *)text, pin_len));
	error = message_parse_add_token(buf_bytes(&body), &message);
	message_add_token_deinit(&message);
	return error;
}

static void names_and_pins_have_a_longest_length(void **state)
{
	(void)state;
	assert_int_equal(add_token_of(PROVIDER_NAME_MAX, KS_PIN_MAX), KS_OK);
	assert_int_equal(add_token_of(PROVIDER_NAME_MAX + 1, KS_PIN_MAX), KS_BAD_INPUT);
	assert_int_equal(add_token_of(PROVIDER_NAME_MAX, KS_PIN_MAX + 1), KS_BAD_INPUT);
}

static void keep_line(enum log_level level, const char *line, void *context)
{
	(void)level;
	strncpy(context, line, 255);
}

static void a_constraint_that_cannot_be_kept_is_refused_by_its_name(void **state)
{
	struct message_add_token message;
	char heard[256] = "";

	(void)state;
	log_to(keep_line, heard);
	assert_int_equal(message_parse_add_token(RAW(PIN "\xff\0\0\0\5other\0\0\0\0"), &message),
		KS_UNSUPPORTED);
	message_add_token_deinit(&message);
	assert_non_null(strstr(heard, "\"other\""));
	assert_int_equal(message_parse_add_token(RAW(PIN "\3"), &message), KS_UNSUPPORTED);
	message_add_token_deinit(&message);
	assert_non_null(strstr(heard, "constraint 3"));
	log_to(NULL, NULL);
}

static void removing_names_what_goes(void **state)
{
	AUTO(text) provider = NULL, none = NULL;
	struct bytes blob;

	(void)state;
	assert_int_equal(message_parse_remove_token(RAW(PIN "more"), &provider), KS_OK);
	assert_string_equal(provider, "/m");
	assert_int_equal(message_parse_remove_token(RAW("\0\0\0\2/"), &none), KS_BAD_INPUT);
	assert_int_equal(message_parse_remove(RAW("\0\0\0\1bmore"), &blob), KS_OK);
	assert_true(bytes_equal_text(blob, "b"));
	assert_int_equal(message_parse_remove(RAW("\0\0\0\2b"), &blob), KS_BAD_INPUT);
}

static void an_extension_is_a_name_and_what_follows(void **state)
{
	static const struct {
		struct bytes body;
		enum ks_error error;
		const char *name, *content;
	} rows[] = {
		{RAW("\0\0\0\5querycontent"), KS_OK, "query", "content"},
		{RAW("\0\0\0\5query"), KS_OK, "query", ""},
		{RAW("\0\0\0\6query\0more"), KS_OK, "query", "more"},
		{RAW("\0\0\0\6qu\0ery"), KS_BAD_INPUT, NULL, NULL},
		{RAW("\0\0\0\6query"), KS_BAD_INPUT, NULL, NULL},
		{RAW(""), KS_BAD_INPUT, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message_extension extension;

		assert_int_equal(message_parse_extension(rows[i].body, &extension), rows[i].error);
		if (rows[i].error != KS_OK)
			continue;
		assert_true(bytes_equal_text(extension.name, rows[i].name));
		assert_true(bytes_equal_text(extension.content, rows[i].content));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_with_secrets_are_those_that_carry_a_pin_or_key),
		cmocka_unit_test(a_sign_request_is_blob_data_and_flags),
		cmocka_unit_test(adding_a_token_is_taken_whole_or_not_at_all),
		cmocka_unit_test(names_and_pins_have_a_longest_length),
		cmocka_unit_test(a_constraint_that_cannot_be_kept_is_refused_by_its_name),
		cmocka_unit_test(removing_names_what_goes),
		cmocka_unit_test(an_extension_is_a_name_and_what_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
