/*
 * Where the sockets of a person's agents are looked for.
 */
#include <sys/stat.h>

#include <keystile/cleanup.h>
#include <keystile/control.h>
#include <keystile/text.h>

#include "test.h"

/* Without XDG_RUNTIME_DIR: the folder of the login manager where there is one. */
static char *expected_without_variable(void)
{
	AUTO(text) usual = text_format("/run/user/%u", (unsigned)geteuid());
	struct stat facts;

	assert_non_null(usual);
	if (lstat(usual, &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == geteuid())
		return text_format("%s/keystile", usual);
	return text_format("/tmp/keystile-%u", (unsigned)geteuid());
}

static void the_runtime_folder_of_the_session_is_taken(void **state)
{
	AUTO(text) folder = NULL;

	(void)state;
	setenv("XDG_RUNTIME_DIR", "/run/somewhere", 1);
	folder = control_runtime_folder();
	assert_string_equal(folder, "/run/somewhere/keystile");
}

static void without_a_session_there_is_a_folder_all_the_same(void **state)
{
	static const char *const useless[] = {NULL, "", "relative/folder"};
	AUTO(text) expected = expected_without_variable();

	(void)state;
	for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
		AUTO(text) folder = NULL;

		unsetenv("XDG_RUNTIME_DIR");
		if (useless[i])
			setenv("XDG_RUNTIME_DIR", useless[i], 1);
		folder = control_runtime_folder();
		assert_string_equal(folder, expected);
	}
}

static void an_agent_of_its_own_has_a_folder_of_its_own(void **state)
{
	AUTO(text) folder = NULL;

	(void)state;
	setenv("XDG_RUNTIME_DIR", "/run/somewhere", 1);
	folder = control_agent_folder(4321);
	assert_string_equal(folder, "/run/somewhere/keystile/agent-4321");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_runtime_folder_of_the_session_is_taken),
		cmocka_unit_test(without_a_session_there_is_a_folder_all_the_same),
		cmocka_unit_test(an_agent_of_its_own_has_a_folder_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
