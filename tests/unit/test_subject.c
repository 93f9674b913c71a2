/*
 * What is recognised as a login, an SSH signature or a certificate, and that nothing which is one
 * byte short or long is: what is recognised is allowed more than what is not.
 */
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "key_vectors.h"
#include "subject.h"
#include "test.h"
#include "vector.h"

#define HOSTBOUND "publickey-hostbound-v00@openssh.com"

/* A login field by field; what is left empty is as ssh writes it. */
struct login {
	const char *session_id, *user, *service, *method, *algorithm, *host_key;
	struct bytes blob;
	uint8_t message, has_signature;
	bool user_with_nul; /* in place of user */
};

struct signer {
	struct buf blob;
	struct public_key *key;
	const char *algorithm;
};

static void signer_init(struct signer *signer, enum key_kind kind, bool certificate)
{
	*signer = (struct signer){0};
	for (size_t i = 0; i < KEY_VECTOR_COUNT && signer->algorithm == NULL; i++) {
		if (key_vectors[i].kind != kind)
			continue;
		signer->algorithm = key_vectors[i].algorithm;
		vector_put(&signer->blob,
			certificate ? key_vectors[i].user_certificate : key_vectors[i].blob);
	}
	assert_int_equal(buf_status(&signer->blob), KS_OK);
	assert_int_equal(public_key_parse(buf_bytes(&signer->blob), &signer->key), KS_OK);
}

static void signer_deinit(struct signer *signer)
{
	public_key_free(&signer->key);
	buf_deinit(&signer->blob);
}

static const char *or_else(const char *text, const char *otherwise)
{
	return text != NULL ? text : otherwise;
}

static void put_login(struct buf *out, const struct signer *signer, const struct login *login)
{
	buf_put_text(out, or_else(login->session_id, "the session"));
	buf_put_u8(out, login->message ? login->message : 50);
	if (login->user_with_nul)
		buf_put_string(out, BYTES((const uint8_t *)"joe\0root", 8));
	else
		buf_put_text(out, or_else(login->user, "joe"));
	buf_put_text(out, or_else(login->service, "ssh-connection"));
	buf_put_text(out, or_else(login->method, "publickey"));
	buf_put_u8(out, login->has_signature ? login->has_signature : 1);
	buf_put_text(out, or_else(login->algorithm, signer->algorithm));
	buf_put_string(out, login->blob.data != NULL ? login->blob : buf_bytes(&signer->blob));
	if (login->host_key != NULL)
		buf_put_text(out, login->host_key);
	assert_int_equal(buf_status(out), KS_OK);
}

static enum subject_kind kind_of(const struct signer *signer, struct bytes data)
{
	struct subject subject;

	subject_parse(data, buf_bytes(&signer->blob), signer->key, &subject);
	return subject.kind;
}

static enum subject_kind kind_of_login(const struct signer *signer, const struct login *login)
{
	AUTO(buf) data = {0};

	put_login(&data, signer, login);
	return kind_of(signer, buf_bytes(&data));
}

static void a_login_is_recognised_with_what_it_says(void **state)
{
	struct signer signer;
	struct subject subject;
	AUTO(buf) data = {0};

	(void)state;
	signer_init(&signer, KEY_ED25519, false);
	put_login(&data, &signer, &(struct login){.session_id = "", .user = "root"});
	assert_int_equal(kind_of(&signer, buf_bytes(&data)), SUBJECT_UNRECOGNISED);
	buf_clear(&data);
	put_login(&data, &signer, &(struct login){.session_id = "sid", .user = "root"});
	subject_parse(buf_bytes(&data), buf_bytes(&signer.blob), signer.key, &subject);
	assert_int_equal(subject.kind, SUBJECT_LOGIN);
	assert_true(bytes_equal_text(subject.session_id, "sid"));
	assert_true(bytes_equal_text(subject.user, "root"));
	assert_false(subject.hostbound);
	assert_int_equal(subject.host_key.len, 0);
	signer_deinit(&signer);
}

