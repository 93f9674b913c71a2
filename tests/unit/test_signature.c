/*
 * Signatures: those that OpenSSH takes verify, everything else does not; and what a
 * token returns becomes a signature that verifies.
 */
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include <keystile/cleanup.h>

#include "key_vectors.h"
#include "test.h"
#include "vector.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define RSA_1024_BYTES 128

/* A key, a signature and what was signed. */
struct signed_thing {
	struct public_key *key;
	struct buf signature;
	struct buf data;
};

static void take_vector(const struct key_vector *vector, const char *blob, struct signed_thing *out)
{
	AUTO(buf) decoded = {0};

	*out = (struct signed_thing){0};
	vector_put(&decoded, blob);
	vector_put(&out->signature, vector->signature);
	vector_put(&out->data, vector_signed_data);
	assert_int_equal(buf_status(&out->signature), KS_OK);
	assert_int_equal(public_key_parse(buf_bytes(&decoded), &out->key), KS_OK);
}

static void drop(struct signed_thing *thing)
{
	public_key_free(&thing->key);
	buf_deinit(&thing->signature);
	buf_deinit(&thing->data);
}

static enum ks_error verify(const struct signed_thing *thing, struct signature_facts *facts)
{
	return public_key_verify(thing->key, buf_bytes(&thing->signature), buf_bytes(&thing->data),
		PERMIT_RSA_SHA1 | PERMIT_DSS, facts);
}

static bool is_security_key(const struct key_vector *vector)
{
	return vector->kind == KEY_SK_ED25519 || vector->kind == KEY_SK_ECDSA_P256;
}

static void signatures_that_openssh_takes_verify(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		struct signature_facts facts = {.algorithm = KS_ALGORITHM_COUNT};
		struct signed_thing thing;

		take_vector(&key_vectors[i], key_vectors[i].blob, &thing);
		assert_int_equal(verify(&thing, &facts), KS_OK);
		assert_int_equal(verify(&thing, NULL), KS_OK);
		assert_string_equal(ks_algorithm_name(facts.algorithm), key_vectors[i].algorithm);
		assert_int_equal(facts.security_key, is_security_key(&key_vectors[i]));
		assert_int_equal(facts.sk_flags, facts.security_key ? VECTOR_SK_FLAGS : 0);
		assert_int_equal(facts.sk_counter, facts.security_key ? VECTOR_SK_COUNTER : 0);
		drop(&thing);
	}
}

static void a_certificate_verifies_with_the_key_in_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		struct signed_thing thing;

		take_vector(&key_vectors[i], key_vectors[i].host_certificate, &thing);
		assert_int_equal(verify(&thing, NULL), KS_OK);
		drop(&thing);
	}
}

static void signatures_over_other_data_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		struct signature_facts facts = {.sk_counter = 99};
		struct signed_thing thing;

		take_vector(&key_vectors[i], key_vectors[i].blob, &thing);
		thing.data.data[thing.data.len - 1] ^= 1;
		assert_int_equal(verify(&thing, &facts), KS_REFUSED);
		assert_int_equal(facts.sk_counter, 99);
		thing.data.data[thing.data.len - 1] ^= 1;
		thing.data.len--;
		assert_int_equal(verify(&thing, &facts), KS_REFUSED);
		drop(&thing);
	}
}

static void signatures_of_other_keys_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		for (size_t j = 0; j < KEY_VECTOR_COUNT; j++) {
			struct signed_thing thing;

			take_vector(&key_vectors[i], key_vectors[j].blob, &thing);
			if (i == j)
				assert_int_equal(verify(&thing, NULL), KS_OK);
			else
				assert_int_not_equal(verify(&thing, NULL), KS_OK);
			drop(&thing);
		}
	}
}

static void no_byte_of_a_signature_can_be_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		struct signed_thing thing;

		take_vector(&key_vectors[i], key_vectors[i].blob, &thing);
		for (size_t at = 0; at < thing.signature.len; at++) {
			thing.signature.data[at] ^= 1;
			assert_int_not_equal(verify(&thing, NULL), KS_OK);
			thing.signature.data[at] ^= 1;
		}
		assert_int_equal(verify(&thing, NULL), KS_OK);
		drop(&thing);
	}
}

