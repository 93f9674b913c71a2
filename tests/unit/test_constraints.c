/*
 * What may be said of a key or token that is added, and that each rule about it holds: one row for
 * each way in which a constraint can be wrong.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "constraint_maker.h"
#include "constraints.h"
#include "key_vectors.h"
#include "provider.h"
#include "test.h"
#include "vector.h"

#define DESTINATIONS "restrict-destination-v00@openssh.com"
#define CERTIFICATES "associated-certs-v00@openssh.com"
#define SK_PROVIDER "sk-provider@openssh.com"

/* Blobs that all tests share. */
static struct buf host_key, other_key, certificate;

static int make_blobs(void **state)
{
	(void)state;
	vector_put(&host_key, key_vectors[0].blob);
	vector_put(&other_key, key_vectors[1].blob);
	vector_put(&certificate, key_vectors[0].user_certificate);
	return buf_status(&host_key) == KS_OK && buf_status(&other_key) == KS_OK &&
			       buf_status(&certificate) == KS_OK
		       ? 0
		       : -1;
}

static int free_blobs(void **state)
{
	(void)state;
	buf_deinit(&host_key);
	buf_deinit(&other_key);
	buf_deinit(&certificate);
	return 0;
}

static char heard[512];

static void keep_line(enum log_level level, const char *line, void *context)
{
	(void)level;
	(void)context;
	strncpy(heard, line, sizeof(heard) - 1);
}

/* What is not given back is NULL; what is, the caller releases. */
static enum ks_error parse(
	struct bytes bytes, enum constraints_for what, struct constraints **constraints)
{
	struct reader reader = reader_of(bytes);
	enum ks_error error;

	heard[0] = '\0';
	log_to(keep_line, NULL);
	error = constraints_parse(&reader, what, constraints);
	log_to(NULL, NULL);
	assert_int_equal(error == KS_OK, *constraints != NULL);
	assert_true(error == KS_OK || strncmp(heard, "refused: ", 9) == 0);
	return error;
}

static enum ks_error outcome(struct bytes bytes, enum constraints_for what)
{
	struct constraints *constraints;
	enum ks_error error = parse(bytes, what, &constraints);

	constraints_release(&constraints);
	return error;
}

static void no_constraints_are_constraints_that_say_nothing(void **state)
{
	struct constraints *constraints;

	(void)state;
	assert_int_equal(parse(RAW(""), CONSTRAINTS_FOR_KEY, &constraints), KS_OK);
	assert_false(constraints->has_lifetime || constraints->confirm);
	assert_null(constraints->sk_provider);
	assert_int_equal(constraints->destination_count, 0);
	assert_int_equal(constraints->certificate_count, 0);
	constraints_release(&constraints);
	constraints_release(&constraints);
}

static void constraints_are_shared_and_counted(void **state)
{
	struct constraints *constraints, *other;

	(void)state;
	assert_int_equal(parse(RAW("\2"), CONSTRAINTS_FOR_KEY, &constraints), KS_OK);
	other = constraints_reference(constraints);
	constraints_release(&constraints);
	assert_null(constraints);
	assert_true(other->confirm);
	constraints_release(&other);
}

