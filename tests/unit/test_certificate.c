/*
 * OpenSSH certificates: those of ssh-keygen are taken apart, malformed ones refused.
 */
#include <keystile/cleanup.h>

#include "key_vectors.h"
#include "test.h"
#include "vector.h"

/* A certificate field by field; what is left empty gets a sound value. */
struct draft {
	uint32_t type;
	struct bytes principals, options, extensions, authority, signature;
};

static void put_draft(struct buf *out, const struct draft *draft)
{
	AUTO(buf) authority = {0}, signature = {0};

	vector_put(&authority, vector_authority_ed25519);
	buf_put_text(&signature, "ssh-ed25519");
	buf_put_text(&signature, "sixty-four bytes, more or less");
	buf_put_text(out, "ssh-ed25519-cert-v01@openssh.com");
	buf_put_text(out, "nonce");
	buf_put_text(out, "a public key with thirty-two byt");
	buf_put_u64(out, 1);
	buf_put_u32(out, draft->type);
	buf_put_text(out, "id");
	buf_put_string(out, draft->principals);
	buf_put_u64(out, 0);
	buf_put_u64(out, UINT64_MAX);
	buf_put_string(out, draft->options);
	buf_put_string(out, draft->extensions);
	buf_put_text(out, "");
	buf_put_string(out, draft->authority.data ? draft->authority : buf_bytes(&authority));
	buf_put_string(out, draft->signature.data ? draft->signature : buf_bytes(&signature));
	assert_int_equal(buf_status(out), KS_OK);
}

static enum ks_error parse_draft(const struct draft *draft)
{
	AUTO(buf) blob = {0};
	struct public_key *key;
	enum ks_error error;

	put_draft(&blob, draft);
	error = public_key_parse(buf_bytes(&blob), &key);
	public_key_free(&key);
	return error;
}

static void assert_certificate(const struct key_vector *vector, const char *certificate,
	uint32_t type, const char *authority)
{
	AUTO(buf) blob = {0}, plain = {0}, signer = {0};
	struct public_key *key;

	vector_put(&blob, certificate);
	vector_put(&plain, vector->blob);
	vector_put(&signer, authority);
	assert_int_equal(public_key_parse(buf_bytes(&blob), &key), KS_OK);
	assert_true(key->certificate);
	assert_int_equal(key->kind, vector->kind);
	assert_int_equal(key->certificate_type, type);
	assert_int_equal(public_key_bits(key), vector->bits);
	assert_true(bytes_equal(buf_bytes(&key->plain), buf_bytes(&plain)));
	assert_true(bytes_equal(buf_bytes(&key->signature_key), buf_bytes(&signer)));
	if (key->application)
		assert_string_equal(key->application, vector_application);
	public_key_free(&key);
}

static void certificates_of_ssh_keygen_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		assert_certificate(&key_vectors[i], key_vectors[i].user_certificate, 1,
			vector_authority_ed25519);
		assert_certificate(
			&key_vectors[i], key_vectors[i].host_certificate, 2, vector_authority_rsa);
	}
}

static void no_certificate_is_taken_that_ends_early_or_late(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		AUTO(buf) blob = {0};
		struct public_key *key;

		vector_put(&blob, key_vectors[i].user_certificate);
		for (size_t len = 0; len < blob.len; len++)
			assert_int_equal(
				public_key_parse(BYTES(blob.data, len), &key), KS_BAD_INPUT);
		buf_put_u8(&blob, 0);
		assert_int_equal(public_key_parse(buf_bytes(&blob), &key), KS_BAD_INPUT);
		assert_null(key);
	}
}

static void a_certificate_is_of_a_user_or_a_host(void **state)
{
	(void)state;
	assert_int_equal(parse_draft(&(struct draft){.type = 1}), KS_OK);
	assert_int_equal(parse_draft(&(struct draft){.type = 2}), KS_OK);
	assert_int_equal(parse_draft(&(struct draft){.type = 0}), KS_BAD_INPUT);
	assert_int_equal(parse_draft(&(struct draft){.type = 3}), KS_BAD_INPUT);
}

