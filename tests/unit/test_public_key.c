/*
 * Public keys: those of ssh-keygen are taken, everything that is no key is not.
 */
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include <keystile/cleanup.h>

#include "key_vectors.h"
#include "test.h"
#include "vector.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void blob_of(size_t vector, struct buf *out)
{
	vector_put(out, key_vectors[vector].blob);
	assert_int_equal(buf_status(out), KS_OK);
}

static size_t vector_of(enum key_kind kind)
{
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++)
		if (key_vectors[i].kind == kind)
			return i;
	fail_msg("no vector of %s", key_kind_name(kind));
	return 0;
}

/* Memory of the exact size, so that a sanitizer sees one byte too far. */
static enum ks_error parse_exact(struct bytes blob)
{
	uint8_t *exact = malloc(blob.len + !blob.len);
	struct public_key *key;
	enum ks_error error;

	assert_non_null(exact);
	if (blob.len > 0)
		memcpy(exact, blob.data, blob.len);
	error = public_key_parse(BYTES(exact, blob.len), &key);
	assert_int_equal(key == NULL, error != KS_OK);
	public_key_free(&key);
	free(exact);
	return error;
}

static void keys_of_ssh_keygen_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		const struct key_vector *vector = &key_vectors[i];
		AUTO(buf) blob = {0};
		AUTO(text) fingerprint = NULL;
		struct public_key *key;

		blob_of(i, &blob);
		assert_int_equal(public_key_parse(buf_bytes(&blob), &key), KS_OK);
		assert_int_equal(key->kind, vector->kind);
		assert_false(key->certificate);
		assert_int_equal(public_key_bits(key), vector->bits);
		assert_string_equal(key_kind_name(key->kind), vector->name);
		assert_string_equal(key_kind_label(key->kind), vector->label);
		assert_true(bytes_equal(buf_bytes(&key->plain), buf_bytes(&blob)));
		if (vector->kind == KEY_SK_ED25519 || vector->kind == KEY_SK_ECDSA_P256)
			assert_string_equal(key->application, vector_application);
		else
			assert_null(key->application);
		fingerprint = public_key_fingerprint(buf_bytes(&blob));
		assert_string_equal(fingerprint, vector->fingerprint);
		public_key_free(&key);
		assert_null(key);
		public_key_free(&key);
	}
}

static void every_kind_has_a_vector(void **state)
{
	(void)state;
	/* Composite kinds, the last ones, have theirs in test_composite.c. */
	for (unsigned kind = 0; kind < KEY_MLDSA44_ED25519; kind++)
		assert_int_equal(key_vectors[vector_of(kind)].kind, kind);
}

static void no_key_is_taken_that_ends_early_or_late(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		AUTO(buf) blob = {0};

		blob_of(i, &blob);
		for (size_t len = 0; len < blob.len; len++)
			assert_int_equal(parse_exact(BYTES(blob.data, len)), KS_BAD_INPUT);
		buf_put_u8(&blob, 0);
		assert_int_equal(parse_exact(buf_bytes(&blob)), KS_BAD_INPUT);
	}
}

static void kinds_that_are_not_known_are_unsupported(void **state)
{
	static const char *const names[] = {
		"", "ssh-ds", "ssh-ed448", "ssh-ed2551", "ssh-ed25519 ", "rsa-sha2-256"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		AUTO(buf) blob = {0};

		buf_put_text(&blob, names[i]);
		buf_put_text(&blob, "anything");
		assert_int_equal(parse_exact(buf_bytes(&blob)), KS_UNSUPPORTED);
	}
}

static void points_that_are_not_on_their_curve_are_refused(void **state)
{
	static const enum key_kind kinds[] = {
		KEY_ECDSA_P256, KEY_ECDSA_P384, KEY_ECDSA_P521, KEY_SK_ECDSA_P256};

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		AUTO(buf) blob = {0};
		size_t last = kinds[i] == KEY_SK_ECDSA_P256 ? 4 + strlen(vector_application) : 0;

		blob_of(vector_of(kinds[i]), &blob);
		assert_int_equal(parse_exact(buf_bytes(&blob)), KS_OK);
		blob.data[blob.len - 1 - last] ^= 1;
		assert_int_equal(parse_exact(buf_bytes(&blob)), KS_BAD_INPUT);
	}
}

static void put_ecdsa(struct buf *out, const char *name, const char *curve, struct bytes point)
{
	buf_put_text(out, name);
	buf_put_text(out, curve);
	buf_put_string(out, point);
}