static void lifetime_and_confirm_come_once_and_nothing_unknown_comes(void **state)
{
	static const struct {
		struct bytes bytes;
		enum ks_error error;
		const char *named;
	} rows[] = {
		{RAW("\1\0\0\0\1"), KS_OK, ""},
		{RAW("\1\0\0\0\0"), KS_OK, ""},
		{RAW("\2"), KS_OK, ""},
		{RAW("\2\1\0\0\0\1"), KS_OK, ""},
		{RAW("\1\0\0\0\1\2"), KS_OK, ""},
		{RAW("\1\0\0\0\0\1\0\0\0\0"), KS_BAD_INPUT, "lifetime"},
		{RAW("\1\0\0\0\1\2\1\0\0\0\1"), KS_BAD_INPUT, "lifetime"},
		{RAW("\1\0\0\0"), KS_BAD_INPUT, "lifetime"},
		{RAW("\1"), KS_BAD_INPUT, "lifetime"},
		{RAW("\2\2"), KS_BAD_INPUT, "confirm"},
		{RAW("\3\0\0\0\1"), KS_UNSUPPORTED, "maxsign"},
		{RAW("\0"), KS_UNSUPPORTED, "0"},
		{RAW("\376"), KS_UNSUPPORTED, "254"},
		{RAW("\377"), KS_BAD_INPUT, "name"},
		{RAW("\377\0\0\0\2x"), KS_BAD_INPUT, "name"},
		{RAW("\377\0\0\0\3x\0y"), KS_BAD_INPUT, "name"},
		{RAW("\377\0\0\0\1x\0\0\0\0"), KS_UNSUPPORTED, "\"x\""},
		{RAW("\2\377\0\0\0\0"), KS_UNSUPPORTED, "\"\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int what = CONSTRAINTS_FOR_KEY; what <= CONSTRAINTS_FOR_SECURITY_KEY_FROM_AFAR;
			what++)
			if (outcome(rows[i].bytes, (enum constraints_for)what) != rows[i].error ||
				strstr(heard, rows[i].named) == NULL)
				fail_msg("row %zu: %s", i, heard);
}

static enum ks_error middleware(
	struct bytes path, enum constraints_for what, unsigned times, char **provider)
{
	AUTO(buf) bytes = {0};
	struct constraints *constraints;
	enum ks_error error;

	for (unsigned i = 0; i < times; i++) {
		extension_put(&bytes, SK_PROVIDER);
		buf_put_string(&bytes, path);
	}
	error = parse(buf_bytes(&bytes), what, &constraints);
	*provider = error == KS_OK ? strdup(constraints->sk_provider) : NULL;
	constraints_release(&constraints);
	return error;
}

static void middleware_comes_once_and_for_security_keys(void **state)
{
	char longest[PROVIDER_NAME_MAX + 1];
	const struct {
		struct bytes path;
		enum constraints_for what;
		unsigned times;
		enum ks_error error;
		const char *provider;
	} rows[] = {
		{RAW("/m.so"), CONSTRAINTS_FOR_SECURITY_KEY, 1, KS_OK, "/m.so"},
		{RAW("/m.so\0"), CONSTRAINTS_FOR_SECURITY_KEY, 1, KS_OK, "/m.so"},
		{RAW("internal"), CONSTRAINTS_FOR_SECURITY_KEY, 1, KS_OK, CONSTRAINTS_SK_INTERNAL},
		{RAW("InterNAL"), CONSTRAINTS_FOR_SECURITY_KEY, 1, KS_OK, CONSTRAINTS_SK_INTERNAL},
		{RAW("internals"), CONSTRAINTS_FOR_SECURITY_KEY, 1, KS_OK, "internals"},
		{BYTES((uint8_t *)longest, PROVIDER_NAME_MAX), CONSTRAINTS_FOR_SECURITY_KEY, 1,
			KS_OK, NULL},
		{BYTES((uint8_t *)longest, PROVIDER_NAME_MAX + 1), CONSTRAINTS_FOR_SECURITY_KEY, 1,
			KS_BAD_INPUT, NULL},
		{RAW("/m.so"), CONSTRAINTS_FOR_SECURITY_KEY, 2, KS_BAD_INPUT, NULL},
		{RAW(""), CONSTRAINTS_FOR_SECURITY_KEY, 1, KS_BAD_INPUT, NULL},
		{RAW("\0"), CONSTRAINTS_FOR_SECURITY_KEY, 1, KS_BAD_INPUT, NULL},
		{RAW("/m\0.so"), CONSTRAINTS_FOR_SECURITY_KEY, 1, KS_BAD_INPUT, NULL},
		{RAW("/m.so"), CONSTRAINTS_FOR_KEY, 1, KS_UNSUPPORTED, NULL},
		{RAW("/m.so"), CONSTRAINTS_FOR_TOKEN, 1, KS_UNSUPPORTED, NULL},
	};

	(void)state;
	memset(longest, 'x', sizeof(longest));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(text) provider = NULL;
		enum ks_error error =
			middleware(rows[i].path, rows[i].what, rows[i].times, &provider);

		if (error != rows[i].error ||
			(rows[i].provider != NULL && strcmp(provider, rows[i].provider) != 0))
			fail_msg("row %zu: %s", i, ks_error_text(error));
		assert_true(error == KS_OK || strstr(heard, SK_PROVIDER) != NULL);
	}
}

