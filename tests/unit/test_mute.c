/*
 * How long a path is quiet after the person said no, and when that begins anew.
 */
#include <stdio.h>

#include "mute.h"
#include "test.h"

#define MINUTE_MS ((uint64_t)60 * 1000)

static void a_no_mutes_its_path_alone_for_a_minute(void **state)
{
	struct mutes mutes = {0};

	(void)state;
	assert_false(mute_holds(&mutes, "a", 0));
	mute_begin(&mutes, "a", 1000);
	assert_true(mute_holds(&mutes, "a", 1000));
	assert_true(mute_holds(&mutes, "a", 1000 + MINUTE_MS - 1));
	assert_false(mute_holds(&mutes, "a", 1000 + MINUTE_MS));
	assert_false(mute_holds(&mutes, "b", 1000));
}

static void each_further_no_doubles_up_to_an_hour(void **state)
{
	struct mutes mutes = {0};
	uint64_t now = 1000, length = MINUTE_MS;

	(void)state;
	for (int i = 0; i < 12; i++) {
		mute_begin(&mutes, "a", now);
		assert_true(mute_holds(&mutes, "a", now + length - 1));
		assert_false(mute_holds(&mutes, "a", now + length));
		now += length;
		length = length < 60 * MINUTE_MS ? 2 * length : length;
	}
	assert_true(length >= 60 * MINUTE_MS && length <= 120 * MINUTE_MS);
}

static void a_yes_or_a_long_quiet_time_begins_anew(void **state)
{
	struct mutes mutes = {0};

	(void)state;
	mute_begin(&mutes, "a", 0);
	mute_begin(&mutes, "a", MINUTE_MS);
	mute_forget(&mutes, "a");
	assert_false(mute_holds(&mutes, "a", MINUTE_MS));
	mute_begin(&mutes, "a", 10 * MINUTE_MS);
	assert_false(mute_holds(&mutes, "a", 11 * MINUTE_MS));
	mute_begin(&mutes, "a", 200 * MINUTE_MS);
	assert_false(mute_holds(&mutes, "a", 201 * MINUTE_MS));
}

static void path_name(char path[static 32], unsigned number)
{
	snprintf(path, 32, "path %u", number);
}

static void too_many_quiet_paths_make_every_path_quiet(void **state)
{
	struct mutes mutes = {0};
	char path[32];

	(void)state;
	for (unsigned i = 0; i < MUTES_MAX; i++) {
		path_name(path, i);
		assert_false(mute_holds(&mutes, "another", i));
		assert_false(mute_holds(&mutes, path, i));
		mute_begin(&mutes, path, i);
	}
	assert_true(mute_holds(&mutes, "another", MUTES_MAX));
	assert_true(mute_holds(&mutes, "another", MINUTE_MS - 1));
	assert_false(mute_holds(&mutes, "another", MINUTE_MS));
}

static void many_paths_push_out_the_one_that_ends_first(void **state)
{
	struct mutes mutes = {0};
	char path[32];

	(void)state;
	for (unsigned i = 0; i <= MUTES_MAX; i++) {
		path_name(path, i);
		mute_begin(&mutes, path, i);
	}
	/* Its own is forgotten: it is quiet only as long as everybody is. */
	assert_true(mute_holds(&mutes, "path 0", MUTES_MAX));
	assert_false(mute_holds(&mutes, "path 0", MINUTE_MS + 1));
	for (unsigned i = 2; i <= MUTES_MAX; i++) {
		path_name(path, i);
		assert_true(mute_holds(&mutes, path, MINUTE_MS + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_no_mutes_its_path_alone_for_a_minute),
		cmocka_unit_test(each_further_no_doubles_up_to_an_hour),
		cmocka_unit_test(a_yes_or_a_long_quiet_time_begins_anew),
		cmocka_unit_test(too_many_quiet_paths_make_every_path_quiet),
		cmocka_unit_test(many_paths_push_out_the_one_that_ends_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