static void a_login_by_a_certificate_that_was_not_added_is_told_apart(void **state)
{
	static const char type[] = "ssh-ed25519-cert-v01@openssh.com";
	struct signer plain;
	struct signer certified;
	struct subject subject;

	(void)state;
	signer_init(&plain, KEY_ED25519, false);
	signer_init(&certified, KEY_ED25519, true);
	for (int wrong = 0; wrong < 3; wrong++) {
		AUTO(buf) data = {0};
		const struct signer *asked = wrong == 2 ? &certified : &plain;
		struct bytes blob = buf_bytes(wrong == 2 ? &plain.blob : &certified.blob);

		/* As it is; by the name of the plain key; the other way round. */
		put_login(&data, asked,
			&(struct login){
				.algorithm = wrong == 0 ? type : "ssh-ed25519", .blob = blob});
		subject_parse(buf_bytes(&data), buf_bytes(&asked->blob), asked->key, &subject);
		assert_int_equal(subject.kind, wrong == 0 ? SUBJECT_LOGIN : SUBJECT_UNRECOGNISED);
		assert_int_equal(subject.by_certificate, wrong == 0);
	}
	signer_deinit(&plain);
	signer_deinit(&certified);
}

static void a_login_by_a_hosts_or_another_keys_certificate_is_none(void **state)
{
	struct signer plain;

	(void)state;
	signer_init(&plain, KEY_ED25519, false);
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		const struct key_vector *one = &key_vectors[i];
		const char *text =
			one->kind == KEY_ED25519 ? one->host_certificate : one->user_certificate;
		AUTO(text) algorithm = text_format("%s-cert-v01@openssh.com", one->algorithm);
		AUTO(buf) shown = {0};

		if (text == NULL)
			continue;
		vector_put(&shown, text);
		assert_int_equal(kind_of_login(&plain, &(struct login){.algorithm = algorithm,
							       .blob = buf_bytes(&shown)}),
			SUBJECT_UNRECOGNISED);
	}
	signer_deinit(&plain);
}

static void a_hostbound_login_names_its_host(void **state)
{
	struct signer signer;
	struct subject subject;
	AUTO(buf) data = {0};

	(void)state;
	signer_init(&signer, KEY_ED25519, false);
	put_login(&data, &signer, &(struct login){.method = HOSTBOUND, .host_key = "host"});
	subject_parse(buf_bytes(&data), buf_bytes(&signer.blob), signer.key, &subject);
	assert_int_equal(subject.kind, SUBJECT_LOGIN);
	assert_true(subject.hostbound);
	assert_true(bytes_equal_text(subject.host_key, "host"));
	signer_deinit(&signer);
}

static void a_field_that_is_not_as_it_must_be_makes_it_no_login(void **state)
{
	const struct login rows[] = {
		{.message = 51},
		{.has_signature = 2},
		{.service = "ssh-userauth"},
		{.service = "ssh-connectio"},
		{.method = "password"},
		{.method = "hostbased"},
		{.method = "publickey", .host_key = "left over"},
		{.method = HOSTBOUND},
		{.algorithm = "ssh-rsa"},
		{.algorithm = "ssh-ed25519-cert-v01@openssh.com"},
		{.algorithm = ""},
		{.blob = bytes_of("another key")},
		{.user_with_nul = true},
	};
	struct signer signer;

	(void)state;
	signer_init(&signer, KEY_ED25519, false);
	assert_int_equal(kind_of_login(&signer, &(struct login){0}), SUBJECT_LOGIN);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (kind_of_login(&signer, &rows[i]) != SUBJECT_UNRECOGNISED)
			fail_msg("row %zu", i);
	signer_deinit(&signer);
}

