/*
 * Where a key that is restricted to destinations is listed and what it signs. The tables are the
 * rules, in the letters of path_maker.h; each row would differ if one of them were left out.
 */
#include <stdlib.h>

#include "destination.h"
#include "path_maker.h"
#include "test.h"

#define NOW 1000

static struct hosts hosts;
static EVP_PKEY *stranger;

static int make_hosts(void **state)
{
	(void)state;
	stranger = key_of_number(77);
	return hosts_make(&hosts) ? 0 : -1;
}

static int free_hosts(void **state)
{
	(void)state;
	hosts_free(&hosts);
	EVP_PKEY_free(stranger);
	return 0;
}

static struct constraints *constraints_of(const char *hops)
{
	AUTO(buf) bytes = {0};
	struct constraints *constraints;
	struct reader reader;

	hops_put(&bytes, &hosts, hops);
	reader = reader_of(buf_bytes(&bytes));
	assert_int_equal(constraints_parse(&reader, CONSTRAINTS_FOR_KEY, &constraints), KS_OK);
	return constraints;
}

static void add_record(struct session_binds *binds, struct bytes host_key, bool forwarding)
{
	struct session_bind *record = &binds->records[binds->count];
	struct public_key *key;

	binds->attempted = true;
	binds->count++;
	record->forwarding = forwarding;
	buf_put(&record->host_key, host_key);
	buf_put_u32(&record->session_id, (uint32_t)binds->count);
	assert_int_equal(public_key_parse(host_key, &key), KS_OK);
	record->certified = key->certificate;
	if (key->certificate)
		record->certificate = key;
	else
		public_key_free(&key);
}

/* "!" alone: a bind was tried and is not there. */
static void bind_along(struct session_binds *binds, const char *path)
{
	*binds = (struct session_binds){.attempted = path[0] == '!'};
	while (isalpha(*path)) {
		bool forwarding = path[1] == '>';

		add_record(binds, host_shows(&hosts, *path), forwarding);
		path += forwarding ? 2 : 1;
	}
}

/* What ssh would have signed on that connection. */
static struct subject login_of(const struct session_binds *binds, const char *user)
{
	const struct session_bind *last = session_binds_last(binds);
	struct subject subject = {.kind = SUBJECT_LOGIN, .user = bytes_of(user)};

	if (last == NULL)
		return subject;
	subject.session_id = buf_bytes(&last->session_id);
	subject.hostbound = true;
	subject.host_key = buf_bytes(&last->host_key);
	return subject;
}

struct row {
	const char *hops, *path, *user;
	bool lists, signs;
};

static void assert_row(const struct row *row)
{
	struct constraints *constraints = constraints_of(row->hops);
	struct session_binds binds;
	struct subject subject;

	bind_along(&binds, row->path);
	subject = login_of(&binds, row->user);
	if (destination_lists_at(constraints, &binds, NOW) != row->lists ||
		(destination_refusal_at(constraints, &binds, &subject, NOW) == NULL) != row->signs)
		fail_msg("hops %s, path %s, user %s", row->hops, row->path, row->user);
	session_binds_deinit(&binds);
	constraints_release(&constraints);
}

#define ASSERT_ROWS(rows)                                                                          \
	for (size_t i_ = 0; i_ < sizeof(rows) / sizeof((rows)[0]); i_++)                           \
	assert_row(&(rows)[i_])

static void a_key_without_destinations_goes_everywhere(void **state)
{
	static const struct row rows[] = {
		{"", "", "joe", true, true},
		{"", "!", "joe", true, true},
		{"", "A", "joe", true, true},
		{"", "A>B", "joe", true, true},
		{"", "A>", "joe", true, true},
	};

	(void)state;
	ASSERT_ROWS(rows);
}

static void unbound_it_is_listed_and_signs_nothing(void **state)
{
	static const struct row rows[] = {
		{"-A", "", "joe", true, false},
		{"-A", "!", "joe", false, false},
		{"AB", "", "joe", true, false},
	};

	(void)state;
	ASSERT_ROWS(rows);
}