/* ---- Destinations ---- */

#define KEY(buffer)                                                                                \
	{                                                                                          \
		.blob = BYTES((buffer).data, (buffer).len)                                         \
	}
#define AUTHORITY(buffer)                                                                          \
	{                                                                                          \
		.blob = BYTES((buffer).data, (buffer).len), .ca = 1                                \
	}
/* From here to a host. */
#define TO_HOST .to = {.name = RAW("host"), .keys = {KEY(host_key)}}

static enum ks_error parse_hops(
	const struct hop_draft *hops, size_t count, struct constraints **constraints)
{
	AUTO(buf) bytes = {0};

	destinations_put(&bytes, hops, count);
	assert_int_equal(buf_status(&bytes), KS_OK);
	return parse(buf_bytes(&bytes), CONSTRAINTS_FOR_KEY, constraints);
}

static void hops_are_taken_with_all_they_say(void **state)
{
	const struct hop_draft hops[] = {
		{TO_HOST},
		{.from = {.name = RAW("host\0"), .keys = {KEY(host_key), AUTHORITY(other_key)}},
			.to = {.user = RAW("j*"),
				.name = RAW("far"),
				.keys = {{.blob = buf_bytes(&other_key), .ca = 7}}}},
	};
	struct constraints *constraints;
	const struct destination *second;

	(void)state;
	assert_int_equal(parse_hops(hops, 2, &constraints), KS_OK);
	assert_int_equal(constraints->destination_count, 2);
	assert_null(constraints->destinations[0].from.name);
	assert_int_equal(constraints->destinations[0].from.key_count, 0);
	assert_null(constraints->destinations[0].to.user);
	assert_string_equal(constraints->destinations[0].to.name, "host");
	second = &constraints->destinations[1];
	assert_string_equal(second->from.name, "host");
	assert_int_equal(second->from.key_count, 2);
	assert_true(bytes_equal(buf_bytes(&second->from.keys[0].blob), buf_bytes(&host_key)));
	assert_true(!second->from.keys[0].ca && second->from.keys[1].ca);
	assert_string_equal(second->to.user, "j*");
	assert_true(second->to.keys[0].ca);
	constraints_release(&constraints);
}

