/*
 * Private keys as ssh-add sends them: read field by field, and nothing else is taken.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/private_key.h>

#include "key_vectors.h"
#include "test.h"
#include "vector.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Both messages of each vector in turn. */
#define MESSAGE_COUNT (2 * KEY_VECTOR_COUNT)

static bool is_certificate(size_t message)
{
	return message % 2 == 1;
}

static const struct key_vector *vector_of(size_t message)
{
	return &key_vectors[message / 2];
}

static void message_of(size_t message, struct buf *out)
{
	const struct key_vector *vector = vector_of(message);

	vector_put(out, is_certificate(message) ? vector->added_certificate : vector->added);
	assert_int_equal(buf_status(out), KS_OK);
}

/* The key alone, without comment and constraints. */
static void key_of(size_t message, struct buf *out)
{
	AUTO(buf) whole = {0};
	struct private_key key;
	struct reader in;

	message_of(message, &whole);
	in = reader_of(buf_bytes(&whole));
	assert_int_equal(private_key_read(&in, &key), KS_OK);
	buf_put(out, key.whole);
}

/* Memory of the exact size, so that a sanitizer sees one byte too far. */
static enum ks_error read_exact(struct bytes bytes, size_t *left)
{
	uint8_t *exact = malloc(bytes.len + !bytes.len);
	struct private_key key;
	AUTO(buf) blob = {0};
	struct reader in;
	enum ks_error error;

	assert_non_null(exact);
	if (bytes.len > 0)
		memcpy(exact, bytes.data, bytes.len);
	in = reader_of(BYTES(exact, bytes.len));
	error = private_key_read(&in, &key);
	*left = in.left;
	if (error == KS_OK)
		error = private_key_put_public(&key, &blob);
	free(exact);
	return error;
}

static void what_ssh_add_sends_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < MESSAGE_COUNT; i++) {
		AUTO(buf) message = {0};
		struct private_key key;
		struct reader in;

		message_of(i, &message);
		in = reader_of(buf_bytes(&message));
		assert_int_equal(private_key_read(&in, &key), KS_OK);
		assert_int_equal(key.kind, vector_of(i)->kind);
		assert_int_equal(key.certificate.len > 0, is_certificate(i));
		assert_ptr_equal(key.whole.data, message.data);
		assert_ptr_equal(key.whole.data + key.whole.len, in.data);
		assert_true(bytes_equal_text(reader_string(&in), vector_comment));
	}
}

static void the_blob_is_the_one_that_is_listed(void **state)
{
	(void)state;
	for (size_t i = 0; i < MESSAGE_COUNT; i++) {
		AUTO(buf) message = {0}, listed = {0}, expected = {0};
		struct private_key key;
		struct reader in;

		message_of(i, &message);
		vector_put(&expected,
			is_certificate(i) ? vector_of(i)->user_certificate : vector_of(i)->blob);
		in = reader_of(buf_bytes(&message));
		assert_int_equal(private_key_read(&in, &key), KS_OK);
		buf_put_text(&listed, "before");
		assert_int_equal(private_key_put_public(&key, &listed), KS_OK);
		buf_consume(&listed, 4 + strlen("before"));
		assert_true(bytes_equal(buf_bytes(&listed), buf_bytes(&expected)));
	}
}

static void a_security_key_brings_its_handle(void **state)
{
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < MESSAGE_COUNT; i++) {
		AUTO(buf) message = {0};
		struct private_key key;
		struct reader in;

		message_of(i, &message);
		in = reader_of(buf_bytes(&message));
		assert_int_equal(private_key_read(&in, &key), KS_OK);
		if (key.kind != KEY_SK_ED25519 && key.kind != KEY_SK_ECDSA_P256) {
			assert_int_equal(key.key_handle.len, 0);
			continue;
		}
		assert_true(bytes_equal_text(key.key_handle, "key handle"));
		assert_true(bytes_equal_text(key.application, vector_application));
		assert_int_equal(key.sk_flags, SK_FLAG_USER_PRESENT);
		seen++;
	}
	assert_int_equal(seen, 4);
}

static void no_key_is_taken_that_ends_early(void **state)
{
	size_t left;

	(void)state;
	for (size_t i = 0; i < MESSAGE_COUNT; i++) {
		AUTO(buf) key = {0};

		key_of(i, &key);
		for (size_t len = 0; len < key.len; len++)
			assert_int_equal(read_exact(BYTES(key.data, len), &left), KS_BAD_INPUT);
		buf_put_text(&key, "what follows");
		assert_int_equal(read_exact(buf_bytes(&key), &left), KS_OK);
		assert_int_equal(left, 4 + strlen("what follows"));
	}
}

/* A wrong length anywhere shifts what follows: some field or the public key is then none. */
static void no_length_of_a_field_can_be_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < MESSAGE_COUNT; i++) {
		AUTO(buf) key = {0};
		struct reader in;

		key_of(i, &key);
		in = reader_of(buf_bytes(&key));
		while (in.left > 4) {
			size_t at = (size_t)(in.data - key.data), left;
			bool flags = vector_of(i)->kind >= KEY_SK_ED25519 && in.data[0] != 0;

			if (flags) {
				reader_u8(&in);
				continue;
			}
			for (unsigned bit = 8; bit < 32; bit++) {
				key.data[at + 3 - bit / 8] ^= (uint8_t)(1U << (bit % 8));
				assert_int_not_equal(read_exact(buf_bytes(&key), &left), KS_OK);
				key.data[at + 3 - bit / 8] ^= (uint8_t)(1U << (bit % 8));
			}
			reader_string(&in);
		}
	}
}

