/*
 * Certificates that come along with a token: each stands before the key that it certifies, with
 * its label, and nothing else comes of them.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>

#include "associated.h"
#include "key_vectors.h"
#include "test.h"
#include "vector.h"

#define MAX 8

/* Three keys of a token, named 0 to 2, and their certificates: "u0" a user's, "h0" a host's. */
static struct buf plain[3], users[3], hosts[3];
static char labels[3][2] = {"0", "1", "2"};

static int make_blobs(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		vector_put(&plain[i], key_vectors[i].blob);
		vector_put(&users[i], key_vectors[i].user_certificate);
		vector_put(&hosts[i], key_vectors[i].host_certificate);
		if (buf_status(&plain[i]) != KS_OK || buf_status(&users[i]) != KS_OK ||
			buf_status(&hosts[i]) != KS_OK)
			return -1;
	}
	return 0;
}

static int free_blobs(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		buf_deinit(&plain[i]);
		buf_deinit(&users[i]);
		buf_deinit(&hosts[i]);
	}
	return 0;
}

/* "p0" is the key itself. */
static const struct buf *blob_of(const char *name)
{
	int number = name[1] - '0';

	assert_true(number >= 0 && number <= 2);
	return name[0] == 'u' ? &users[number] : name[0] == 'h' ? &hosts[number] : &plain[number];
}

static struct associated associated_of(const char *names, struct bytes *certificates)
{
	struct associated associated = {.blobs = certificates};

	for (; *names != '\0'; names += strspn(names + 2, " ") + 2)
		certificates[associated.count++] = buf_bytes(blob_of(names));
	return associated;
}

/* What came out, written as it went in; the label tells which key each stands for. */
static void name_all(const struct ks_key *keys, size_t count, char *names)
{
	static const char *const all[] = {"p0", "p1", "p2", "u0", "u1", "u2", "h0", "h1", "h2"};

	names[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		const char *name = "??";

		for (size_t one = 0; one < sizeof(all) / sizeof(all[0]); one++)
			if (bytes_equal(keys[i].blob, buf_bytes(blob_of(all[one]))))
				name = all[one];
		assert_string_equal(keys[i].label, name + 1);
		assert_int_equal(keys[i].flags, 100 + name[1]);
		strcat(names, i > 0 ? " " : "");
		strcat(names, name);
	}
}

static void certificates_stand_before_the_key_that_they_certify(void **state)
{
	static const struct {
		unsigned keys;
		const char *certificates;
		bool only;
		size_t max;
		const char *offered;
	} rows[] = {
		{3, "", false, MAX, "p0 p1 p2"},
		{3, "u0", false, MAX, "u0 p0 p1 p2"},
		{3, "u1", false, MAX, "p0 u1 p1 p2"},
		{3, "u2 u0", false, MAX, "u0 p0 p1 u2 p2"},
		{3, "u0 h0", false, MAX, "u0 h0 p0 p1 p2"},
		{3, "h0 u0", false, MAX, "h0 u0 p0 p1 p2"},
		{1, "u1 u2", false, MAX, "p0"},
		{3, "p0 p1", false, MAX, "p0 p1 p2"},
		{3, "u0 u2", true, MAX, "u0 u2"},
		{3, "", true, MAX, ""},
		{1, "u1", true, MAX, ""},
		{0, "u0", false, MAX, ""},
		{3, "u0 h0 u1", false, 4, "u0 h0 p0 u1"},
		{3, "u0", false, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes certificates[MAX];
		struct associated associated = associated_of(rows[i].certificates, certificates);
		struct ks_key keys[3], *out;
		size_t count;
		char names[64];

		for (unsigned one = 0; one < 3; one++)
			keys[one] = (struct ks_key){.blob = buf_bytes(&plain[one]),
				.label = labels[one],
				.flags = 100u + '0' + one};
		associated.only = rows[i].only;
		assert_int_equal(associated_expand(&associated, keys, rows[i].keys, rows[i].max,
					 &out, &count),
			KS_OK);
		name_all(out, count, names);
		if (strcmp(names, rows[i].offered) != 0)
			fail_msg("row %zu: %s", i, names);
		free(out);
	}
}

static void a_token_knows_a_certificate_by_its_plain_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		AUTO(buf) key = {0}, certificate = {0}, out = {0};

		vector_put(&key, key_vectors[i].blob);
		vector_put(&certificate, key_vectors[i].user_certificate);
		assert_int_equal(associated_plain(buf_bytes(&certificate), &out), KS_OK);
		assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&key)));
		buf_clear(&out);
		assert_int_equal(associated_plain(buf_bytes(&key), &out), KS_OK);
		assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&key)));
		assert_int_equal(associated_plain(BYTES(certificate.data, 40), &out), KS_BAD_INPUT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_stand_before_the_key_that_they_certify),
		cmocka_unit_test(a_token_knows_a_certificate_by_its_plain_key),
	};

	return cmocka_run_group_tests(tests, make_blobs, free_blobs);
}