static void points_come_uncompressed_and_on_the_named_curve(void **state)
{
	static const uint8_t infinity[1];
	AUTO(buf) whole = {0}, other_curve = {0}, compressed = {0}, hybrid = {0}, nothing = {0};
	struct reader in;
	struct bytes point;
	uint8_t form[65];

	(void)state;
	blob_of(vector_of(KEY_ECDSA_P256), &whole);
	in = reader_of(buf_bytes(&whole));
	reader_string(&in);
	reader_string(&in);
	point = reader_string(&in);
	assert_int_equal(point.len, sizeof(form));
	memcpy(form, point.data, sizeof(form));

	put_ecdsa(&other_curve, "ecdsa-sha2-nistp256", "nistp384", point);
	assert_int_equal(parse_exact(buf_bytes(&other_curve)), KS_BAD_INPUT);
	form[0] = (uint8_t)(0x02 | (form[64] & 1));
	put_ecdsa(&compressed, "ecdsa-sha2-nistp256", "nistp256", BYTES(form, 33));
	assert_int_equal(parse_exact(buf_bytes(&compressed)), KS_BAD_INPUT);
	form[0] = (uint8_t)(0x06 | (form[64] & 1));
	put_ecdsa(&hybrid, "ecdsa-sha2-nistp256", "nistp256", BYTES(form, 65));
	assert_int_equal(parse_exact(buf_bytes(&hybrid)), KS_BAD_INPUT);
	put_ecdsa(&nothing, "ecdsa-sha2-nistp256", "nistp256", BYTES(infinity, 1));
	assert_int_equal(parse_exact(buf_bytes(&nothing)), KS_BAD_INPUT);
}

static void an_ed25519_point_has_32_bytes(void **state)
{
	static const uint8_t point[33];

	(void)state;
	for (size_t len = 0; len <= sizeof(point); len++) {
		AUTO(buf) blob = {0};

		public_key_put_ed25519(&blob, BYTES(point, len));
		assert_int_equal(parse_exact(buf_bytes(&blob)), len == 32 ? KS_OK : KS_BAD_INPUT);
	}
}

/* A modulus of that many bits: no product of primes, but none is asked for. */
static void put_rsa(struct buf *out, size_t bits, bool odd, struct bytes exponent)
{
	static uint8_t modulus[16392 / 8];
	size_t len = (bits + 7) / 8;

	memset(modulus, 0, sizeof(modulus));
	modulus[0] = (uint8_t)(1 << ((bits + 7) % 8));
	modulus[len - 1] |= odd ? 1 : 0;
	public_key_put_rsa(out, exponent, BYTES(modulus, len));
}

static void rsa_keys_have_1024_to_16384_bits(void **state)
{
	static const struct {
		size_t bits;
		enum ks_error error;
	} table[] = {
		{1023, KS_BAD_INPUT},
		{1024, KS_OK},
		{16384, KS_OK},
		{16385, KS_BAD_INPUT},
		{8, KS_BAD_INPUT},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		AUTO(buf) blob = {0}, even = {0};

		put_rsa(&blob, table[i].bits, true, BYTES((const uint8_t *)"\1\0\1", 3));
		assert_int_equal(parse_exact(buf_bytes(&blob)), table[i].error);
		put_rsa(&even, table[i].bits, false, BYTES((const uint8_t *)"\1\0\1", 3));
		assert_int_equal(parse_exact(buf_bytes(&even)), KS_BAD_INPUT);
	}
}

static void rsa_exponents_are_odd_and_have_at_most_32_bits(void **state)
{
	static const struct {
		const char *exponent;
		size_t len;
		enum ks_error error;
	} table[] = {
		{"\3", 1, KS_OK},
		{"\1\0\1", 3, KS_OK},
		{"\xff\xff\xff\xff", 4, KS_OK},
		{"\1\0\0\0\1", 5, KS_BAD_INPUT},
		{"", 0, KS_BAD_INPUT},
		{"\1", 1, KS_BAD_INPUT},
		{"\4", 1, KS_BAD_INPUT},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		AUTO(buf) blob = {0};

		put_rsa(&blob, 2048, true, BYTES((const uint8_t *)table[i].exponent, table[i].len));
		assert_int_equal(parse_exact(buf_bytes(&blob)), table[i].error);
	}
}