static void one_hop_is_from_here_to_a_host(void **state)
{
	static const struct row rows[] = {
		{"-A", "A", "joe", true, true},
		{"-A", "B", "joe", false, false},
		{"-A -B", "B", "joe", true, true},
		{"-A -B", "C", "joe", false, false},
		{"AB", "A", "joe", false, false},
		{"AB", "B", "joe", false, false},
		{"BA", "A", "joe", false, false},
	};

	(void)state;
	ASSERT_ROWS(rows);
}

static void each_step_of_the_way_needs_a_hop(void **state)
{
	static const struct row rows[] = {
		{"-A AB", "A>B", "joe", true, true},
		{"AB -A", "A>B", "joe", true, true},
		{"-A", "A>B", "joe", false, false},
		{"-A -B", "A>B", "joe", false, false},
		{"AB", "A>B", "joe", false, false},
		{"-A BA", "A>B", "joe", false, false},
		{"-A AC", "A>B", "joe", false, false},
		{"-B AB", "A>B", "joe", false, false},
		{"-A AB BC", "A>B>C", "joe", true, true},
		{"-A AB", "A>B>C", "joe", false, false},
		{"-A AB AC", "A>B>C", "joe", false, false},
		{"-A BC", "A>B>C", "joe", false, false},
		{"-A -B AB BC", "A>C", "joe", false, false},
	};

	(void)state;
	ASSERT_ROWS(rows);
}

static void where_it_is_forwarded_only_what_leads_on_is_listed_and_nothing_signs(void **state)
{
	static const struct row rows[] = {
		{"-A", "A>", "joe", false, false},
		{"-A AB", "A>", "joe", true, false},
		{"-A AB", "A>B>", "joe", false, false},
		{"-A AB BC", "A>B>", "joe", true, false},
		{"-A BC", "A>", "joe", false, false},
		{"AB", "A>", "joe", false, false},
	};

	(void)state;
	ASSERT_ROWS(rows);
}

static void nothing_goes_on_behind_a_login(void **state)
{
	static const struct row rows[] = {
		{"-A AB", "AB", "joe", false, false},
		{"-A AB", "AB>", "joe", false, false},
		{"-A AB BC", "A>BC", "joe", false, false},
	};

	(void)state;
	ASSERT_ROWS(rows);
}

static void a_host_may_come_twice(void **state)
{
	static const struct row rows[] = {
		{"-A", "A>A", "joe", false, false},
		{"-A AA", "A>A", "joe", true, true},
		{"-A AA", "A>A>A", "joe", true, true},
		{"-A AB BA", "A>B>A", "joe", true, true},
		{"-A AB", "A>B>A", "joe", false, false},
	};

	(void)state;
	ASSERT_ROWS(rows);
}

static void the_user_counts_at_the_last_host_and_for_a_signature(void **state)
{
	static const struct row rows[] = {
		{"-A=joe", "A", "joe", true, true},
		{"-A=joe", "A", "root", true, false},
		{"-A=joe", "A", "joey", true, false},
		{"-A=joe", "A", "", true, false},
		{"-A=j*", "A", "joe", true, true},
		{"-A=j?e", "A", "joe", true, true},
		{"-A=*", "A", "", true, true},
		{"-A=J*", "A", "joe", true, false},
		/* One pattern, not a list of them. */
		{"-A=joe,root", "A", "root", true, false},
		{"-A=!joe", "A", "root", true, false},
		{"-A=joe -A=root", "A", "root", true, true},
		{"-A=joe AB", "A>B", "root", true, true},
		{"-A AB=joe", "A>B", "root", true, false},
		{"-A AB=joe", "A>B", "joe", true, true},
		{"-A AB=joe", "A>", "joe", true, false},
	};

	(void)state;
	ASSERT_ROWS(rows);
}

