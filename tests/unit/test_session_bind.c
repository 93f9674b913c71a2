/*
 * Session binds, with host keys made by OpenSSL: what is believed, what is recorded, and the
 * order of the rules.
 */
#include <stdio.h>
#include <string.h>

#include "certificate_maker.h"
#include "session_bind.h"
#include "test.h"

struct hosts {
	EVP_PKEY *first, *second;
};

static int make_hosts(void **state)
{
	static struct hosts hosts;

	hosts.first = host_key_make(KS_ALGORITHM_ED25519);
	hosts.second = host_key_make(KS_ALGORITHM_ED25519);
	*state = &hosts;
	return hosts.first != NULL && hosts.second != NULL ? 0 : -1;
}

static int free_hosts(void **state)
{
	struct hosts *hosts = *state;

	EVP_PKEY_free(hosts->first);
	EVP_PKEY_free(hosts->second);
	return 0;
}

static enum session_bind_result send_bytes(struct session_binds *binds, struct bytes message)
{
	bool forwarding;
	enum session_bind_result result = session_bind_add(binds, message, &forwarding);

	assert_true(binds->attempted);
	return result;
}

static enum session_bind_result send_draft(
	struct session_binds *binds, const struct bind_draft *draft)
{
	AUTO(buf) message = {0};
	bool forwarding;
	enum session_bind_result result;

	bind_put(&message, draft);
	assert_int_equal(buf_status(&message), KS_OK);
	result = session_bind_add(binds, buf_bytes(&message), &forwarding);
	assert_int_equal(forwarding, draft->forwarding != 0);
	assert_true(binds->attempted);
	return result;
}

static enum session_bind_result bind_to(
	struct session_binds *binds, EVP_PKEY *key, const char *session_id, bool forwarding)
{
	const struct bind_draft draft = {.key = key,
		.algorithm = KS_ALGORITHM_ED25519,
		.session_id = bytes_of(session_id),
		.forwarding = forwarding};

	return send_draft(binds, &draft);
}