static void principals_are_strings_and_at_most_256(void **state)
{
	struct draft draft = {.type = 1};
	AUTO(buf) principals = {0};

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		buf_put_text(&principals, "me");
	draft.principals = buf_bytes(&principals);
	assert_int_equal(parse_draft(&draft), KS_OK);
	draft.principals.len--;
	assert_int_equal(parse_draft(&draft), KS_BAD_INPUT);
	buf_put_text(&principals, "one too many");
	draft.principals = buf_bytes(&principals);
	assert_int_equal(parse_draft(&draft), KS_BAD_INPUT);
}

static void options_are_pairs_of_a_name_and_data(void **state)
{
	AUTO(buf) pair = {0}, half = {0}, unnamed = {0};

	(void)state;
	buf_put_text(&pair, "force-command");
	buf_put_text(&pair, "data");
	buf_put_text(&half, "permit-pty");
	buf_put_text(&unnamed, "");
	buf_put_text(&unnamed, "data");
	assert_int_equal(
		parse_draft(&(struct draft){.type = 1, .options = buf_bytes(&pair)}), KS_OK);
	assert_int_equal(
		parse_draft(&(struct draft){.type = 1, .extensions = buf_bytes(&pair)}), KS_OK);
	assert_int_equal(
		parse_draft(&(struct draft){.type = 1, .options = buf_bytes(&half)}), KS_BAD_INPUT);
	assert_int_equal(parse_draft(&(struct draft){.type = 1, .extensions = buf_bytes(&half)}),
		KS_BAD_INPUT);
	assert_int_equal(parse_draft(&(struct draft){.type = 1, .options = buf_bytes(&unnamed)}),
		KS_BAD_INPUT);
}

static void a_certificate_is_signed_by_a_plain_key_that_is_known(void **state)
{
	AUTO(buf) certificate = {0}, unknown = {0}, off_curve = {0};
	size_t p256 = 0;

	(void)state;
	put_draft(&certificate, &(struct draft){.type = 1});
	assert_int_equal(
		parse_draft(&(struct draft){.type = 1, .authority = buf_bytes(&certificate)}),
		KS_BAD_INPUT);
	buf_put_text(&unknown, "ssh-dss");
	assert_int_equal(parse_draft(&(struct draft){.type = 1, .authority = buf_bytes(&unknown)}),
		KS_BAD_INPUT);
	while (key_vectors[p256].kind != KEY_ECDSA_P256)
		p256++;
	vector_put(&off_curve, key_vectors[p256].blob);
	assert_int_equal(
		parse_draft(&(struct draft){.type = 1, .authority = buf_bytes(&off_curve)}), KS_OK);
	off_curve.data[off_curve.len - 1] ^= 1;
	assert_int_equal(
		parse_draft(&(struct draft){.type = 1, .authority = buf_bytes(&off_curve)}),
		KS_BAD_INPUT);
}

static void a_certificate_carries_a_signature(void **state)
{
	static const uint8_t empty[8];

	(void)state;
	assert_int_equal(parse_draft(&(struct draft){.type = 1, .signature = BYTES(empty, 0)}),
		KS_BAD_INPUT);
	assert_int_equal(parse_draft(&(struct draft){.type = 1, .signature = BYTES(empty, 8)}),
		KS_BAD_INPUT);
}

static enum ks_error verify(struct bytes blob, unsigned permitted, struct signature_facts *facts)
{
	struct public_key *key = NULL;
	enum ks_error error = public_key_parse(blob, &key);

	if (error == KS_OK)
		error = public_key_verify_certificate(key, blob, permitted, facts);
	public_key_free(&key);
	return error;
}