static void the_algorithms_of_a_key_are_those_of_its_kind(void **state)
{
	static const struct {
		enum key_kind kind;
		bool certificate;
		const char *algorithm;
		enum subject_kind result;
	} rows[] = {
		{KEY_RSA, false, "rsa-sha2-256", SUBJECT_LOGIN},
		{KEY_RSA, false, "rsa-sha2-512", SUBJECT_LOGIN},
		{KEY_RSA, false, "ecdsa-sha2-nistp256", SUBJECT_UNRECOGNISED},
		{KEY_ECDSA_P256, false, "ecdsa-sha2-nistp256", SUBJECT_LOGIN},
		{KEY_ECDSA_P256, false, "ecdsa-sha2-nistp384", SUBJECT_UNRECOGNISED},
		{KEY_ED25519, true, "ssh-ed25519-cert-v01@openssh.com", SUBJECT_LOGIN},
		{KEY_RSA, true, "rsa-sha2-512-cert-v01@openssh.com", SUBJECT_LOGIN},
		{KEY_ED25519, true, "ssh-rsa-cert-v01@openssh.com", SUBJECT_UNRECOGNISED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct signer signer;

		signer_init(&signer, rows[i].kind, rows[i].certificate);
		if (kind_of_login(&signer, &(struct login){.algorithm = rows[i].algorithm}) !=
			rows[i].result)
			fail_msg("%s", rows[i].algorithm);
		signer_deinit(&signer);
	}
}

/* Cut anywhere or with one byte more, data that was recognised is so no longer. */
static void assert_exact(const struct signer *signer, struct buf *data, enum subject_kind kind)
{
	assert_int_equal(kind_of(signer, buf_bytes(data)), kind);
	for (size_t len = 0; len < data->len; len++)
		assert_int_equal(kind_of(signer, BYTES(data->data, len)), SUBJECT_UNRECOGNISED);
	buf_put_u8(data, 0);
	assert_int_equal(kind_of(signer, buf_bytes(data)), SUBJECT_UNRECOGNISED);
}

static void put_sshsig(struct buf *out, const char *magic, const char *space, const char *hash)
{
	buf_put(out, bytes_of(magic));
	buf_put_text(out, space);
	buf_put_text(out, "");
	buf_put_text(out, "sha512");
	buf_put_text(out, hash);
	assert_int_equal(buf_status(out), KS_OK);
}

static void truncated_logins_and_those_with_leftovers_are_not_recognised(void **state)
{
	struct signer signer;
	AUTO(buf) plain = {0}, hostbound = {0};

	(void)state;
	signer_init(&signer, KEY_ED25519, false);
	put_login(&plain, &signer, &(struct login){0});
	assert_exact(&signer, &plain, SUBJECT_LOGIN);
	put_login(&hostbound, &signer, &(struct login){.method = HOSTBOUND, .host_key = "host"});
	assert_exact(&signer, &hostbound, SUBJECT_LOGIN);
	signer_deinit(&signer);
}

static void a_signature_for_a_namespace_is_recognised_to_the_last_byte(void **state)
{
	struct signer signer;
	struct subject subject;
	AUTO(buf) data = {0};

	(void)state;
	signer_init(&signer, KEY_ED25519, false);
	put_sshsig(&data, "SSHSIG", "git", "hash");
	subject_parse(buf_bytes(&data), buf_bytes(&signer.blob), signer.key, &subject);
	assert_true(bytes_equal_text(subject.sign_namespace, "git"));
	assert_true(bytes_equal_text(subject.hash_name, "sha512"));
	assert_int_equal(subject.user.len, 0);
	assert_exact(&signer, &data, SUBJECT_SSHSIG);
	signer_deinit(&signer);
}

static void what_only_looks_like_a_signature_is_not_recognised(void **state)
{
	static const char *const rows[][3] = {{"SSHSIX", "git", "hash"}, {"sshsig", "git", "hash"},
		{"SSHSIG", "", "hash"}, {"SSHSIG", "git", ""}};
	struct signer signer;

	(void)state;
	signer_init(&signer, KEY_ED25519, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(buf) data = {0};

		put_sshsig(&data, rows[i][0], rows[i][1], rows[i][2]);
		assert_int_equal(kind_of(&signer, buf_bytes(&data)), SUBJECT_UNRECOGNISED);
	}
	signer_deinit(&signer);
}

/* What a certificate authority signs: the certificate up to its own key, which comes last. */
static void put_certificate_body(struct buf *out, size_t vector)
{
	AUTO(buf) certificate = {0}, authority = {0};
	const uint8_t *at;

	vector_put(&certificate, key_vectors[vector].user_certificate);
	vector_put(&authority, vector_authority_ed25519);
	at = memmem(certificate.data, certificate.len, authority.data, authority.len);
	assert_non_null(at);
	buf_put(out, BYTES(certificate.data, (size_t)(at - certificate.data) + authority.len));
	assert_int_equal(buf_status(out), KS_OK);
}

static void bodies_of_certificates_are_recognised_to_the_last_byte(void **state)
{
	struct signer signer;

	(void)state;
	signer_init(&signer, KEY_ED25519, false);
	for (size_t i = 0; i < KEY_VECTOR_COUNT; i++) {
		AUTO(buf) data = {0};

		put_certificate_body(&data, i);
		assert_exact(&signer, &data, SUBJECT_CERTIFICATE);
	}
	signer_deinit(&signer);
}

/* The type follows the key's one string and the serial number. */
static void a_certificate_is_for_users_or_for_hosts(void **state)
{
	struct signer signer;
	struct reader reader;
	AUTO(buf) data = {0};
	uint8_t *type;

	(void)state;
	signer_init(&signer, KEY_ED25519, false);
	put_certificate_body(&data, 0);
	reader = reader_of(buf_bytes(&data));
	for (int i = 0; i < 3; i++) /* its type's name, nonce, key */
		(void)reader_string(&reader);
	(void)reader_u64(&reader);
	type = data.data + (data.len - reader.left) + 3;
	assert_int_equal(reader_u32(&reader), 1);
	for (uint8_t number = 0; number < 5; number++) {
		*type = number;
		assert_int_equal(kind_of(&signer, buf_bytes(&data)),
			number == 1 || number == 2 ? SUBJECT_CERTIFICATE : SUBJECT_UNRECOGNISED);
	}
	signer_deinit(&signer);
}

static void other_data_is_unrecognised(void **state)
{
	/* The last one is how what a TLS client signs begins. */
	static const char *const texts[] = {"", "x", "SSHSIG", "                TLS 1.3, client"};
	struct signer signer;
	AUTO(buf) typed = {0};

	(void)state;
	signer_init(&signer, KEY_ED25519, false);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(kind_of(&signer, bytes_of(texts[i])), SUBJECT_UNRECOGNISED);
	buf_put_text(&typed, "-cert-v01@openssh.com"); /* an ending and nothing before it */
	buf_put_text(&typed, "0123456789abcdef0123456789abcdef");
	assert_int_equal(kind_of(&signer, buf_bytes(&typed)), SUBJECT_UNRECOGNISED);
	signer_deinit(&signer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_is_recognised_with_what_it_says),
		cmocka_unit_test(a_login_by_a_certificate_that_was_not_added_is_told_apart),
		cmocka_unit_test(a_login_by_a_hosts_or_another_keys_certificate_is_none),
		cmocka_unit_test(a_hostbound_login_names_its_host),
		cmocka_unit_test(a_field_that_is_not_as_it_must_be_makes_it_no_login),
		cmocka_unit_test(the_algorithms_of_a_key_are_those_of_its_kind),
		cmocka_unit_test(truncated_logins_and_those_with_leftovers_are_not_recognised),
		cmocka_unit_test(a_signature_for_a_namespace_is_recognised_to_the_last_byte),
		cmocka_unit_test(what_only_looks_like_a_signature_is_not_recognised),
		cmocka_unit_test(bodies_of_certificates_are_recognised_to_the_last_byte),
		cmocka_unit_test(a_certificate_is_for_users_or_for_hosts),
		cmocka_unit_test(other_data_is_unrecognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