static void every_kind_of_host_key_is_believed_but_sha1_is_not(void **state)
{
	static const struct {
		enum ks_algorithm algorithm;
		enum session_bind_result result;
	} rows[] = {
		{KS_ALGORITHM_ED25519, SESSION_BIND_DONE},
		{KS_ALGORITHM_ECDSA_P256, SESSION_BIND_DONE},
		{KS_ALGORITHM_ECDSA_P384, SESSION_BIND_DONE},
		{KS_ALGORITHM_ECDSA_P521, SESSION_BIND_DONE},
		{KS_ALGORITHM_RSA_SHA256, SESSION_BIND_DONE},
		{KS_ALGORITHM_RSA_SHA512, SESSION_BIND_DONE},
		{KS_ALGORITHM_RSA_SHA1, SESSION_BIND_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct session_binds binds = {0};
		struct bind_draft draft = {.key = host_key_make(rows[i].algorithm),
			.algorithm = rows[i].algorithm,
			.session_id = bytes_of("session")};

		if (send_draft(&binds, &draft) != rows[i].result)
			fail_msg("%s", ks_algorithm_name(rows[i].algorithm));
		assert_int_equal(binds.count, rows[i].result == SESSION_BIND_DONE);
		EVP_PKEY_free(draft.key);
		session_binds_deinit(&binds);
	}
}

/* A host that shows a certificate, and its record. A byte of the certificate may be wrong. */
static enum session_bind_result bind_certified(
	struct session_binds *binds, enum ks_algorithm authority, bool changed)
{
	struct certificate_draft draft = {.key = host_key_make(KS_ALGORITHM_ED25519),
		.authority = host_key_make(authority),
		.algorithm = authority,
		.principals = {"host"}};
	AUTO(buf) certificate = {0};
	enum session_bind_result result;

	certificate_put(&certificate, &draft);
	assert_int_equal(buf_status(&certificate), KS_OK);
	if (changed) /* the first letter of the nonce */
		certificate.data[4 + strlen("ssh-ed25519-cert-v01@openssh.com") + 4] ^= 1;
	result = send_draft(binds, &(struct bind_draft){.key = draft.key,
					   .algorithm = KS_ALGORITHM_ED25519,
					   .session_id = bytes_of("session"),
					   .host_key = buf_bytes(&certificate)});
	EVP_PKEY_free(draft.key);
	EVP_PKEY_free(draft.authority);
	return result;
}

static void a_certificate_is_believed_when_its_authority_signed_it(void **state)
{
	static const struct {
		enum ks_algorithm authority;
		bool certifies; /* it counts for destinations */
	} rows[] = {
		{KS_ALGORITHM_ED25519, true},
		{KS_ALGORITHM_ECDSA_P256, true},
		{KS_ALGORITHM_ECDSA_P521, true},
		{KS_ALGORITHM_RSA_SHA256, true},
		{KS_ALGORITHM_RSA_SHA512, true},
		{KS_ALGORITHM_RSA_SHA1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct session_binds binds = {0};
		const struct session_bind *last;

		assert_int_equal(
			bind_certified(&binds, rows[i].authority, true), SESSION_BIND_REFUSED);
		assert_null(session_binds_last(&binds));
		assert_int_equal(
			bind_certified(&binds, rows[i].authority, false), SESSION_BIND_DONE);
		last = session_binds_last(&binds);
		assert_true(last->certified);
		if ((last->certificate != NULL) != rows[i].certifies)
			fail_msg("%s", ks_algorithm_name(rows[i].authority));
		if (last->certificate != NULL)
			assert_true(public_key_certifies_host(last->certificate, "host", 0));
		session_binds_deinit(&binds);
	}
}

static void a_certificate_may_be_bound_again(void **state)
{
	const struct hosts *hosts = *state;
	struct certificate_draft certificate = {
		.key = hosts->first, .authority = hosts->second, .algorithm = KS_ALGORITHM_ED25519};
	AUTO(buf) blob = {0};
	struct bind_draft draft = {.key = hosts->first,
		.algorithm = KS_ALGORITHM_ED25519,
		.session_id = bytes_of("session"),
		.forwarding = 1};
	struct session_binds binds = {0};

	certificate_put(&blob, &certificate);
	draft.host_key = buf_bytes(&blob);
	assert_int_equal(send_draft(&binds, &draft), SESSION_BIND_DONE);
	assert_int_equal(send_draft(&binds, &draft), SESSION_BIND_DONE);
	assert_int_equal(binds.count, 1);
	assert_false(bind_to(&binds, hosts->first, "other", true) != SESSION_BIND_DONE);
	assert_false(session_binds_last(&binds)->certified);
	assert_null(session_binds_last(&binds)->certificate);
	session_binds_deinit(&binds);
}

static void what_is_recorded_is_what_was_sent(void **state)
{
	const struct hosts *hosts = *state;
	struct session_binds binds = {0};
	AUTO(buf) blob = {0};

	assert_null(session_binds_last(&binds));
	assert_int_equal(bind_to(&binds, hosts->first, "one", true), SESSION_BIND_DONE);
	assert_int_equal(bind_to(&binds, hosts->second, "two", false), SESSION_BIND_DONE);
	assert_int_equal(binds.count, 2);
	assert_int_equal(public_key_put_pkey(&blob, hosts->first), KS_OK);
	assert_true(bytes_equal(buf_bytes(&binds.records[0].host_key), buf_bytes(&blob)));
	assert_true(bytes_equal_text(buf_bytes(&binds.records[0].session_id), "one"));
	assert_true(binds.records[0].forwarding);
	assert_ptr_equal(session_binds_last(&binds), &binds.records[1]);
	assert_false(session_binds_last(&binds)->forwarding);
	session_binds_deinit(&binds);
	assert_false(binds.attempted);
	assert_int_equal(binds.count, 0);
}

/* Each row is a chain on one connection: host, session id, forwarding, what comes of it. */
struct link {
	int host; /* 0 ends the chain */
	const char *session_id;
	bool forwarding;
	enum session_bind_result result;
	size_t count;
};

static const struct {
	const char *what;
	struct link links[5];
} chains[] = {
	{"two authentications",
		{{1, "a", false, SESSION_BIND_DONE, 1}, {1, "b", false, SESSION_BIND_REFUSED, 1}}},
	{"the same authentication twice",
		{{1, "a", false, SESSION_BIND_DONE, 1}, {1, "a", false, SESSION_BIND_REFUSED, 1}}},
	{"forwarding after an authentication",
		{{1, "a", false, SESSION_BIND_DONE, 1}, {2, "b", true, SESSION_BIND_REFUSED, 1}}},
	{"a chain of hosts, then a login",
		{{1, "a", true, SESSION_BIND_DONE, 1}, {2, "b", true, SESSION_BIND_DONE, 2},
			{1, "c", false, SESSION_BIND_DONE, 3},
			{2, "d", false, SESSION_BIND_REFUSED, 3}}},
	{"a repeat changes nothing",
		{{1, "a", true, SESSION_BIND_DONE, 1}, {1, "a", true, SESSION_BIND_DONE, 1},
			{1, "a", false, SESSION_BIND_DONE, 1},
			{2, "b", true, SESSION_BIND_DONE, 2}}},
	{"the same session with another key",
		{{1, "a", true, SESSION_BIND_DONE, 1}, {2, "a", true, SESSION_BIND_REFUSED, 1}}},
	{"the same key in another session",
		{{1, "a", true, SESSION_BIND_DONE, 1}, {1, "b", true, SESSION_BIND_DONE, 2}}},
	/* Records are walked oldest first. */
	{"a repeat of forwarding after an authentication",
		{{1, "a", true, SESSION_BIND_DONE, 1}, {2, "b", false, SESSION_BIND_DONE, 2},
			{1, "a", true, SESSION_BIND_DONE, 2},
			{2, "b", false, SESSION_BIND_REFUSED, 2}}},
	{"no session id, then a good one", {{1, "", false, SESSION_BIND_UNVERIFIABLE, 0},
						   {1, "a", false, SESSION_BIND_DONE, 1}}},
};

static void the_records_decide_oldest_first(void **state)
{
	const struct hosts *hosts = *state;

	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		struct session_binds binds = {0};

		for (const struct link *link = chains[i].links; link->host != 0; link++) {
			EVP_PKEY *key = link->host == 1 ? hosts->first : hosts->second;
			bool kept = binds.count > 0 && binds.records[0].forwarding;

			if (bind_to(&binds, key, link->session_id, link->forwarding) !=
					link->result ||
				binds.count != link->count)
				fail_msg("%s: link %td", chains[i].what, link - chains[i].links);
			if (kept)
				assert_true(binds.records[0].forwarding);
		}
		session_binds_deinit(&binds);
	}
}

static void what_the_host_did_not_sign_is_refused(void **state)
{
	const struct hosts *hosts = *state;
	struct session_binds binds = {0};
	AUTO(buf) other = {0}, blob = {0}, longer = {0};
	struct bind_draft draft = {.key = hosts->first,
		.algorithm = KS_ALGORITHM_ED25519,
		.session_id = bytes_of("session"),
		.forwarding = 1};

	assert_int_equal(host_key_sign(&other, hosts->first, KS_ALGORITHM_ED25519,
				 bytes_of("another session")),
		KS_OK);
	draft.signature = buf_bytes(&other);
	assert_int_equal(send_draft(&binds, &draft), SESSION_BIND_REFUSED);
	draft.signature = (struct bytes){0};
	assert_int_equal(public_key_put_pkey(&blob, hosts->second), KS_OK);
	draft.host_key = buf_bytes(&blob);
	assert_int_equal(send_draft(&binds, &draft), SESSION_BIND_REFUSED);
	draft.host_key = (struct bytes){0};
	assert_int_equal(
		host_key_sign(&longer, hosts->first, KS_ALGORITHM_ED25519, bytes_of("session")),
		KS_OK);
	buf_put_u8(&longer, 0);
	draft.signature = buf_bytes(&longer);
	assert_int_equal(send_draft(&binds, &draft), SESSION_BIND_UNVERIFIABLE);
	assert_int_equal(binds.count, 0);
	session_binds_deinit(&binds);
}

static void keys_that_cannot_be_verified_here_are_not_taken(void **state)
{
	const struct hosts *hosts = *state;
	struct session_binds binds = {0};
	AUTO(buf) unknown = {0};
	struct bind_draft draft = {.key = hosts->first,
		.algorithm = KS_ALGORITHM_ED25519,
		.session_id = bytes_of("session"),
		.forwarding = 1};

	buf_put_text(&unknown, "ssh-dss");
	buf_put_text(&unknown, "numbers");
	draft.host_key = buf_bytes(&unknown);
	assert_int_equal(send_draft(&binds, &draft), SESSION_BIND_UNVERIFIABLE);
	draft.host_key = bytes_of("not a key");
	assert_int_equal(send_draft(&binds, &draft), SESSION_BIND_UNVERIFIABLE);
	assert_int_equal(binds.count, 0);
	session_binds_deinit(&binds);
}

static void a_message_that_is_cut_anywhere_is_refused(void **state)
{
	const struct hosts *hosts = *state;
	const struct bind_draft draft = {.key = hosts->first,
		.algorithm = KS_ALGORITHM_ED25519,
		.session_id = bytes_of("session"),
		.forwarding = 1};
	AUTO(buf) message = {0};

	bind_put(&message, &draft);
	for (size_t len = 0; len < message.len; len++) {
		struct session_binds binds = {0};

		assert_int_equal(
			send_bytes(&binds, BYTES(message.data, len)), SESSION_BIND_UNVERIFIABLE);
		assert_int_equal(binds.count, 0);
		session_binds_deinit(&binds);
	}
}

static void what_follows_the_flag_is_ignored(void **state)
{
	const struct hosts *hosts = *state;
	const struct bind_draft draft = {.key = hosts->first,
		.algorithm = KS_ALGORITHM_ED25519,
		.session_id = bytes_of("session"),
		.forwarding = 7};
	struct session_binds binds = {0};
	AUTO(buf) message = {0};

	bind_put(&message, &draft);
	buf_put_text(&message, "more");
	assert_int_equal(send_bytes(&binds, buf_bytes(&message)), SESSION_BIND_DONE);
	assert_true(binds.records[0].forwarding); /* any nonzero flag */
	session_binds_deinit(&binds);
}

static void session_ids_have_one_to_128_bytes(void **state)
{
	static const struct {
		size_t len;
		enum session_bind_result result;
	} rows[] = {{0, SESSION_BIND_UNVERIFIABLE}, {1, SESSION_BIND_DONE},
		{128, SESSION_BIND_DONE}, {129, SESSION_BIND_UNVERIFIABLE}};
	const struct hosts *hosts = *state;
	uint8_t session_id[129] = {1};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct session_binds binds = {0};
		const struct bind_draft draft = {.key = hosts->first,
			.algorithm = KS_ALGORITHM_ED25519,
			.session_id = BYTES(session_id, rows[i].len)};

		assert_int_equal(send_draft(&binds, &draft), rows[i].result);
		session_binds_deinit(&binds);
	}
}