static void a_hop_that_breaks_one_rule_is_refused(void **state)
{
	uint8_t user[CONSTRAINTS_USER_MAX + 1];
	const struct {
		const char *what;
		enum ks_error error;
		struct hop_draft hop;
	} rows[] = {
		{"from here", KS_OK, {TO_HOST}},
		{"from a host", KS_OK,
			{.from = {.name = RAW("a"), .keys = {KEY(other_key)}}, TO_HOST}},
		{"NULs at ends", KS_OK,
			{.to = {.user = RAW("u\0"), .name = RAW("h\0"), .keys = {KEY(host_key)}}}},
		{"a user from here", KS_BAD_INPUT, {.from = {.user = RAW("me")}, TO_HOST}},
		{"a user from a host", KS_BAD_INPUT,
			{.from = {.user = RAW("me"), .name = RAW("a"), .keys = {KEY(other_key)}},
				TO_HOST}},
		{"from a host without keys", KS_BAD_INPUT, {.from = {.name = RAW("a")}, TO_HOST}},
		{"from keys without a host", KS_BAD_INPUT,
			{.from = {.keys = {KEY(other_key)}}, TO_HOST}},
		{"to no host", KS_BAD_INPUT, {.to = {.keys = {KEY(host_key)}}}},
		{"to a host that is a NUL", KS_BAD_INPUT,
			{.to = {.name = RAW("\0"), .keys = {KEY(host_key)}}}},
		{"to no keys", KS_BAD_INPUT, {.to = {.name = RAW("host")}}},
		{"to nothing", KS_BAD_INPUT, {.reserved = RAW("")}},
		{"reserved", KS_BAD_INPUT, {TO_HOST, .reserved = RAW("x")}},
		{"reserved of from", KS_BAD_INPUT, {.from = {.reserved = RAW("x")}, TO_HOST}},
		{"reserved of to", KS_BAD_INPUT,
			{.to = {.name = RAW("h"), .reserved = RAW("\0"), .keys = {KEY(host_key)}}}},
		{"bytes left over", KS_BAD_INPUT, {TO_HOST, .left_over = RAW("\0")}},
		{"a string left over", KS_BAD_INPUT, {TO_HOST, .left_over = RAW("\0\0\0\0")}},
		{"the longest user", KS_OK,
			{.to = {.user = BYTES(user, CONSTRAINTS_USER_MAX),
				 .name = RAW("h"),
				 .keys = {KEY(host_key)}}}},
		{"a longer user", KS_BAD_INPUT,
			{.to = {.user = BYTES(user, CONSTRAINTS_USER_MAX + 1),
				 .name = RAW("h"),
				 .keys = {KEY(host_key)}}}},
		{"a NUL in the user", KS_BAD_INPUT,
			{.to = {.user = RAW("u\0x"), .name = RAW("h"), .keys = {KEY(host_key)}}}},
		{"a NUL in the host", KS_BAD_INPUT,
			{.to = {.name = RAW("h\0x"), .keys = {KEY(host_key)}}}},
		{"a key that is none", KS_BAD_INPUT,
			{.to = {.name = RAW("h"), .keys = {{.blob = RAW("key")}}}}},
		{"an empty key", KS_BAD_INPUT,
			{.to = {.name = RAW("h"), .keys = {{.blob = RAW("")}}}}},
		{"a key of no known kind", KS_UNSUPPORTED,
			{.to = {.name = RAW("h"), .keys = {{.blob = RAW("\0\0\0\1x")}}}}},
		{"a second key that is none", KS_BAD_INPUT,
			{.to = {.name = RAW("h"), .keys = {KEY(host_key), {.blob = RAW("key")}}}}},
	};

	(void)state;
	memset(user, 'u', sizeof(user));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct constraints *constraints;
		enum ks_error error = parse_hops(&rows[i].hop, 1, &constraints);

		if (error != rows[i].error)
			fail_msg("%s: %s", rows[i].what, ks_error_text(error));
		assert_true(error == KS_OK || strstr(heard, DESTINATIONS) != NULL);
		constraints_release(&constraints);
	}
}

static void at_most_1024_hops_are_taken(void **state)
{
	static struct hop_draft hops[CONSTRAINTS_DESTINATIONS_MAX + 1];
	struct constraints *constraints;

	(void)state;
	for (size_t i = 0; i < CONSTRAINTS_DESTINATIONS_MAX + 1; i++)
		hops[i] = (struct hop_draft){TO_HOST};
	assert_int_equal(parse_hops(hops, CONSTRAINTS_DESTINATIONS_MAX, &constraints), KS_OK);
	assert_int_equal(constraints->destination_count, CONSTRAINTS_DESTINATIONS_MAX);
	constraints_release(&constraints);
	assert_int_equal(
		parse_hops(hops, CONSTRAINTS_DESTINATIONS_MAX + 1, &constraints), KS_BAD_INPUT);
	assert_int_equal(parse_hops(hops, 0, &constraints), KS_OK);
	assert_int_equal(constraints->destination_count, 0);
	constraints_release(&constraints);
}