static void kinds_that_are_not_known_are_unsupported(void **state)
{
	static const char *const names[] = {
		"", "ssh-xmss@openssh.com", "ssh-ed2551", "ssh-ed25519 ", "rsa-sha2-256"};
	size_t left;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		AUTO(buf) key = {0};

		buf_put_text(&key, names[i]);
		buf_put_text(&key, "anything");
		assert_int_equal(read_exact(buf_bytes(&key), &left), KS_UNSUPPORTED);
	}
}

static void put_ed25519(
	struct buf *out, const char *name, size_t name_len, size_t public_len, size_t private_len)
{
	static const uint8_t bytes[128] = {1};

	buf_put_string(out, BYTES((const uint8_t *)name, name_len));
	buf_put_string(out, BYTES(bytes, public_len));
	buf_put_string(out, BYTES(bytes, private_len));
}

static void an_ed25519_key_is_of_32_and_64_bytes(void **state)
{
	size_t left;

	(void)state;
	for (size_t public_len = 30; public_len < 35; public_len++) {
		for (size_t private_len = 62; private_len < 67; private_len++) {
			AUTO(buf) key = {0};
			bool good = public_len == 32 && private_len == 64;

			put_ed25519(&key, "ssh-ed25519", 11, public_len, private_len);
			assert_int_equal(
				read_exact(buf_bytes(&key), &left), good ? KS_OK : KS_BAD_INPUT);
		}
	}
}

/* OpenSSH's reader takes "text\0" for "text", and so clients may send it. */
static void one_nul_at_the_end_of_a_text_is_left_out(void **state)
{
	AUTO(buf) one = {0}, two = {0}, inside = {0};
	size_t left;

	(void)state;
	put_ed25519(&one, "ssh-ed25519", 12, 32, 64);
	assert_int_equal(read_exact(buf_bytes(&one), &left), KS_OK);
	put_ed25519(&two, "ssh-ed25519\0", 13, 32, 64);
	assert_int_equal(read_exact(buf_bytes(&two), &left), KS_BAD_INPUT);
	put_ed25519(&inside, "ssh\0ed25519", 11, 32, 64);
	assert_int_equal(read_exact(buf_bytes(&inside), &left), KS_BAD_INPUT);
}

static void put_ecdsa(struct buf *out, const char *curve, const char *point_base64, uint8_t first)
{
	AUTO(buf) blob = {0};
	uint8_t scalar[67] = {first, 1};
	struct bytes point;
	struct reader in;

	vector_put(&blob, point_base64);
	in = reader_of(buf_bytes(&blob));
	reader_string(&in);
	reader_string(&in);
	point = reader_string(&in);
	buf_put_text(out, "ecdsa-sha2-nistp521");
	buf_put_text(out, curve);
	buf_put_string(out, point);
	buf_put_string(out, BYTES(scalar, sizeof(scalar)));
}

static void an_ecdsa_key_is_of_its_own_curve(void **state)
{
	static const struct {
		const char *curve;
		enum key_kind point;
		uint8_t first; /* byte of a scalar of 67: one too many unless it is zero */
		enum ks_error error;
	} table[] = {
		{"nistp521", KEY_ECDSA_P521, 0, KS_OK},
		{"nistp521", KEY_ECDSA_P521, 1, KS_BAD_INPUT},
		{"nistp521", KEY_ECDSA_P521, 0x80, KS_BAD_INPUT},
		{"nistp384", KEY_ECDSA_P521, 0, KS_BAD_INPUT},
		{"", KEY_ECDSA_P521, 0, KS_BAD_INPUT},
		{"nistp521", KEY_ECDSA_P256, 0, KS_BAD_INPUT},
	};
	size_t left;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		AUTO(buf) key = {0};
		size_t vector = 0;

		while (key_vectors[vector].kind != table[i].point)
			vector++;
		put_ecdsa(&key, table[i].curve, key_vectors[vector].blob, table[i].first);
		assert_int_equal(read_exact(buf_bytes(&key), &left), table[i].error);
	}
}

/* The certificate of one kind under the name of another, or no certificate at all. */
static void a_certificate_is_of_the_kind_that_is_announced(void **state)
{
	(void)state;
	for (size_t i = 1; i < MESSAGE_COUNT; i += 2) {
		for (size_t j = 0; j < MESSAGE_COUNT; j++) {
			AUTO(buf) whole = {0}, other = {0}, changed = {0};
			struct bytes name;
			struct reader in;
			size_t left;

			key_of(i, &whole);
			vector_put(&other, is_certificate(j) ? vector_of(j)->user_certificate
							     : vector_of(j)->blob);
			in = reader_of(buf_bytes(&whole));
			name = reader_string(&in);
			reader_string(&in);
			buf_put_string(&changed, name);
			buf_put_string(&changed, buf_bytes(&other));
			buf_put(&changed, BYTES(in.data, in.left));
			bool good = is_certificate(j) && vector_of(i)->kind == vector_of(j)->kind;
			assert_int_equal(read_exact(buf_bytes(&changed), &left),
				good ? KS_OK : KS_BAD_INPUT);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_ssh_add_sends_is_read),
		cmocka_unit_test(the_blob_is_the_one_that_is_listed),
		cmocka_unit_test(a_security_key_brings_its_handle),
		cmocka_unit_test(no_key_is_taken_that_ends_early),
		cmocka_unit_test(no_length_of_a_field_can_be_changed),
		cmocka_unit_test(kinds_that_are_not_known_are_unsupported),
		cmocka_unit_test(an_ed25519_key_is_of_32_and_64_bytes),
		cmocka_unit_test(one_nul_at_the_end_of_a_text_is_left_out),
		cmocka_unit_test(an_ecdsa_key_is_of_its_own_curve),
		cmocka_unit_test(a_certificate_is_of_the_kind_that_is_announced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