static void signatures_that_end_early_or_late_are_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		struct signed_thing thing;
		size_t whole;

		take_vector(&key_vectors[i], key_vectors[i].blob, &thing);
		whole = thing.signature.len;
		for (thing.signature.len = 0; thing.signature.len < whole; thing.signature.len++)
			assert_int_equal(verify(&thing, NULL), KS_BAD_INPUT);
		buf_put_u8(&thing.signature, 0);
		assert_int_equal(verify(&thing, NULL), KS_BAD_INPUT);
		drop(&thing);
	}
}

/* The one permission that an algorithm needs: SHA-1 for one kind of key is not for the other. */
static void what_rests_on_sha1_is_refused_unless_it_is_permitted_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		unsigned needed = 0;

		if (strcmp(key_vectors[i].algorithm, "ssh-rsa") == 0)
			needed = PERMIT_RSA_SHA1;
		if (strcmp(key_vectors[i].algorithm, "ssh-dss") == 0)
			needed = PERMIT_DSS;
		for (unsigned permitted = 0; permitted < 4; permitted++) {
			struct signed_thing thing;

			take_vector(&key_vectors[i], key_vectors[i].blob, &thing);
			assert_int_equal(public_key_verify(thing.key, buf_bytes(&thing.signature),
						 buf_bytes(&thing.data), permitted, NULL),
				(permitted & needed) == needed ? KS_OK : KS_REFUSED);
			drop(&thing);
		}
	}
}

static void a_security_key_signs_for_its_application_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		struct signed_thing thing;

		if (!is_security_key(&key_vectors[i]))
			continue;
		take_vector(&key_vectors[i], key_vectors[i].blob, &thing);
		assert_int_equal(verify(&thing, NULL), KS_OK);
		thing.key->application[4] ^= 1;
		assert_int_equal(verify(&thing, NULL), KS_REFUSED);
		drop(&thing);
	}
}

static void flags_of_a_security_key_are_covered_by_its_signature(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		struct signature_facts facts = {0};
		struct signed_thing thing;
		uint8_t *flags;

		if (!is_security_key(&key_vectors[i]))
			continue;
		take_vector(&key_vectors[i], key_vectors[i].blob, &thing);
		flags = thing.signature.data + thing.signature.len - 5;
		assert_int_equal(*flags, VECTOR_SK_FLAGS);
		for (unsigned value = 0; value < 256; value++) {
			*flags = (uint8_t)value;
			assert_int_equal(verify(&thing, &facts),
				value == VECTOR_SK_FLAGS ? KS_OK : KS_REFUSED);
		}
		assert_int_equal(facts.sk_flags, VECTOR_SK_FLAGS);
		drop(&thing);
	}
}

static void put_signature(struct buf *out, const char *algorithm, struct bytes inner)
{
	buf_put_text(out, algorithm);
	buf_put_string(out, inner);
}

/* The hashes of two algorithms may be the same; a sound signature goes by its own name only. */
static void a_signature_under_another_algorithms_name_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		for (unsigned algorithm = 0; algorithm < KS_ALGORITHM_COUNT; algorithm++) {
			const char *name = ks_algorithm_name(algorithm);
			bool own = strcmp(name, key_vectors[i].algorithm) == 0;
			AUTO(buf) renamed = {0};
			struct signed_thing thing;
			struct reader in;

			take_vector(&key_vectors[i], key_vectors[i].blob, &thing);
			in = reader_of(buf_bytes(&thing.signature));
			reader_string(&in);
			buf_put_text(&renamed, name);
			buf_put(&renamed, BYTES(in.data, in.left));
			assert_int_equal(
				public_key_verify(thing.key, buf_bytes(&renamed),
					buf_bytes(&thing.data), PERMIT_RSA_SHA1 | PERMIT_DSS, NULL),
				own ? KS_OK : KS_REFUSED);
			drop(&thing);
		}
	}
}

static void numbers_of_an_ecdsa_signature_are_positive_and_fit_the_curve(void **state)
{
	static const struct {
		const char *inner;
		size_t len;
		enum ks_error error;
	} table[] = {
		{"\0\0\0\0\0\0\0\0", 8, KS_REFUSED},
		{"\0\0\0\1\0\0\0\0\1\0", 10, KS_REFUSED},
		{"\0\0\0\1\1\0\0\0\1\1", 10, KS_REFUSED},
		{"\0\0\0\1\1\0\0\0\1\xff", 10, KS_BAD_INPUT},
		{"\0\0\0\1\1\0\0\0\1\1\0", 11, KS_BAD_INPUT},
		{"\0\0\0\1\1", 5, KS_BAD_INPUT},
		{"\0\0\0\41\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
		 "\0\0\0\1\1",
			42, KS_BAD_INPUT},
	};
	struct signed_thing thing;
	size_t p256 = 0;

	(void)state;
	while (key_vectors[p256].kind != KEY_ECDSA_P256)
		p256++;
	take_vector(&key_vectors[p256], key_vectors[p256].blob, &thing);
	for (size_t i = 0; i < COUNT(table); i++) {
		buf_clear(&thing.signature);
		put_signature(&thing.signature, "ecdsa-sha2-nistp256",
			BYTES((const uint8_t *)table[i].inner, table[i].len));
		assert_int_equal(verify(&thing, NULL), table[i].error);
	}
	drop(&thing);
}