static void a_key_is_taken_in_one_form_only(void **state)
{
	AUTO(buf) whole = {0}, padded = {0}, negative = {0}, application = {0};
	struct bytes exponent, modulus;
	struct reader in;

	(void)state;
	blob_of(vector_of(KEY_RSA), &whole);
	in = reader_of(buf_bytes(&whole));
	reader_string(&in);
	exponent = reader_string(&in);
	modulus = reader_string(&in);
	buf_put_text(&padded, "ssh-rsa");
	buf_put_u32(&padded, (uint32_t)exponent.len + 1);
	buf_put_u8(&padded, 0);
	buf_put(&padded, exponent);
	buf_put_string(&padded, modulus);
	assert_int_equal(parse_exact(buf_bytes(&padded)), KS_BAD_INPUT);

	buf_put_text(&negative, "ssh-rsa");
	buf_put_string(&negative, exponent);
	buf_put_string(&negative, BYTES(modulus.data + 1, modulus.len - 1));
	assert_int_equal(parse_exact(buf_bytes(&negative)), KS_BAD_INPUT);

	vector_put(&application, key_vectors[vector_of(KEY_SK_ED25519)].blob);
	application.data[application.len - 1] = '\0';
	assert_int_equal(parse_exact(buf_bytes(&application)), KS_BAD_INPUT);
}

/* What OpenSSL would compute with for hours, or can't, is no key. */
static void numbers_of_a_dsa_key_are_of_its_sizes(void **state)
{
	enum { P, Q, G, Y };
	static const struct {
		unsigned number;
		size_t len; /* of the new number: a one, zeros, a last byte */
		uint8_t last;
	} table[] = {{P, 128, 0}, {P, 127, 1}, {P, 385, 1}, {Q, 20, 0}, {Q, 19, 1}, {Q, 21, 1},
		{G, 129, 1}, {G, 1, 1}, {G, 0, 0}, {Y, 129, 1}, {Y, 1, 1}, {Y, 0, 0}};
	AUTO(buf) whole = {0};
	struct bytes numbers[4];
	struct reader in;

	(void)state;
	blob_of(vector_of(KEY_DSS), &whole);
	in = reader_of(buf_bytes(&whole));
	reader_string(&in);
	for (unsigned i = 0; i < 4; i++)
		numbers[i] = reader_string(&in);
	for (size_t i = 0; i < COUNT(table); i++) {
		uint8_t number[385] = {0x80};
		struct bytes changed[4];
		AUTO(buf) blob = {0};

		memcpy(changed, numbers, sizeof(changed));
		if (table[i].len > 0)
			number[table[i].len - 1] =
				(uint8_t)(number[table[i].len - 1] | table[i].last);
		changed[table[i].number] = BYTES(number, table[i].len);
		if (table[i].len == 1)
			number[0] = 1;
		public_key_put_dss(&blob, changed);
		assert_int_equal(parse_exact(buf_bytes(&blob)), KS_BAD_INPUT);
	}
}

static void blobs_are_built_from_keys_that_openssl_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		AUTO(buf) blob = {0}, built = {0};
		struct public_key *key;

		if (key_vectors[i].kind == KEY_SK_ED25519 ||
			key_vectors[i].kind == KEY_SK_ECDSA_P256)
			continue;
		blob_of(i, &blob);
		assert_int_equal(public_key_parse(buf_bytes(&blob), &key), KS_OK);
		assert_int_equal(public_key_put_pkey(&built, key->pkey), KS_OK);
		assert_true(bytes_equal(buf_bytes(&built), buf_bytes(&blob)));
		public_key_free(&key);
	}
}

static void keys_of_other_kinds_have_no_blob(void **state)
{
	EVP_PKEY *others[] = {EVP_EC_gen("secp256k1"), EVP_EC_gen("P-224"),
		EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), EVP_PKEY_Q_keygen(NULL, NULL, "X25519")};

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		AUTO(buf) built = {0};

		assert_non_null(others[i]);
		assert_int_equal(public_key_put_pkey(&built, others[i]), KS_UNSUPPORTED);
		assert_int_equal(built.len, 0);
		EVP_PKEY_free(others[i]);
	}
}

