/*
 * What a security key signs, by its application and by what is to be signed, as a table.
 */
#include "test.h"
#include "websafe.h"

static const struct {
	const char *application;
	const char *allow;
	enum subject_kind subject;
	bool permitted;
} rows[] = {
	/* Keys without an application sign anything. */
	{NULL, "ssh:*", SUBJECT_UNRECOGNISED, true},
	{NULL, "", SUBJECT_CERTIFICATE, true},
	/* ssh's own too. */
	{"ssh:", "ssh:*", SUBJECT_UNRECOGNISED, true},
	{"ssh:work", "ssh:*", SUBJECT_UNRECOGNISED, true},
	{"ssh:work", "ssh:*", SUBJECT_CERTIFICATE, true},
	/* A web site's signs what no web site takes. */
	{"https://site.example", "ssh:*", SUBJECT_LOGIN, true},
	{"https://site.example", "ssh:*", SUBJECT_SSHSIG, true},
	{"https://site.example", "ssh:*", SUBJECT_UNRECOGNISED, false},
	{"https://site.example", "ssh:*", SUBJECT_CERTIFICATE, false},
	{"site.example", "ssh:*", SUBJECT_UNRECOGNISED, false},
	{"", "ssh:*", SUBJECT_UNRECOGNISED, false},
	{"ssh", "ssh:*", SUBJECT_UNRECOGNISED, false},
	{"SSH:", "ssh:*", SUBJECT_UNRECOGNISED, false},
	{"xssh:", "ssh:*", SUBJECT_UNRECOGNISED, false},
	/* The list replaces the default. */
	{"https://site.example", "ssh:*,https://*", SUBJECT_UNRECOGNISED, true},
	{"https://site.example", "https://*,!https://site.*", SUBJECT_UNRECOGNISED, false},
	{"ssh:", "https://*", SUBJECT_UNRECOGNISED, false},
	{"ssh:", "", SUBJECT_UNRECOGNISED, false},
	{"ssh:", "", SUBJECT_LOGIN, true},
	/* No restriction. */
	{"https://site.example", NULL, SUBJECT_UNRECOGNISED, true},
	{"", NULL, SUBJECT_CERTIFICATE, true},
};

static void a_web_sites_key_signs_nothing_that_a_web_site_takes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct subject subject = {.kind = rows[i].subject};

		if (websafe_permits(rows[i].application, rows[i].allow, &subject) !=
			rows[i].permitted)
			fail_msg("row %zu", i);
	}
}

static void in_a_login_the_key_that_signs_has_to_stand_itself(void **state)
{
	struct subject subject = {.kind = SUBJECT_LOGIN, .by_certificate = true};

	(void)state;
	assert_false(websafe_permits("https://site.example", "ssh:*", &subject));
	assert_true(websafe_permits("ssh:", "ssh:*", &subject));
	assert_true(websafe_permits(NULL, "ssh:*", &subject));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_a_login_the_key_that_signs_has_to_stand_itself),
		cmocka_unit_test(a_web_sites_key_signs_nothing_that_a_web_site_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