/* Signs with a fresh key as a token would; *len is the room in raw and becomes its length. */
static void sign(EVP_PKEY *pkey, const char *digest, struct bytes data, uint8_t *raw, size_t *len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	assert_non_null(context);
	assert_int_equal(EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, pkey, NULL), 1);
	assert_int_equal(EVP_DigestSign(context, raw, len, data.data, data.len), 1);
	EVP_MD_CTX_free(context);
}

static struct public_key *public_part(EVP_PKEY *pkey)
{
	AUTO(buf) blob = {0};
	struct public_key *key;

	assert_int_equal(public_key_put_pkey(&blob, pkey), KS_OK);
	assert_int_equal(public_key_parse(buf_bytes(&blob), &key), KS_OK);
	return key;
}

/* One in 256 begins with a zero, which some leave out. */
static void short_rsa_signatures_are_padded(void **state)
{
	EVP_PKEY *pkey = EVP_RSA_gen(1024);
	struct public_key *key = public_part(pkey);
	uint8_t raw[RSA_1024_BYTES] = {1};
	uint8_t data[4] = {0};

	(void)state;
	for (unsigned i = 0; raw[0] != 0 && i < 20000; i++) {
		size_t len = sizeof(raw);

		data[0] = (uint8_t)i;
		data[1] = (uint8_t)(i >> 8);
		sign(pkey, "SHA256", BYTES(data, sizeof(data)), raw, &len);
		assert_int_equal(len, sizeof(raw));
	}
	assert_int_equal(raw[0], 0);
	for (size_t cut = 0; cut < 3; cut++) {
		bool only_zeros = cut < 2 || raw[1] == 0;
		AUTO(buf) signature = {0};

		put_signature(&signature, "rsa-sha2-256", BYTES(raw + cut, sizeof(raw) - cut));
		assert_int_equal(public_key_verify(key, buf_bytes(&signature),
					 BYTES(data, sizeof(data)), 0, NULL),
			only_zeros ? KS_OK : KS_REFUSED);
	}
	public_key_free(&key);
	EVP_PKEY_free(pkey);
}

static void an_rsa_signature_is_not_longer_than_its_key(void **state)
{
	EVP_PKEY *pkey = EVP_RSA_gen(1024);
	struct public_key *key = public_part(pkey);
	uint8_t raw[RSA_1024_BYTES + 1] = {0};
	size_t len = RSA_1024_BYTES;
	AUTO(buf) longer = {0}, empty = {0};

	(void)state;
	sign(pkey, "SHA256", bytes_of("data"), raw + 1, &len);
	put_signature(&longer, "rsa-sha2-256", BYTES(raw, sizeof(raw)));
	assert_int_equal(
		public_key_verify(key, buf_bytes(&longer), bytes_of("data"), 0, NULL), KS_REFUSED);
	put_signature(&empty, "rsa-sha2-256", BYTES(raw, 0));
	assert_int_equal(
		public_key_verify(key, buf_bytes(&empty), bytes_of("data"), 0, NULL), KS_REFUSED);
	public_key_free(&key);
	EVP_PKEY_free(pkey);
}

/* r and s of equal length, as PKCS#11 has them. */
static size_t raw_from_der(const uint8_t *der, size_t len, size_t coordinate, uint8_t *raw)
{
	const unsigned char *at = der;
	ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &at, (long)len);

	assert_non_null(numbers);
	BN_bn2binpad(ECDSA_SIG_get0_r(numbers), raw, (int)coordinate);
	BN_bn2binpad(ECDSA_SIG_get0_s(numbers), raw + coordinate, (int)coordinate);
	ECDSA_SIG_free(numbers);
	return 2 * coordinate;
}