static void certificates_match_their_authority_and_plain_keys_themselves(void **state)
{
	static const struct row rows[] = {
		{"-a", "a", "joe", true, true},
		{"-a", "A", "joe", false, false},
		{"-A", "a", "joe", false, false},
		{"-a -A", "A", "joe", true, true},
		/* Signed by the same authority, for another name. */
		{"-a", "b", "joe", false, false},
		{"-a aB", "a>B", "joe", true, true},
		{"-a AB", "a>B", "joe", false, false},
		{"-A aB", "A>B", "joe", false, false},
		{"-A bC", "A>C", "joe", false, false},
		{"-a ab", "a>b", "joe", true, true},
		{"-a ab", "a>c", "joe", false, false},
		{"-a ab", "a>", "joe", true, false},
		{"-a bc", "a>", "joe", false, false},
	};

	(void)state;
	ASSERT_ROWS(rows);
}

/* ---- What a host certificate must be ---- */

static bool permitted_with(const struct certificate_draft *draft)
{
	struct constraints *constraints = constraints_of("-a");
	AUTO(buf) certificate = {0};
	struct session_binds binds = {0};
	struct subject subject;
	bool listed, permitted;

	certificate_put(&certificate, draft);
	add_record(&binds, buf_bytes(&certificate), false);
	subject = login_of(&binds, "joe");
	listed = destination_lists_at(constraints, &binds, NOW);
	permitted = destination_refusal_at(constraints, &binds, &subject, NOW) == NULL;
	assert_int_equal(listed, permitted);
	session_binds_deinit(&binds);
	constraints_release(&constraints);
	return permitted;
}

