/*
 * The table of ssh processes that had a connection: a process is new once, one with the same
 * number but another start is another, and those that have ended make room.
 */
#include <string.h>
#include <unistd.h>

#include "peer.h"
#include "ssh_seen.h"
#include "test.h"

/* Above what the kernel gives out, so that no such process lives. */
#define NO_PID 0x7f000000

static void a_process_is_new_once(void **state)
{
	struct ssh_seen seen = {0};

	(void)state;
	assert_false(ssh_seen_before(&seen, 10, 500));
	assert_true(ssh_seen_before(&seen, 10, 500));
	assert_true(ssh_seen_before(&seen, 10, 500));
	ssh_seen_deinit(&seen);
	assert_false(ssh_seen_before(&seen, 10, 500));
	ssh_seen_deinit(&seen);
}

static void a_number_that_is_used_again_is_another_process(void **state)
{
	struct ssh_seen seen = {0};

	(void)state;
	assert_false(ssh_seen_before(&seen, 10, 500));
	assert_false(ssh_seen_before(&seen, 10, 501));
	assert_false(ssh_seen_before(&seen, 11, 500));
	assert_true(ssh_seen_before(&seen, 10, 500));
	assert_true(ssh_seen_before(&seen, 10, 501));
	ssh_seen_deinit(&seen);
}

static void processes_that_ended_make_room_and_those_that_live_stay(void **state)
{
	struct ssh_seen seen = {0};
	uint64_t start_time = peer_start_time(getpid());

	(void)state;
	assert_int_not_equal(start_time, 0);
	assert_false(ssh_seen_before(&seen, getpid(), start_time));
	for (int i = 0; i < 10000; i++)
		assert_false(ssh_seen_before(&seen, NO_PID + i, 1));
	assert_true(seen.capacity >= 1 && seen.capacity <= 256);
	assert_true(ssh_seen_before(&seen, getpid(), start_time));
	ssh_seen_deinit(&seen);
	assert_null(seen.entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_new_once),
		cmocka_unit_test(a_number_that_is_used_again_is_another_process),
		cmocka_unit_test(processes_that_ended_make_room_and_those_that_live_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