static void what_a_token_returns_becomes_a_signature(void **state)
{
	static const struct {
		const char *type;
		const char *curve;
		const char *digest;
		size_t coordinate;
		enum ks_algorithm algorithm;
	} table[] = {
		{"EC", "P-256", "SHA256", 32, KS_ALGORITHM_ECDSA_P256},
		{"EC", "P-384", "SHA384", 48, KS_ALGORITHM_ECDSA_P384},
		{"EC", "P-521", "SHA512", 66, KS_ALGORITHM_ECDSA_P521},
		{"ED25519", NULL, NULL, 0, KS_ALGORITHM_ED25519},
		{"RSA", NULL, "SHA512", 0, KS_ALGORITHM_RSA_SHA512},
	};
	static const char *const texts[] = {"", "data", "a little more data"};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		EVP_PKEY *pkey = table[i].curve	   ? EVP_EC_gen(table[i].curve)
				 : table[i].digest ? EVP_RSA_gen(2048)
						   : EVP_PKEY_Q_keygen(NULL, NULL, table[i].type);
		struct public_key *key = public_part(pkey);

		/* Often enough that numbers with and without the highest bit come up. */
		for (size_t round = 0; round < 30; round++) {
			struct bytes data = bytes_of(texts[round % COUNT(texts)]);
			uint8_t der[512], raw[512];
			size_t len = sizeof(der);
			AUTO(buf) signature = {0};

			sign(pkey, table[i].digest, data, der, &len);
			if (table[i].curve)
				len = raw_from_der(der, len, table[i].coordinate, raw);
			else
				memcpy(raw, der, len);
			assert_int_equal(
				signature_put(&signature, table[i].algorithm, BYTES(raw, len)),
				KS_OK);
			assert_int_equal(
				public_key_verify(key, buf_bytes(&signature), data, 0, NULL),
				KS_OK);
		}
		public_key_free(&key);
		EVP_PKEY_free(pkey);
	}
}

static void what_no_token_returns_becomes_no_signature(void **state)
{
	static const uint8_t raw[2049] = {1};
	static const struct {
		enum ks_algorithm algorithm;
		size_t len;
		enum ks_error error;
	} table[] = {
		{KS_ALGORITHM_ED25519, 63, KS_BAD_INPUT},
		{KS_ALGORITHM_ED25519, 65, KS_BAD_INPUT},
		{KS_ALGORITHM_ECDSA_P256, 0, KS_BAD_INPUT},
		{KS_ALGORITHM_ECDSA_P256, 63, KS_BAD_INPUT},
		{KS_ALGORITHM_ECDSA_P256, 66, KS_BAD_INPUT},
		{KS_ALGORITHM_RSA_SHA256, 0, KS_BAD_INPUT},
		{KS_ALGORITHM_RSA_SHA256, 2049, KS_BAD_INPUT},
		{KS_ALGORITHM_DSS, 39, KS_BAD_INPUT},
		{KS_ALGORITHM_DSS, 41, KS_BAD_INPUT},
		{KS_ALGORITHM_SK_ED25519, 64, KS_UNSUPPORTED},
		{KS_ALGORITHM_SK_ECDSA_P256, 64, KS_UNSUPPORTED},
		{KS_ALGORITHM_COUNT, 64, KS_UNSUPPORTED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		AUTO(buf) out = {0};

		assert_int_equal(signature_put(&out, table[i].algorithm, BYTES(raw, table[i].len)),
			table[i].error);
		assert_int_equal(out.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_that_openssh_takes_verify),
		cmocka_unit_test(a_certificate_verifies_with_the_key_in_it),
		cmocka_unit_test(signatures_over_other_data_are_refused),
		cmocka_unit_test(signatures_of_other_keys_are_refused),
		cmocka_unit_test(no_byte_of_a_signature_can_be_changed),
		cmocka_unit_test(signatures_that_end_early_or_late_are_malformed),
		cmocka_unit_test(what_rests_on_sha1_is_refused_unless_it_is_permitted_by_name),
		cmocka_unit_test(a_security_key_signs_for_its_application_alone),
		cmocka_unit_test(flags_of_a_security_key_are_covered_by_its_signature),
		cmocka_unit_test(a_signature_under_another_algorithms_name_is_refused),
		cmocka_unit_test(numbers_of_an_ecdsa_signature_are_positive_and_fit_the_curve),
		cmocka_unit_test(short_rsa_signatures_are_padded),
		cmocka_unit_test(an_rsa_signature_is_not_longer_than_its_key),
		cmocka_unit_test(what_a_token_returns_becomes_a_signature),
		cmocka_unit_test(what_no_token_returns_becomes_no_signature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
