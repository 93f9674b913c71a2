/*
 * A client's messages: each parser as a table, with ssh-agent's leniency where clients rely on
 * it and none elsewhere.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/secret.h>

#include "add_vectors.h"
#include "constraint_maker.h"
#include "message.h"
#include "provider.h"
#include "test.h"
#include "vector.h"

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
	struct constraints constraints;
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
	{"a security key's middleware", RAW(PIN "\xff\0\0\0\27sk-provider@openssh.com\0\0\0\2/m"),
		KS_UNSUPPORTED, NULL, {0}},
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
				message.constraints->confirm, add_tokens[i].constraints.confirm);
			assert_int_equal(message.constraints->has_lifetime,
				add_tokens[i].constraints.has_lifetime);
			assert_int_equal(message.constraints->lifetime_s,
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
	assert_non_null(strstr(heard, "constraint maxsign"));
	assert_int_equal(message_parse_add_token(RAW(PIN "\4"), &message), KS_UNSUPPORTED);
	message_add_token_deinit(&message);
	assert_non_null(strstr(heard, "constraint 4"));
	log_to(NULL, NULL);
}

/* ---- Keys and tokens, as ssh-add sends them ---- */

static const struct add_vector *find_vector(const char *name)
{
	for (size_t i = 0; i < ADD_VECTOR_COUNT; i++)
		if (strcmp(add_vectors[i].name, name) == 0)
			return &add_vectors[i];
	fail_msg("no vector %s", name);
	return NULL;
}

static bool adds_token(const struct buf *message)
{
	return message->data[0] == MESSAGE_ADD_TOKEN ||
	       message->data[0] == MESSAGE_ADD_TOKEN_CONSTRAINED;
}

/* Parses and lets go again; constraints that came out are the caller's when asked for. */
static enum ks_error parse_add(bool token, struct bytes body, struct constraints **constraints)
{
	struct message_add_key add_key = {0};
	struct message_add_token add_token = {0};
	enum ks_error error = token ? message_parse_add_token(body, &add_token)
				    : message_parse_add_key(body, false, &add_key);
	struct constraints *parsed = token ? add_token.constraints : add_key.constraints;

	assert_int_equal(error == KS_OK, parsed != NULL);
	if (constraints != NULL && parsed != NULL)
		*constraints = constraints_reference(parsed);
	message_add_key_deinit(&add_key);
	message_add_token_deinit(&add_token);
	return error;
}

static void keys_of_ssh_add_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ADD_VECTOR_COUNT; i++) {
		AUTO(buf) message = {0};
		struct message_add_key add;
		struct public_key *key;

		vector_put(&message, add_vectors[i].message);
		if (adds_token(&message))
			continue;
		if (message_parse_add_key(BYTES(message.data + 1, message.len - 1), false, &add) !=
			KS_OK)
			fail_msg("%s", add_vectors[i].name);
		assert_int_equal(public_key_parse(buf_bytes(&add.blob), &key), KS_OK);
		assert_int_equal(
			key->certificate, strstr(add_vectors[i].name, "certificate") != NULL);
		assert_int_equal(key->kind, add.key.kind);
		assert_non_null(
			strstr("ed25519 256 ecdsa 256 ecdsa 384 ecdsa 521 rsa 1024", add.comment));
		assert_true(strlen(add.comment) >= strlen("rsa 1024"));
		public_key_free(&key);
		message_add_key_deinit(&add);
		assert_null(add.comment);
		assert_null(add.constraints);
	}
}

static void the_constraints_of_ssh_add_are_understood(void **state)
{
	static const char *const names[] = {
		"add_constrained", "add_constrained_certificate", "add_token_constrained"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) message = {0};
		struct constraints *constraints = NULL;

		vector_put(&message, find_vector(names[i])->message);
		assert_int_equal(parse_add(adds_token(&message),
					 BYTES(message.data + 1, message.len - 1), &constraints),
			KS_OK);
		if (constraints == NULL)
			return; /* for the analyser: it was asserted */
		assert_true(constraints->confirm && constraints->has_lifetime);
		assert_int_equal(constraints->lifetime_s, 90);
		assert_int_equal(constraints->destination_count, 4);
		assert_null(constraints->destinations[0].from.name);
		assert_string_equal(constraints->destinations[1].to.user, "joe");
		assert_string_equal(constraints->destinations[2].from.name, "second");
		assert_string_equal(constraints->destinations[3].to.user, "j*");
		assert_true(constraints->destinations[3].to.keys[0].ca);
		assert_false(constraints->destinations[3].from.keys[0].ca);
		constraints_release(&constraints);
	}
}

/*
 * A message that ends early is refused, but where it ends behind a constraint: then it is one with
 * fewer of them.
 */