static void destinations_come_once(void **state)
{
	const struct hop_draft hop = {TO_HOST};
	AUTO(buf) twice = {0}, empty_first = {0};

	(void)state;
	destinations_put(&twice, &hop, 1);
	destinations_put(&twice, &hop, 1);
	assert_int_equal(outcome(buf_bytes(&twice), CONSTRAINTS_FOR_TOKEN), KS_BAD_INPUT);
	destinations_put(&empty_first, &hop, 0);
	destinations_put(&empty_first, &hop, 1);
	assert_int_equal(outcome(buf_bytes(&empty_first), CONSTRAINTS_FOR_TOKEN), KS_BAD_INPUT);
}

/* Whatever is cut off or written too long, nothing is taken of it. */
static void destinations_that_end_early_or_late_are_refused(void **state)
{
	const struct hop_draft hops[] = {{TO_HOST},
		{.from = {.name = RAW("a"), .keys = {KEY(other_key), KEY(host_key)}}, TO_HOST}};
	AUTO(buf) bytes = {0};

	(void)state;
	destinations_put(&bytes, hops, 2);
	for (size_t len = 1; len < bytes.len; len++) {
		AUTO(buf) piece = {0};

		buf_put(&piece, BYTES(bytes.data, len));
		assert_int_not_equal(outcome(buf_bytes(&piece), CONSTRAINTS_FOR_KEY), KS_OK);
	}
	buf_put_u8(&bytes, 0);
	assert_int_not_equal(outcome(buf_bytes(&bytes), CONSTRAINTS_FOR_KEY), KS_OK);
}

static void the_same_hops_are_told_from_others(void **state)
{
	const struct hop_draft drafts[] = {
		{TO_HOST},
		{.to = {.user = RAW("u"), .name = RAW("host"), .keys = {KEY(host_key)}}},
		{.to = {.name = RAW("other"), .keys = {KEY(host_key)}}},
		{.to = {.name = RAW("host"), .keys = {KEY(other_key)}}},
		{.to = {.name = RAW("host"), .keys = {AUTHORITY(host_key)}}},
		{.to = {.name = RAW("host"), .keys = {KEY(host_key), KEY(other_key)}}},
		{.from = {.name = RAW("a"), .keys = {KEY(host_key)}}, TO_HOST},
		{.from = {.name = RAW("b"), .keys = {KEY(host_key)}}, TO_HOST},
	};
	const size_t count = sizeof(drafts) / sizeof(drafts[0]);
	struct constraints *none, *both;

	(void)state;
	assert_int_equal(parse(RAW(""), CONSTRAINTS_FOR_KEY, &none), KS_OK);
	assert_int_equal(parse_hops(drafts, 2, &both), KS_OK);
	assert_true(constraints_same_destinations(none, none));
	for (size_t i = 0; i < count; i++) {
		struct constraints *one, *other;

		assert_int_equal(parse_hops(&drafts[i], 1, &one), KS_OK);
		assert_false(constraints_same_destinations(one, none));
		assert_false(constraints_same_destinations(one, both));
		for (size_t j = 0; j < count; j++) {
			assert_int_equal(parse_hops(&drafts[j], 1, &other), KS_OK);
			assert_int_equal(constraints_same_destinations(one, other), i == j);
			constraints_release(&other);
		}
		constraints_release(&one);
	}
	constraints_release(&both);
	constraints_release(&none);
}

/* ---- Associated certificates ---- */

static void put_certificates(struct buf *out, uint8_t only, struct bytes blob, size_t count)
{
	size_t opened;

	extension_put(out, CERTIFICATES);
	buf_put_u8(out, only);
	opened = buf_open_string(out);
	for (size_t i = 0; i < count; i++)
		buf_put_string(out, blob);
	buf_close_string(out, opened);
}

static enum ks_error parse_certificates(uint8_t only, struct bytes blob, size_t count,
	enum constraints_for what, struct constraints **constraints)
{
	AUTO(buf) bytes = {0};

