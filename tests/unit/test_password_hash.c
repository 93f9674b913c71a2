/*
 * The hash of the lock's password: which passwords are the same, and that it is scrypt with the
 * parameters that were chosen (the vector is Python's hashlib.scrypt()).
 */
#include <string.h>

#include "password_hash.h"
#include "test.h"

static void derive(const char *password, struct password_hash *hash)
{
	uint8_t digest[PASSWORD_DIGEST];

	assert_int_equal(password_digest(bytes_of(password), digest), KS_OK);
	assert_int_equal(password_hash_derive(hash, digest), KS_OK);
}

static void the_same_password_is_recognised(void **state)
{
	struct password_hash one, other;

	(void)state;
	assert_int_equal(password_hash_new_salt(&one), KS_OK);
	other = one;
	derive("open", &one);
	derive("open", &other);
	assert_true(password_hash_equal(&one, &other));
}

static void another_password_is_not(void **state)
{
	static const char *const others[] = {"", "Open", "open ", "opeN", "xopen", "openopen"};
	struct password_hash one, other;

	(void)state;
	assert_int_equal(password_hash_new_salt(&one), KS_OK);
	derive("open", &one);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		other = (struct password_hash){0};
		memcpy(other.salt, one.salt, sizeof(other.salt));
		derive(others[i], &other);
		assert_false(password_hash_equal(&one, &other));
	}
}

static void each_lock_has_a_salt_of_its_own(void **state)
{
	struct password_hash one, other;

	(void)state;
	assert_int_equal(password_hash_new_salt(&one), KS_OK);
	assert_int_equal(password_hash_new_salt(&other), KS_OK);
	assert_memory_not_equal(one.salt, other.salt, sizeof(one.salt));
	derive("open", &one);
	derive("open", &other);
	assert_false(password_hash_equal(&one, &other));
}

static void it_is_scrypt_of_the_digest(void **state)
{
	static const uint8_t expected[] = {0x2d, 0xba, 0xfa, 0x92, 0xa9, 0x06, 0x23, 0x11, 0x08,
		0xdf, 0x09, 0x2f, 0xa4, 0x68, 0x61, 0xa2, 0xff, 0x91, 0x87, 0x2e, 0x8d, 0x8f, 0xd9,
		0xda, 0xcc, 0xd4, 0xb6, 0x7f, 0x73, 0xe9, 0xa7, 0xe8};
	struct password_hash hash = {0};

	(void)state;
	memcpy(hash.salt, "0123456789abcdef", sizeof(hash.salt));
	derive("open", &hash);
	assert_memory_equal(hash.key, expected, sizeof(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_password_is_recognised),
		cmocka_unit_test(another_password_is_not),
		cmocka_unit_test(each_lock_has_a_salt_of_its_own),
		cmocka_unit_test(it_is_scrypt_of_the_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