static void sixteen_records_fit_and_their_repeats_still_succeed(void **state)
{
	const struct hosts *hosts = *state;
	struct session_binds binds = {0};
	char session_id[16];

	for (int i = 0; i < SESSION_BINDS_MAX; i++) {
		snprintf(session_id, sizeof(session_id), "%d", i);
		assert_int_equal(
			bind_to(&binds, hosts->first, session_id, true), SESSION_BIND_DONE);
	}
	assert_int_equal(bind_to(&binds, hosts->first, "more", true), SESSION_BIND_REFUSED);
	assert_int_equal(bind_to(&binds, hosts->first, "3", true), SESSION_BIND_DONE);
	assert_int_equal(binds.count, SESSION_BINDS_MAX);
	session_binds_deinit(&binds);
}

static void after_sixteen_failures_even_an_honest_bind_is_refused(void **state)
{
	const struct hosts *hosts = *state;
	struct session_binds binds = {0};

	for (int i = 0; i < SESSION_BIND_FAILURES - 1; i++)
		assert_int_equal(
			send_bytes(&binds, bytes_of("nonsense")), SESSION_BIND_UNVERIFIABLE);
	assert_int_equal(bind_to(&binds, hosts->first, "a", true), SESSION_BIND_DONE);
	assert_int_equal(send_bytes(&binds, bytes_of("nonsense")), SESSION_BIND_UNVERIFIABLE);
	assert_int_equal(bind_to(&binds, hosts->first, "b", true), SESSION_BIND_REFUSED);
	assert_int_equal(binds.count, 1);
	session_binds_deinit(&binds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_host_key_is_believed_but_sha1_is_not),
		cmocka_unit_test(a_certificate_is_believed_when_its_authority_signed_it),
		cmocka_unit_test(a_certificate_may_be_bound_again),
		cmocka_unit_test(what_is_recorded_is_what_was_sent),
		cmocka_unit_test(the_records_decide_oldest_first),
		cmocka_unit_test(what_the_host_did_not_sign_is_refused),
		cmocka_unit_test(keys_that_cannot_be_verified_here_are_not_taken),
		cmocka_unit_test(a_message_that_is_cut_anywhere_is_refused),
		cmocka_unit_test(what_follows_the_flag_is_ignored),
		cmocka_unit_test(session_ids_have_one_to_128_bytes),
		cmocka_unit_test(sixteen_records_fit_and_their_repeats_still_succeed),
		cmocka_unit_test(after_sixteen_failures_even_an_honest_bind_is_refused),
	};

	return cmocka_run_group_tests(tests, make_hosts, free_hosts);
}