	put_certificates(&bytes, only, blob, count);
	assert_int_equal(buf_status(&bytes), KS_OK);
	return parse(buf_bytes(&bytes), what, constraints);
}

static void certificates_come_along_with_tokens_alone(void **state)
{
	struct constraints *constraints;
	const enum constraints_for others[] = {CONSTRAINTS_FOR_KEY, CONSTRAINTS_FOR_SECURITY_KEY};

	(void)state;
	assert_int_equal(parse_certificates(3, buf_bytes(&certificate), 2, CONSTRAINTS_FOR_TOKEN,
				 &constraints),
		KS_OK);
	assert_true(constraints->certificates_only);
	assert_int_equal(constraints->certificate_count, 2);
	assert_true(bytes_equal(buf_bytes(&constraints->certificates[1]), buf_bytes(&certificate)));
	constraints_release(&constraints);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(
			parse_certificates(0, buf_bytes(&certificate), 1, others[i], &constraints),
			KS_UNSUPPORTED);
		assert_non_null(strstr(heard, CERTIFICATES));
	}
}

/* Plain keys in place of certificates, as so many of these fit nowhere. */
static void at_most_1024_certificates_come(void **state)
{
	const size_t most = CONSTRAINTS_CERTIFICATES_MAX;
	const struct {
		size_t count;
		enum ks_error error;
	} rows[] = {{0, KS_OK}, {1, KS_OK}, {most, KS_OK}, {most + 1, KS_BAD_INPUT}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct constraints *constraints;

		assert_int_equal(parse_certificates(0, buf_bytes(&host_key), rows[i].count,
					 CONSTRAINTS_FOR_TOKEN, &constraints),
			rows[i].error);
		if (constraints != NULL)
			assert_int_equal(constraints->certificate_count, rows[i].count);
		constraints_release(&constraints);
	}
}

static void certificates_that_are_none_come_twice_or_end_early_are_refused(void **state)
{
	struct constraints *constraints;
	AUTO(buf) bytes = {0};

	(void)state;
	assert_int_equal(
		parse_certificates(0, RAW("no key"), 1, CONSTRAINTS_FOR_TOKEN, &constraints),
		KS_BAD_INPUT);
	assert_int_equal(
		parse_certificates(0, RAW("\0\0\0\1x"), 1, CONSTRAINTS_FOR_TOKEN, &constraints),
		KS_UNSUPPORTED);
	put_certificates(&bytes, 1, buf_bytes(&certificate), 2);
	for (size_t len = 1; len < bytes.len; len++) {
		AUTO(buf) piece = {0};

		buf_put(&piece, BYTES(bytes.data, len));
		assert_int_not_equal(outcome(buf_bytes(&piece), CONSTRAINTS_FOR_TOKEN), KS_OK);
	}
	put_certificates(&bytes, 1, BYTES(NULL, 0), 0);
	assert_int_equal(outcome(buf_bytes(&bytes), CONSTRAINTS_FOR_TOKEN), KS_BAD_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_constraints_are_constraints_that_say_nothing),
		cmocka_unit_test(constraints_are_shared_and_counted),
		cmocka_unit_test(lifetime_and_confirm_come_once_and_nothing_unknown_comes),
		cmocka_unit_test(middleware_comes_once_and_for_security_keys),
		cmocka_unit_test(hops_are_taken_with_all_they_say),
		cmocka_unit_test(a_hop_that_breaks_one_rule_is_refused),
		cmocka_unit_test(at_most_1024_hops_are_taken),
		cmocka_unit_test(destinations_come_once),
		cmocka_unit_test(destinations_that_end_early_or_late_are_refused),
		cmocka_unit_test(the_same_hops_are_told_from_others),
		cmocka_unit_test(certificates_come_along_with_tokens_alone),
		cmocka_unit_test(at_most_1024_certificates_come),
		cmocka_unit_test(certificates_that_are_none_come_twice_or_end_early_are_refused),
	};

	return cmocka_run_group_tests(tests, make_blobs, free_blobs);
}