static void no_key_or_token_is_taken_that_ends_early(void **state)
{
	(void)state;
	log_to(ignore, NULL);
	for (size_t i = 0; i < ADD_VECTOR_COUNT; i++) {
		AUTO(buf) message = {0};
		size_t taken = 0;

		vector_put(&message, add_vectors[i].message);
		for (size_t len = 1; len < message.len; len++) {
			AUTO(buf) piece = {
				0}; /* of its own, so that a byte read beyond is noticed */

			buf_put(&piece, BYTES(message.data + 1, len - 1));
			taken += parse_add(adds_token(&message), buf_bytes(&piece), NULL) == KS_OK;
		}
		assert_int_equal(taken, strstr(add_vectors[i].name, "constrained") ? 3 : 0);
	}
	log_to(NULL, NULL);
}

/* Where the lengths stand in a message. */
struct lengths {
	const uint8_t *start;
	size_t at[512];
	size_t count;
};

static struct bytes note_string(struct lengths *lengths, struct reader *reader)
{
	assert_true(lengths->count < sizeof(lengths->at) / sizeof(lengths->at[0]));
	lengths->at[lengths->count++] = (size_t)(reader->data - lengths->start);
	return reader_string(reader);
}

static void note_host(struct lengths *lengths, struct bytes content)
{
	struct reader reader = reader_of(content);

	for (int i = 0; i < 3; i++) /* user, name, reserved */
		(void)note_string(lengths, &reader);
	while (reader.left > 0) {
		(void)note_string(lengths, &reader);
		(void)reader_u8(&reader);
	}
	assert_false(reader.failed);
}

static void note_destinations(struct lengths *lengths, struct bytes content)
{
	struct reader list = reader_of(content);

	while (list.left > 0) {
		struct reader reader = reader_of(note_string(lengths, &list));

		note_host(lengths, note_string(lengths, &reader));
		note_host(lengths, note_string(lengths, &reader));
		(void)note_string(lengths, &reader);
		assert_int_equal(reader_end(&reader), KS_OK);
	}
}

/* strings: how many stand before the constraints. */
static void note_lengths(struct lengths *lengths, struct bytes body, unsigned strings)
{
	struct reader reader = reader_of(body);

	*lengths = (struct lengths){.start = body.data};
	for (unsigned i = 0; i < strings; i++)
		(void)note_string(lengths, &reader);
	while (reader.left > 0) {
		uint8_t type = reader_u8(&reader);

		if (type == 1)
			(void)reader_u32(&reader);
		if (type != 255)
			continue;
		(void)note_string(lengths, &reader);
		note_destinations(lengths, note_string(lengths, &reader));
	}
	assert_int_equal(reader_end(&reader), KS_OK);
}

/* Name, fields and comment of a key; name and PIN of a token. */
static unsigned strings_of(const struct buf *message)
{
	struct message_add_key add;
	bool certificate;
	enum key_kind kind;

	if (adds_token(message))
		return 2;
	assert_int_equal(
		message_parse_add_key(BYTES(message->data + 1, message->len - 1), false, &add),
		KS_OK);
	certificate = add.key.certificate.len > 0;
	kind = add.key.kind;
	message_add_key_deinit(&add);
	if (kind == KEY_ED25519)
		return certificate ? 5 : 4;
	if (kind == KEY_RSA)
		return certificate ? 7 : 8;
	return certificate ? 4 : 5;
}

static void put_u32_at(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void assert_length_matters(const char *what, bool token, struct bytes body, size_t at)
{
	struct reader reader = reader_of(BYTES(body.data + at, 4));
	uint32_t right = reader_u32(&reader);
	const uint32_t wrong[] = {right - 1, right + 1, right + 4, 0, 1, 0x7fffffff, 0xfffffffc,
		0xffffffff, (uint32_t)body.len};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		AUTO(buf) changed = {0};

		if (wrong[i] == right)
			continue;
		buf_put(&changed, body);
		put_u32_at(changed.data + at, wrong[i]);
		if (parse_add(token, buf_bytes(&changed), NULL) == KS_OK)
			fail_msg("%s: %u in place of %u at %zu", what, wrong[i], right, at);
	}
}

static void every_length_in_a_key_or_token_has_to_be_right(void **state)
{
	(void)state;
	log_to(ignore, NULL);
	for (size_t i = 0; i < ADD_VECTOR_COUNT; i++) {
		AUTO(buf) message = {0};
		struct lengths lengths;
		struct bytes body;

		vector_put(&message, add_vectors[i].message);
		body = BYTES(message.data + 1, message.len - 1);
		note_lengths(&lengths, body, strings_of(&message));
		assert_true(lengths.count > 1);
		for (size_t at = 0; at < lengths.count; at++)
			assert_length_matters(
				add_vectors[i].name, adds_token(&message), body, lengths.at[at]);
	}
	log_to(NULL, NULL);
}

