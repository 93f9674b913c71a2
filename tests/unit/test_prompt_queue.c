/*
 * Who is asked for next, and who is not let in: floods of remote questions against everybody else.
 */
#include <stdlib.h>
#include <string.h>

#include "prompt_queue.h"
#include "test.h"

struct crowd {
	struct prompt_queue queue;
	struct prompt_place places[PROMPT_QUEUE_MAX];
	size_t count;
};

/* False where there is no room. */
static bool come(struct crowd *crowd, const char *path)
{
	if (prompt_queue_full(&crowd->queue, path) != NULL)
		return false;
	assert_true(crowd->count < PROMPT_QUEUE_MAX);
	crowd->places[crowd->count].path = path;
	prompt_queue_add(&crowd->queue, &crowd->places[crowd->count++]);
	return true;
}

static unsigned come_as_many(struct crowd *crowd, const char *path)
{
	unsigned count = 0;

	while (come(crowd, path))
		count++;
	return count;
}

static void expect(struct crowd *crowd, const char *path)
{
	struct prompt_place *place = prompt_queue_take(&crowd->queue);

	assert_non_null(place);
	if (path == NULL)
		assert_null(place->path);
	else
		assert_string_equal(place->path, path);
}

/* One letter for each path, "." for a local one. */
static void expect_order(struct crowd *crowd, const char *letters)
{
	for (; *letters != '\0'; letters++) {
		const char path[] = {*letters, '\0'};

		expect(crowd, *letters == '.' ? NULL : path);
	}
	assert_null(prompt_queue_take(&crowd->queue));
}

static void local_ones_go_first_in_their_order(void **state)
{
	struct crowd crowd = {0};

	(void)state;
	come(&crowd, "a");
	come(&crowd, NULL);
	come(&crowd, "b");
	come(&crowd, NULL);
	assert_ptr_equal(prompt_queue_take(&crowd.queue), &crowd.places[1]);
	assert_ptr_equal(prompt_queue_take(&crowd.queue), &crowd.places[3]);
	expect_order(&crowd, "ab");
}

static void paths_are_served_in_turn(void **state)
{
	struct crowd crowd = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		come(&crowd, "a");
	come(&crowd, "b");
	come(&crowd, "b");
	come(&crowd, "c");
	expect_order(&crowd, "abcabaa");
}

static void ones_of_one_path_keep_their_order(void **state)
{
	struct crowd crowd = {0};

	(void)state;
	come(&crowd, "a");
	come(&crowd, "b");
	come(&crowd, "a");
	assert_ptr_equal(prompt_queue_take(&crowd.queue), &crowd.places[0]);
	assert_ptr_equal(prompt_queue_take(&crowd.queue), &crowd.places[1]);
	assert_ptr_equal(prompt_queue_take(&crowd.queue), &crowd.places[2]);
}

static void who_asks_again_and_again_goes_behind_who_waits(void **state)
{
	struct crowd crowd = {0};

	(void)state;
	come(&crowd, "q");
	come(&crowd, "q");
	come(&crowd, "q");
	for (int i = 0; i < 3; i++) {
		come(&crowd, "a");
		come(&crowd, "b");
		expect(&crowd, "q");
		expect(&crowd, "a");
		expect(&crowd, "b");
	}
	assert_null(prompt_queue_take(&crowd.queue));
}

static void a_flood_of_one_path_leaves_places_for_others(void **state)
{
	struct crowd crowd = {0};

	(void)state;
	assert_int_equal(come_as_many(&crowd, "a"), PROMPT_QUEUE_PATH_MAX);
	assert_non_null(strstr(prompt_queue_full(&crowd.queue, "a"), "this way"));
	assert_int_equal(come_as_many(&crowd, "b"), PROMPT_QUEUE_PATH_MAX);
	assert_non_null(strstr(prompt_queue_full(&crowd.queue, "c"), "remote"));
	assert_int_equal(PROMPT_QUEUE_PATH_MAX + PROMPT_QUEUE_PATH_MAX, PROMPT_QUEUE_REMOTE_MAX);
}

static void remote_ones_hold_half_of_the_places_at_most(void **state)
{
	struct crowd crowd = {0};
	char paths[PROMPT_QUEUE_MAX][2];
	unsigned count = 0;

	(void)state;
	for (size_t i = 0; i < PROMPT_QUEUE_MAX; i++) {
		paths[i][0] = (char)('0' + i);
		paths[i][1] = '\0';
		count += come(&crowd, paths[i]);
	}
	assert_int_equal(count, PROMPT_QUEUE_MAX / 2);
	assert_int_equal(come_as_many(&crowd, NULL), PROMPT_QUEUE_MAX / 2);
	assert_non_null(prompt_queue_full(&crowd.queue, NULL));
	for (size_t i = 0; i < PROMPT_QUEUE_MAX / 2; i++)
		expect(&crowd, NULL);
	for (size_t i = 0; i < PROMPT_QUEUE_MAX / 2; i++)
		expect(&crowd, paths[i]);
}

static void local_ones_may_take_all_places(void **state)
{
	struct crowd crowd = {0};

	(void)state;
	assert_int_equal(come_as_many(&crowd, NULL), PROMPT_QUEUE_MAX);
	assert_non_null(prompt_queue_full(&crowd.queue, "a"));
}

static void one_that_leaves_makes_room_and_is_not_served(void **state)
{
	struct crowd crowd = {0};

	(void)state;
	come(&crowd, "a");
	come(&crowd, "b");
	come(&crowd, "a");
	prompt_queue_remove(&crowd.queue, &crowd.places[0]);
	prompt_queue_remove(&crowd.queue, &crowd.places[0]);
	expect_order(&crowd, "ba");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_ones_go_first_in_their_order),
		cmocka_unit_test(paths_are_served_in_turn),
		cmocka_unit_test(ones_of_one_path_keep_their_order),
		cmocka_unit_test(who_asks_again_and_again_goes_behind_who_waits),
		cmocka_unit_test(a_flood_of_one_path_leaves_places_for_others),
		cmocka_unit_test(remote_ones_hold_half_of_the_places_at_most),
		cmocka_unit_test(local_ones_may_take_all_places),
		cmocka_unit_test(one_that_leaves_makes_room_and_is_not_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