static void a_certificate_counts_when_it_is_the_hosts_and_in_date(void **state)
{
	static const struct {
		const char *what;
		bool permitted;
		struct certificate_draft draft;
	} rows[] = {
		{"sound", true, {.principals = {"a.example"}}},
		{"a pattern", true, {.principals = {"*.example"}}},
		{"one of many", true, {.principals = {"x", "y", "a.example"}}},
		{"no principals", false, {.user = false}},
		{"another name", false, {.principals = {"b.example"}}},
		{"a longer name", false, {.principals = {"a.example.org"}}},
		{"an empty name", false, {.principals = {""}}},
		{"not a list", false, {.principals = {"x,a.example"}}},
		{"the name as a pattern of the principal", false, {.principals = {"a.exampl"}}},
		{"a user's", false, {.principals = {"a.example"}, .user = true}},
		{"a critical option", false,
			{.principals = {"a.example"}, .critical_option = "force-command"}},
		{"valid from now on", true, {.principals = {"a.example"}, .valid_after = NOW}},
		{"valid from soon on", false,
			{.principals = {"a.example"}, .valid_after = NOW + 1}},
		{"valid for a moment more", true,
			{.principals = {"a.example"}, .valid_before = NOW + 1}},
		{"over", false, {.principals = {"a.example"}, .valid_before = NOW}},
		{"never valid", false,
			{.principals = {"a.example"}, .valid_after = NOW, .valid_before = NOW}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct certificate_draft draft = rows[i].draft;

		draft.key = hosts.of[0].key;
		draft.authority = hosts.authority;
		if (permitted_with(&draft) != rows[i].permitted)
			fail_msg("%s", rows[i].what);
		draft.authority = stranger;
		assert_false(permitted_with(&draft));
	}
}

/* As the record of a certificate that was signed with SHA-1 is. */
static void a_certificate_that_was_not_verified_counts_nowhere(void **state)
{
	static const char *const hops[] = {"-a", "-A"};
	struct session_binds binds;

	(void)state;
	bind_along(&binds, "a");
	public_key_free(&binds.records[0].certificate);
	for (size_t i = 0; i < 2; i++) {
		struct constraints *constraints = constraints_of(hops[i]);

		assert_false(destination_lists_at(constraints, &binds, NOW));
		constraints_release(&constraints);
	}
	session_binds_deinit(&binds);
}

/* A certificate stands in place of a key, in a hop and as a host's: no way for them to meet. */
static void a_certificate_is_no_entry_of_its_own(void **state)
{
	struct constraints *constraints = constraints_of("-A");
	struct buf *blob = &constraints->destinations[0].to.keys[0].blob;
	struct session_binds binds;

	(void)state;
	buf_clear(blob);
	buf_put(blob, buf_bytes(&hosts.of[0].certificate));
	bind_along(&binds, "a");
	assert_false(destination_lists_at(constraints, &binds, NOW));
	constraints->destinations[0].to.keys[0].ca = true;
	assert_false(destination_lists_at(constraints, &binds, NOW));
	session_binds_deinit(&binds);
	constraints_release(&constraints);
}

/* An authority is no host, even where a host shows its very key, and a host no authority. */
static void an_entry_counts_only_as_what_it_is(void **state)
{
	static const struct {
		const char *hops, *path;
	} rows[] = {{"-A", "A"}, {"-a", "a"}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct constraints *constraints = constraints_of(rows[i].hops);
		struct destination_key *entry = &constraints->destinations[0].to.keys[0];
		struct session_binds binds;

		bind_along(&binds, rows[i].path);
		assert_true(destination_lists_at(constraints, &binds, NOW));
		entry->ca = !entry->ca;
		assert_false(destination_lists_at(constraints, &binds, NOW));
		session_binds_deinit(&binds);
		constraints_release(&constraints);
	}
}

static void any_of_a_hosts_keys_will_do(void **state)
{
	const struct hop_draft hop = {
		.to = {.name = RAW("a.example"),
			.keys = {{.blob = buf_bytes(&hosts.of[1].blob)},
				{.blob = buf_bytes(&hosts.authority_blob), .ca = 1},
				{.blob = buf_bytes(&hosts.of[0].blob)}}}};
	static const struct {
		const char *path;
		bool lists;
	} rows[] = {{"A", true}, {"B", true}, {"C", false}, {"a", true}, {"b", false}};
	AUTO(buf) bytes = {0};
	struct constraints *constraints;
	struct reader reader;

	(void)state;
	destinations_put(&bytes, &hop, 1);
	reader = reader_of(buf_bytes(&bytes));
	assert_int_equal(constraints_parse(&reader, CONSTRAINTS_FOR_KEY, &constraints), KS_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct session_binds binds;

		bind_along(&binds, rows[i].path);
		assert_int_equal(destination_lists_at(constraints, &binds, NOW), rows[i].lists);
		session_binds_deinit(&binds);
	}
	constraints_release(&constraints);
}

/* ---- What is signed ---- */

static void assert_refused(const char *path, struct subject subject, const char *because)
{
	struct constraints *constraints = constraints_of("-A AB");
	struct session_binds binds;
	const char *refusal;

	bind_along(&binds, path);
	refusal = destination_refusal_at(constraints, &binds, &subject, NOW);
	if (refusal == NULL || strstr(refusal, because) == NULL)
		fail_msg("%s: %s", because, refusal != NULL ? refusal : "permitted");
	session_binds_deinit(&binds);
	constraints_release(&constraints);
}

static void only_logins_with_the_key_itself_are_signed(void **state)
{
	static const enum subject_kind kinds[] = {
		SUBJECT_UNRECOGNISED, SUBJECT_SSHSIG, SUBJECT_CERTIFICATE};
	struct session_binds binds;
	struct subject subject;

	(void)state;
	bind_along(&binds, "A");
	subject = login_of(&binds, "joe");
	for (size_t i = 0; i < 3; i++) {
		subject.kind = kinds[i];
		assert_refused("A", subject, "no login");
	}
	subject.kind = SUBJECT_LOGIN;
	subject.by_certificate = true;
	assert_refused("A", subject, "by a certificate");
	session_binds_deinit(&binds);
}

static void the_login_is_for_the_session_that_was_bound_last(void **state)
{
	struct session_binds binds;
	struct subject subject;

	(void)state;
	bind_along(&binds, "A>B");
	subject = login_of(&binds, "joe");
	subject.session_id = buf_bytes(&binds.records[0].session_id);
	assert_refused("A>B", subject, "session");
	subject.session_id = RAW("\0\0\0\3");
	assert_refused("A>B", subject, "session");
	subject.session_id = RAW("\0\0\0");
	assert_refused("A>B", subject, "session");
	subject.session_id = RAW("");
	assert_refused("A>B", subject, "session");
	session_binds_deinit(&binds);
}

static void a_login_from_afar_names_its_host_and_each_names_it_right(void **state)
{
	struct session_binds near, far;
	struct subject subject;
	struct constraints *constraints = constraints_of("-A AB");

	(void)state;
	bind_along(&near, "A");
	bind_along(&far, "A>B");
	subject = login_of(&far, "joe");
	subject.host_key = buf_bytes(&hosts.of[0].blob);
	assert_refused("A>B", subject, "another host");
	subject.host_key = RAW("");
	assert_refused("A>B", subject, "another host");
	subject.hostbound = false;
	assert_refused("A>B", subject, "without naming");
	subject = login_of(&near, "joe");
	subject.host_key = buf_bytes(&hosts.of[1].blob);
	assert_refused("A", subject, "another host");
	subject.hostbound = false;
	subject.host_key = RAW("");
	assert_null(destination_refusal_at(constraints, &near, &subject, NOW));
	constraints_release(&constraints);
	session_binds_deinit(&near);
	session_binds_deinit(&far);
}

static void a_user_is_matched_up_to_a_length(void **state)
{
	uint8_t user[1025];
	struct constraints *constraints = constraints_of("-A=u*");
	struct session_binds binds;
	struct subject subject;

	(void)state;
	memset(user, 'u', sizeof(user));
	bind_along(&binds, "A");
	subject = login_of(&binds, "");
	subject.user = BYTES(user, sizeof(user) - 1);
	assert_null(destination_refusal_at(constraints, &binds, &subject, NOW));
	subject.user.len++;
	assert_non_null(destination_refusal_at(constraints, &binds, &subject, NOW));
	session_binds_deinit(&binds);
	constraints_release(&constraints);
}

static void the_clock_is_read_for_what_is_asked_now(void **state)
{
	struct constraints *constraints = constraints_of("-a");
	struct session_binds binds;
	struct subject subject;

	(void)state;
	bind_along(&binds, "a");
	subject = login_of(&binds, "joe");
	assert_true(destination_lists(constraints, &binds));
	assert_null(destination_refusal(constraints, &binds, &subject));
	if (binds.records[0].certificate != NULL)
		binds.records[0].certificate->valid_before = NOW; /* long ago */
	assert_false(destination_lists(constraints, &binds));
	assert_non_null(destination_refusal(constraints, &binds, &subject));
	session_binds_deinit(&binds);
	constraints_release(&constraints);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_without_destinations_goes_everywhere),
		cmocka_unit_test(unbound_it_is_listed_and_signs_nothing),
		cmocka_unit_test(one_hop_is_from_here_to_a_host),
		cmocka_unit_test(each_step_of_the_way_needs_a_hop),
		cmocka_unit_test(
			where_it_is_forwarded_only_what_leads_on_is_listed_and_nothing_signs),
		cmocka_unit_test(nothing_goes_on_behind_a_login),
		cmocka_unit_test(a_host_may_come_twice),
		cmocka_unit_test(the_user_counts_at_the_last_host_and_for_a_signature),
		cmocka_unit_test(certificates_match_their_authority_and_plain_keys_themselves),
		cmocka_unit_test(a_certificate_counts_when_it_is_the_hosts_and_in_date),
		cmocka_unit_test(a_certificate_that_was_not_verified_counts_nowhere),
		cmocka_unit_test(a_certificate_is_no_entry_of_its_own),
		cmocka_unit_test(an_entry_counts_only_as_what_it_is),
		cmocka_unit_test(any_of_a_hosts_keys_will_do),
		cmocka_unit_test(only_logins_with_the_key_itself_are_signed),
		cmocka_unit_test(the_login_is_for_the_session_that_was_bound_last),
		cmocka_unit_test(a_login_from_afar_names_its_host_and_each_names_it_right),
		cmocka_unit_test(a_user_is_matched_up_to_a_length),
		cmocka_unit_test(the_clock_is_read_for_what_is_asked_now),
	};

	return cmocka_run_group_tests(tests, make_hosts, free_hosts);
}