/* A security key, which ssh-add reads from a file that only an authenticator can make. */
static void put_security_key(struct buf *out, const char *comment)
{
	buf_put_text(out, "sk-ssh-ed25519@openssh.com");
	buf_put_text(out, "a public key with thirty-two byt");
	buf_put_text(out, "ssh:");
	buf_put_u8(out, 1);
	buf_put_text(out, "a handle");
	buf_put_text(out, "");
	buf_put_text(out, comment);
}

static void put_middleware(struct buf *out, const char *path)
{
	extension_put(out, "sk-provider@openssh.com");
	buf_put_text(out, path);
}

static void middleware_is_for_security_keys_alone(void **state)
{
	AUTO(buf) key = {0}, message = {0};
	struct message_add_key add;

	(void)state;
	log_to(ignore, NULL);
	put_security_key(&key, "");
	put_middleware(&key, "/usr/lib/sk.so");
	assert_int_equal(message_parse_add_key(buf_bytes(&key), false, &add), KS_OK);
	assert_string_equal(add.constraints->sk_provider, "/usr/lib/sk.so");
	assert_string_equal(add.comment, "");
	message_add_key_deinit(&add);
	vector_put(&message, find_vector("add_ed25519_256")->message);
	put_middleware(&message, "/usr/lib/sk.so");
	assert_int_equal(
		parse_add(false, BYTES(message.data + 1, message.len - 1), NULL), KS_UNSUPPORTED);
	log_to(NULL, NULL);
}

static enum ks_error parse_comment(struct bytes comment)
{
	AUTO(buf) body = {0};

	put_security_key(&body, "");
	body.len -= 4;
	buf_put_string(&body, comment);
	return parse_add(false, buf_bytes(&body), NULL);
}

static void a_comment_is_text_of_a_longest_length(void **state)
{
	uint8_t text[MESSAGE_COMMENT_MAX + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(parse_comment(BYTES(text, MESSAGE_COMMENT_MAX)), KS_OK);
	assert_int_equal(parse_comment(BYTES(text, MESSAGE_COMMENT_MAX + 1)), KS_BAD_INPUT);
	assert_int_equal(parse_comment(RAW("text\0")), KS_OK);
	assert_int_equal(parse_comment(RAW("te\0xt")), KS_BAD_INPUT);
	assert_int_equal(parse_comment(RAW("text\0\0")), KS_BAD_INPUT);
}

static void a_key_of_an_unknown_kind_is_refused(void **state)
{
	AUTO(buf) body = {0};

	(void)state;
	log_to(ignore, NULL);
	buf_put_text(&body, "ssh-rot13");
	buf_put_text(&body, "");
	assert_int_equal(parse_add(false, buf_bytes(&body), NULL), KS_UNSUPPORTED);
	assert_int_equal(parse_add(false, BYTES(NULL, 0), NULL), KS_BAD_INPUT);
	log_to(NULL, NULL);
}

static void a_password_is_one_text(void **state)
{
	static const struct {
		struct bytes body;
		enum ks_error error;
		struct bytes password;
	} rows[] = {
		{RAW("\0\0\0\4pass"), KS_OK, RAW("pass")},
		{RAW("\0\0\0\5pass\0"), KS_OK, RAW("pass\0")}, /* as ssh-agent */
		{RAW("\0\0\0\4passmore"), KS_OK, RAW("pass")}, /* as ssh-agent */
		{RAW("\0\0\0\0"), KS_OK, {0}},
		{RAW("\0\0\0\1\0"), KS_OK, RAW("\0")},
		{RAW("\0\0\0\4pa\0s"), KS_BAD_INPUT, {0}},
		{RAW("\0\0\0\3pa\0\0"), KS_OK, RAW("pa\0")},
		{RAW("\0\0\0\4pa\0\0"), KS_BAD_INPUT, {0}},
		{RAW("\0\0\0\5pass"), KS_BAD_INPUT, {0}},
		{RAW("\xff\xff\xff\xffpass"), KS_BAD_INPUT, {0}},
		{RAW("\0\0\0"), KS_BAD_INPUT, {0}},
		{RAW(""), KS_BAD_INPUT, {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes password;

		assert_int_equal(message_parse_password(rows[i].body, &password), rows[i].error);
		if (rows[i].error == KS_OK)
			assert_true(bytes_equal(password, rows[i].password));
	}
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
		cmocka_unit_test(keys_of_ssh_add_are_taken),
		cmocka_unit_test(the_constraints_of_ssh_add_are_understood),
		cmocka_unit_test(no_key_or_token_is_taken_that_ends_early),
		cmocka_unit_test(every_length_in_a_key_or_token_has_to_be_right),
		cmocka_unit_test(middleware_is_for_security_keys_alone),
		cmocka_unit_test(a_comment_is_text_of_a_longest_length),
		cmocka_unit_test(a_key_of_an_unknown_kind_is_refused),
		cmocka_unit_test(a_password_is_one_text),
		cmocka_unit_test(removing_names_what_goes),
		cmocka_unit_test(an_extension_is_a_name_and_what_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
