/*
 * What /proc says of a process.
 */
#include <sys/prctl.h>
#include <unistd.h>

#include <keystile/process.h>

#include "test.h"

static void a_process_is_described_whatever_its_name(void **state)
{
	struct process own, again;

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, "x) R 1 (y\n", 0, 0, 0), 0);
	assert_true(process_read(getpid(), &own));
	assert_int_equal(own.pid, getpid());
	assert_int_equal(own.parent, getppid());
	assert_int_equal(own.group, getpgrp());
	assert_int_equal(own.session, getsid(0));
	assert_true(own.start_time > 0);
	assert_true(process_read(getpid(), &again));
	assert_true(own.start_time == again.start_time);
}

static void nobody_is_no_process(void **state)
{
	struct process process;

	(void)state;
	assert_false(process_read(0, &process));
	assert_false(process_read(-1, &process));
	assert_false(process_read(INT32_MAX, &process));
	assert_false(process_in_foreground(&process));
}

static void without_a_terminal_nobody_is_in_the_foreground(void **state)
{
	const struct process background = {.terminal = 1, .group = 2, .foreground = 3};
	const struct process foreground = {.terminal = 1, .group = 2, .foreground = 2};
	const struct process ended = {.terminal = 1, .group = 2, .foreground = 2, .state = 'Z'};
	const struct process nowhere = {.group = 2, .foreground = 2};

	(void)state;
	assert_true(process_in_foreground(&foreground));
	assert_false(process_in_foreground(&background));
	assert_false(process_in_foreground(&ended));
	assert_false(process_in_foreground(&nowhere));
}

static void a_program_is_the_end_of_its_path(void **state)
{
	char name[PROCESS_NAME_MAX];

	(void)state;
	process_program(getpid(), name);
	assert_string_equal(name, "test-process");
	process_program(INT32_MAX, name);
	assert_string_equal(name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_described_whatever_its_name),
		cmocka_unit_test(nobody_is_no_process),
		cmocka_unit_test(without_a_terminal_nobody_is_in_the_foreground),
		cmocka_unit_test(a_program_is_the_end_of_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