static void a_point_must_fit_its_kind(void **state)
{
	static const uint8_t point[133] = {4};
	static const uint8_t compressed[65] = {2};
	AUTO(buf) out = {0};

	(void)state;
	assert_int_equal(
		public_key_put_ecdsa(&out, KEY_ECDSA_P256, BYTES(point, 64)), KS_BAD_INPUT);
	assert_int_equal(
		public_key_put_ecdsa(&out, KEY_ECDSA_P256, BYTES(compressed, 65)), KS_BAD_INPUT);
	assert_int_equal(
		public_key_put_ecdsa(&out, KEY_SK_ECDSA_P256, BYTES(point, 65)), KS_UNSUPPORTED);
	assert_int_equal(public_key_put_ecdsa(&out, KEY_RSA, BYTES(point, 65)), KS_UNSUPPORTED);
	assert_int_equal(out.len, 0);
	assert_int_equal(public_key_put_ecdsa(&out, KEY_ECDSA_P521, BYTES(point, 133)), KS_OK);
}

static void algorithms_are_known_by_their_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KS_ALGORITHM_COUNT; i++) {
		enum ks_algorithm found = KS_ALGORITHM_COUNT;

		assert_true(ks_algorithm_by_name(bytes_of(ks_algorithm_name(i)), &found));
		assert_int_equal(found, i);
	}
	assert_string_equal(ks_algorithm_name(KS_ALGORITHM_RSA_SHA256), "rsa-sha2-256");
	assert_string_equal(ks_algorithm_name(KS_ALGORITHM_COUNT), "unknown");
	assert_string_equal(key_kind_name(KEY_KIND_COUNT), "unknown");
	assert_string_equal(key_kind_label(KEY_KIND_COUNT), "unknown");
}

static void a_key_takes_the_algorithms_of_its_kind(void **state)
{
	static const struct {
		enum key_kind kind;
		bool certificate;
		const char *name;
		bool takes;
	} table[] = {
		{KEY_RSA, false, "rsa-sha2-256", true},
		{KEY_RSA, false, "rsa-sha2-512", true},
		{KEY_RSA, false, "ssh-rsa", true},
		{KEY_RSA, false, "rsa-sha2-256-cert-v01@openssh.com", false},
		{KEY_RSA, false, "ssh-ed25519", false},
		{KEY_RSA, false, "", false},
		{KEY_RSA, true, "rsa-sha2-512-cert-v01@openssh.com", true},
		{KEY_RSA, true, "ssh-rsa-cert-v01@openssh.com", true},
		{KEY_RSA, true, "rsa-sha2-512", false},
		{KEY_ED25519, false, "ssh-ed25519", true},
		{KEY_ED25519, false, "sk-ssh-ed25519@openssh.com", false},
		{KEY_ECDSA_P256, false, "ecdsa-sha2-nistp256", true},
		{KEY_ECDSA_P256, false, "ecdsa-sha2-nistp384", false},
		{KEY_SK_ED25519, true, "sk-ssh-ed25519-cert-v01@openssh.com", true},
		{KEY_DSS, false, "ssh-dss", true},
		{KEY_DSS, true, "ssh-dss-cert-v01@openssh.com", true},
		{KEY_DSS, false, "ssh-rsa", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct public_key key = {
			.kind = table[i].kind, .certificate = table[i].certificate};

		assert_int_equal(
			public_key_takes_algorithm(&key, bytes_of(table[i].name)), table[i].takes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_ssh_keygen_are_taken),
		cmocka_unit_test(every_kind_has_a_vector),
		cmocka_unit_test(no_key_is_taken_that_ends_early_or_late),
		cmocka_unit_test(kinds_that_are_not_known_are_unsupported),
		cmocka_unit_test(points_that_are_not_on_their_curve_are_refused),
		cmocka_unit_test(points_come_uncompressed_and_on_the_named_curve),
		cmocka_unit_test(an_ed25519_point_has_32_bytes),
		cmocka_unit_test(rsa_keys_have_1024_to_16384_bits),
		cmocka_unit_test(rsa_exponents_are_odd_and_have_at_most_32_bits),
		cmocka_unit_test(a_key_is_taken_in_one_form_only),
		cmocka_unit_test(numbers_of_a_dsa_key_are_of_its_sizes),
		cmocka_unit_test(blobs_are_built_from_keys_that_openssl_holds),
		cmocka_unit_test(keys_of_other_kinds_have_no_blob),
		cmocka_unit_test(a_point_must_fit_its_kind),
		cmocka_unit_test(algorithms_are_known_by_their_names),
		cmocka_unit_test(a_key_takes_the_algorithms_of_its_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