static void certificates_of_ssh_keygen_are_signed_by_their_authority(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		AUTO(buf) user = {0}, host = {0};
		struct signature_facts facts = {.algorithm = KS_ALGORITHM_COUNT};

		vector_put(&user, key_vectors[i].user_certificate);
		vector_put(&host, key_vectors[i].host_certificate);
		assert_int_equal(verify(buf_bytes(&user), PERMIT_NOTHING_OLD, &facts), KS_OK);
		assert_int_equal(facts.algorithm, KS_ALGORITHM_ED25519);
		assert_int_equal(verify(buf_bytes(&host), PERMIT_NOTHING_OLD, &facts), KS_OK);
		assert_int_equal(facts.algorithm, KS_ALGORITHM_RSA_SHA512);
	}
}

/* Each byte counts: the authority signed all but its own signature. */
static void a_certificate_that_was_changed_is_not_signed(void **state)
{
	AUTO(buf) blob = {0};

	(void)state;
	vector_put(&blob, key_vectors[0].user_certificate);
	for (size_t i = 0; i < blob.len; i++) {
		blob.data[i] ^= 1;
		assert_int_not_equal(verify(buf_bytes(&blob), PERMIT_NOTHING_OLD, NULL), KS_OK);
		blob.data[i] ^= 1;
	}
	assert_int_equal(verify(buf_bytes(&blob), PERMIT_NOTHING_OLD, NULL), KS_OK);
}

/* ssh-keygen made them for one "host", from 2020 to 2040. */
static void a_host_is_certified_by_name_and_for_a_time(void **state)
{
	const uint64_t in_2019 = 1550000000, in_2026 = 1770000000, in_2041 = 2250000000;
	AUTO(buf) host = {0}, user = {0};
	struct public_key *of_host = NULL, *of_user = NULL;

	(void)state;
	vector_put(&host, key_vectors[0].host_certificate);
	vector_put(&user, key_vectors[0].user_certificate);
	assert_int_equal(public_key_parse(buf_bytes(&host), &of_host), KS_OK);
	assert_int_equal(public_key_parse(buf_bytes(&user), &of_user), KS_OK);
	if (of_host == NULL || of_user == NULL)
		return; /* for the analyser: it was asserted */
	assert_true(public_key_certifies_host(of_host, "host", in_2026));
	assert_false(public_key_certifies_host(of_host, "hos", in_2026));
	assert_false(public_key_certifies_host(of_host, "", in_2026));
	assert_false(public_key_certifies_host(of_host, "host", in_2019));
	assert_false(public_key_certifies_host(of_host, "host", in_2041));
	assert_false(public_key_certifies_host(of_user, "me", in_2026));
	assert_true(of_user->critical_options && !of_host->critical_options);
	public_key_free(&of_host);
	public_key_free(&of_user);
}

static void names_in_a_certificate_hold_no_nul(void **state)
{
	static const uint8_t inside[] = "\0\0\0\3a\0b", behind[] = "\0\0\0\2a";

	(void)state;
	assert_int_equal(parse_draft(&(struct draft){.type = 2, .principals = BYTES(inside, 7)}),
		KS_BAD_INPUT);
	assert_int_equal(
		parse_draft(&(struct draft){.type = 2, .principals = BYTES(behind, 6)}), KS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_of_ssh_keygen_are_taken),
		cmocka_unit_test(no_certificate_is_taken_that_ends_early_or_late),
		cmocka_unit_test(a_certificate_is_of_a_user_or_a_host),
		cmocka_unit_test(principals_are_strings_and_at_most_256),
		cmocka_unit_test(options_are_pairs_of_a_name_and_data),
		cmocka_unit_test(a_certificate_is_signed_by_a_plain_key_that_is_known),
		cmocka_unit_test(a_certificate_carries_a_signature),
		cmocka_unit_test(certificates_of_ssh_keygen_are_signed_by_their_authority),
		cmocka_unit_test(a_certificate_that_was_changed_is_not_signed),
		cmocka_unit_test(a_host_is_certified_by_name_and_for_a_time),
		cmocka_unit_test(names_in_a_certificate_hold_no_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
