/* Times of the tokens of a worker. */
#include "quiet.h"
#include "test.h"

static void a_token_has_its_own_time(void **state)
{
	struct quiet quiet = {.any_ms = 100};

	(void)state;
	assert_int_equal(quiet_since_ms(&quiet, 2), 100);
	quiet_note(&quiet, 2, 500);
	assert_int_equal(quiet_since_ms(&quiet, 2), 500);
	assert_int_equal(quiet_since_ms(&quiet, 3), 100);
	quiet_note(&quiet, 2, 600);
	assert_int_equal(quiet_since_ms(&quiet, 2), 600);
}

static void one_that_is_not_known_may_be_each(void **state)
{
	struct quiet quiet = {.any_ms = 100};

	(void)state;
	quiet_note(&quiet, 2, 500);
	assert_int_equal(quiet_since_ms(&quiet, 0), 500);
	quiet_note(&quiet, 0, 700);
	assert_int_equal(quiet_since_ms(&quiet, 2), 700);
	assert_int_equal(quiet_since_ms(&quiet, 9), 700);
	assert_int_equal(quiet_since_ms(&quiet, 0), 700);
}

static void what_loses_its_place_counts_for_all(void **state)
{
	struct quiet quiet = {0};

	(void)state;
	for (uint32_t token = 1; token <= QUIET_TOKENS; token++)
		quiet_note(&quiet, token, 100 * token);
	assert_int_equal(quiet_since_ms(&quiet, 1000), 0);
	quiet_note(&quiet, 1000, 9000);
	assert_int_equal(quiet_since_ms(&quiet, 1), 100);
	assert_int_equal(quiet_since_ms(&quiet, 2), 200);
	assert_int_equal(quiet_since_ms(&quiet, 2000), 100);
	quiet_note(&quiet, 2000, 9001);
	assert_int_equal(quiet_since_ms(&quiet, 1), 200);
	assert_int_equal(quiet_since_ms(&quiet, 1000), 9000);
}

static void one_that_was_pulled_may_come_back_as_another(void **state)
{
	struct quiet quiet = {0};

	(void)state;
	quiet_note(&quiet, 2, 500);
	quiet_gone(&quiet, 3);
	assert_int_equal(quiet_since_ms(&quiet, 4), 0);
	quiet_gone(&quiet, 2);
	assert_int_equal(quiet_since_ms(&quiet, 4), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_has_its_own_time),
		cmocka_unit_test(one_that_is_not_known_may_be_each),
		cmocka_unit_test(what_loses_its_place_counts_for_all),
		cmocka_unit_test(one_that_was_pulled_may_come_back_as_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
