/*
 * What workers were kept from: counted, bounded, shown.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/log.h>

#include "denials.h"

static const char *text_of(json_t *list, size_t row, const char *name)
{
	const char *text = json_string_value(json_object_get(json_array_get(list, row), name));

	return text != NULL ? text : "(none)";
}

static int setup(void **state)
{
	log_start("test", LOG_LEVEL_ERROR);
	*state = denials_new();
	return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	denials_release(*state);
	return 0;
}

static void the_same_thing_is_one_row_with_a_count(void **state)
{
	for (int i = 0; i < 3; i++)
		denials_add(*state, "pkcs11", "/lib/a.so", DENIAL_CONNECT, "/run/x");
	denials_add(*state, "pkcs11", "/lib/a.so", DENIAL_CALL, "/run/x");
	denials_add(*state, "pkcs11", "/lib/b.so", DENIAL_CONNECT, "/run/x");
	denials_add(*state, "pkcs11", "/lib/a.so", DENIAL_CONNECT, "/run/x");
	json_t *list = denials_json(*state);

	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(text_of(list, 0, "provider"), "/lib/a.so"); /* the newest first */
	assert_string_equal(text_of(list, 0, "kind"), "connect");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "count")), 4);
	assert_string_equal(text_of(list, 1, "provider"), "/lib/b.so");
	assert_string_equal(text_of(list, 2, "kind"), "system call");
	json_decref(list);
}

static void each_says_what_would_permit_it(void **state)
{
	static const struct {
		enum denial_kind kind;
		const char *what;
		const char *remedy;
	} rows[] = {
		{DENIAL_CONNECT, "tcp:127.0.0.1:1", "grant-connect = {\"tcp:127.0.0.1:1\"}"},
		{DENIAL_CALL, "shmget", "grant-shared-memory = true"},
		{DENIAL_READ, "/opt/vendor/x.conf", "grant-read = {\"/opt/vendor/x.conf\"}"},
		{DENIAL_READ, "/", ""},
		{DENIAL_READ, "/home", ""},
		{DENIAL_READ, "/home/me", ""},
		{DENIAL_READ, "/home/me/.ssh/id_rsa", ""},
		{DENIAL_READ, "/home/men", "grant-read = {\"/home/men\"}"},
		{DENIAL_READ, "relative", ""},
		{DENIAL_WRITE, "/x", ""},
		{DENIAL_WRITE, "/home/me/x", ""},
		{DENIAL_WRITE, "/home/me/.ssh/rc", ""},
		{DENIAL_WRITE, "/var/opt/cache/y", "grant-write = {\"/var/opt/cache\"}"},
		{DENIAL_CALL, "ptrace", ""},
		{DENIAL_CONNECT, "/run/\"}\nrule x {", ""},
		{DENIAL_READ, "/run/${HOME}/x", ""},
	};

	assert_int_equal(setenv("HOME", "/home/me", 1), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		denials_add(*state, "pkcs11", "/lib/a.so", rows[i].kind, rows[i].what);
	json_t *list = denials_json(*state);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t row = sizeof(rows) / sizeof(rows[0]) - 1 - i;

		assert_string_equal(text_of(list, row, "what"), rows[i].what);
		assert_string_equal(text_of(list, row, "remedy"), rows[i].remedy);
	}
	json_decref(list);
}

static void one_provider_does_not_push_another_out(void **state)
{
	char what[32];

	denials_add(*state, "pkcs11", "/lib/quiet.so", DENIAL_CONNECT, "/run/x");
	for (int i = 0; i < 1000; i++) {
		snprintf(what, sizeof(what), "/run/%d", i);
		denials_add(*state, "pkcs11", "/lib/loud.so", DENIAL_CONNECT, what);
	}
	json_t *list = denials_json(*state);

	assert_int_equal(json_array_size(list), DENIALS_KEPT_EACH + 1);
	assert_string_equal(text_of(list, 0, "what"), "/run/999");
	assert_string_equal(text_of(list, DENIALS_KEPT_EACH, "provider"), "/lib/quiet.so");
	json_decref(list);
}

static void there_is_an_end_to_rows(void **state)
{
	char provider[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(provider, sizeof(provider), "/lib/%d.so", i);
		denials_add(*state, "pkcs11", provider, DENIAL_CALL, "ptrace");
	}
	json_t *list = denials_json(*state);

	assert_int_equal(json_array_size(list), DENIALS_KEPT);
	assert_string_equal(text_of(list, 0, "provider"), "/lib/999.so");
	json_decref(list);
}

static void foreign_text_is_cut_and_stays_text(void **state)
{
	char longest[8192];

	memset(longest, 0xff, sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	denials_add(*state, "pkcs11", longest, DENIAL_READ, longest);
	json_t *list = denials_json(*state);

	assert_int_equal(json_array_size(list), 1);
	assert_true(strlen(text_of(list, 0, "what")) < 256);
	assert_string_equal(text_of(list, 0, "remedy"), "");
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_same_thing_is_one_row_with_a_count, setup, teardown),
		cmocka_unit_test_setup_teardown(each_says_what_would_permit_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			one_provider_does_not_push_another_out, setup, teardown),
		cmocka_unit_test_setup_teardown(there_is_an_end_to_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(
			foreign_text_is_cut_and_stays_text, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
