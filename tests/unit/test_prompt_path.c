/*
 * Which requests count as having come the same way, and that nobody far away can make up a way.
 */
#include <stdlib.h>
#include <string.h>

#include "prompt_path.h"
#include "test.h"

static bool same(const struct peer *one, const struct peer *other)
{
	char *a = prompt_path(one, "remote");
	char *b = prompt_path(other, "remote");
	bool result;

	assert_non_null(a);
	assert_non_null(b);
	result = strcmp(a, b) == 0;
	free(a);
	free(b);
	return result;
}

static void each_ssh_is_a_way_of_its_own(void **state)
{
	char ssh[] = "/usr/bin/ssh", dropbear[] = "/usr/bin/dbclient";
	struct peer one = {.pid = 10, .start_time = 5, .executable = ssh};
	struct peer other = {.pid = 11, .start_time = 5, .executable = ssh};
	struct peer later = {.pid = 10, .start_time = 6, .executable = ssh};
	struct peer small = {.pid = 12, .start_time = 5, .executable = dropbear};
	struct peer small_too = {.pid = 13, .start_time = 5, .executable = dropbear};

	(void)state;
	assert_true(same(&one, &one));
	assert_false(same(&one, &other));
	assert_false(same(&one, &later));
	assert_false(same(&small, &small_too));
}

static void a_program_that_relays_is_one_way_whatever_its_process(void **state)
{
	char socat[] = "/usr/bin/socat", sshd[] = "/usr/sbin/sshd";
	struct peer one = {.pid = 10, .start_time = 5, .executable = socat};
	struct peer other = {.pid = 11, .start_time = 6, .executable = socat};
	struct peer another = {.pid = 11, .start_time = 6, .executable = sshd};

	(void)state;
	assert_true(same(&one, &other));
	assert_false(same(&one, &another));
}

static void who_can_make_up_names_and_processes_is_one_way(void **state)
{
	char ssh[] = "/usr/bin/ssh", made_up[] = "/tmp/x", nothing[] = "", gone[] = "/x (deleted)";
	struct peer strangers[] = {
		{.pid = 10, .start_time = 5, .executable = ssh, .other_namespace = true},
		{.pid = 11, .start_time = 6, .executable = ssh, .other_namespace = true},
		{.pid = 12, .start_time = 7, .executable = made_up, .other_namespace = true},
		{.pid = 13, .start_time = 8, .executable = nothing},
		{.pid = 14, .start_time = 0, .executable = ssh},
		{.pid = 0, .start_time = 9, .executable = ssh},
		{.pid = 15, .start_time = 9, .executable = gone, .executable_deleted = true},
	};
	struct peer known = {.pid = 10, .start_time = 5, .executable = ssh};

	(void)state;
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		assert_true(same(&strangers[i], &strangers[0]));
		assert_false(same(&strangers[i], &known));
	}
}

static void strangers_of_another_listener_came_another_way(void **state)
{
	char made_up[] = "/tmp/x";
	struct peer stranger = {.pid = 10, .executable = made_up, .other_namespace = true};
	char *one = prompt_path(&stranger, "remote");
	char *other = prompt_path(&stranger, "container");

	(void)state;
	assert_string_not_equal(one, other);
	free(one);
	free(other);
}

static void no_name_of_a_program_is_taken_for_another_way(void **state)
{
	char made_up[] = "listener remote", relative[] = "process 10 5";
	char ssh[] = "/usr/bin/ssh";
	struct peer stranger = {.pid = 0, .executable = ssh};
	struct peer known = {.pid = 10, .start_time = 5, .executable = ssh};
	struct peer one = {.pid = 11, .start_time = 5, .executable = made_up};
	struct peer other = {.pid = 11, .start_time = 5, .executable = relative};

	(void)state;
	assert_false(same(&one, &stranger));
	assert_false(same(&other, &known));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_ssh_is_a_way_of_its_own),
		cmocka_unit_test(a_program_that_relays_is_one_way_whatever_its_process),
		cmocka_unit_test(who_can_make_up_names_and_processes_is_one_way),
		cmocka_unit_test(strangers_of_another_listener_came_another_way),
		cmocka_unit_test(no_name_of_a_program_is_taken_for_another_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
