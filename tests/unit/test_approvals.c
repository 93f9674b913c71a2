/*
 * Approvals that count for more than one request: for exactly what they were given, and no longer
 * than was said.
 */
#include <stdint.h>
#include <stdio.h>

#include "approvals.h"
#include "test.h"

#define START 1000000
#define WINDOW 60000

/* What a yes was given for; each test changes what it is about. */
struct bed {
	struct subject subject;
	struct peer peer;
	struct approval_scope scope;
	struct approvals approvals;
};

static char *writable(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void make(struct bed *bed)
{
	*bed = (struct bed){.subject = {.kind = SUBJECT_LOGIN,
				    .user = bytes_of("root"),
				    .host_key = bytes_of("host")},
		.peer = {.pid = 7, .start_time = 9, .executable = writable("/usr/bin/ssh")}};
	bed->scope = (struct approval_scope){.rule = "rule",
		.key_blob = bytes_of("key"),
		.subject = &bed->subject,
		.peer = &bed->peer};
}

static bool covered(const struct bed *bed, uint64_t now_ms)
{
	return approvals_cover(&bed->approvals, &bed->scope, now_ms);
}

static void a_yes_counts_for_its_time_and_no_longer(void **state)
{
	struct bed bed;

	(void)state;
	make(&bed);
	assert_false(covered(&bed, START));
	approvals_add(&bed.approvals, &bed.scope, START, WINDOW);
	assert_true(covered(&bed, START));
	assert_true(covered(&bed, START + WINDOW - 1));
	assert_false(covered(&bed, START + WINDOW));
}

static void use_and_another_yes_do_not_extend_it(void **state)
{
	struct bed bed;

	(void)state;
	make(&bed);
	approvals_add(&bed.approvals, &bed.scope, START, WINDOW);
	assert_true(covered(&bed, START + WINDOW / 2));
	approvals_add(&bed.approvals, &bed.scope, START + WINDOW / 2, WINDOW);
	assert_false(covered(&bed, START + WINDOW));
	/* One after its end is a new one. */
	approvals_add(&bed.approvals, &bed.scope, START + WINDOW, WINDOW);
	assert_true(covered(&bed, START + WINDOW + 1));
}

static void it_counts_for_nothing_else(void **state)
{
	struct bed bed;

	(void)state;
	make(&bed);
	approvals_add(&bed.approvals, &bed.scope, START, WINDOW);
	bed.scope.rule = "other";
	assert_false(covered(&bed, START));
	bed.scope.rule = "rule";
	bed.scope.key_blob = bytes_of("other");
	assert_false(covered(&bed, START));
	bed.scope.key_blob = bytes_of("key");
	bed.subject.user = bytes_of("other");
	assert_false(covered(&bed, START));
	bed.subject.user = bytes_of("root");
	bed.subject.host_key = bytes_of("other");
	assert_false(covered(&bed, START));
	bed.subject.host_key = bytes_of("host");
	bed.peer.pid = 8;
	assert_false(covered(&bed, START));
	bed.peer.pid = 7;
	bed.peer.start_time = 10;
	assert_false(covered(&bed, START));
	bed.peer.start_time = 9;
	bed.peer.executable = writable("/usr/bin/other");
	assert_false(covered(&bed, START));
	bed.peer.executable = writable("/usr/bin/ssh");
	assert_true(covered(&bed, START));
	/* Where one text ends and the next begins matters. */
	bed.scope.rule = "rul";
	bed.scope.key_blob = bytes_of("ekey");
	assert_false(covered(&bed, START));
}

static void nothing_is_remembered_for_who_or_what_is_not_known(void **state)
{
	struct bed bed;

	(void)state;
	make(&bed);
	bed.peer.start_time = 0;
	approvals_add(&bed.approvals, &bed.scope, START, WINDOW);
	assert_false(covered(&bed, START));
	make(&bed);
	bed.peer.pid = 0;
	approvals_add(&bed.approvals, &bed.scope, START, WINDOW);
	assert_false(covered(&bed, START));
	make(&bed);
	bed.subject.host_key = bytes_of("");
	approvals_add(&bed.approvals, &bed.scope, START, WINDOW);
	assert_false(covered(&bed, START));
}

static void when_there_is_no_place_the_one_that_ends_first_goes(void **state)
{
	struct bed bed;

	(void)state;
	make(&bed);
	for (int i = 0; i <= APPROVALS_MAX; i++) {
		bed.peer.pid = 100 + i;
		approvals_add(&bed.approvals, &bed.scope, START + (uint64_t)i, WINDOW);
	}
	for (int i = 0; i <= APPROVALS_MAX; i++) {
		bed.peer.pid = 100 + i;
		assert_int_equal(covered(&bed, START + APPROVALS_MAX), i > 0);
	}
	approvals_forget(&bed.approvals);
	assert_false(covered(&bed, START + APPROVALS_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_yes_counts_for_its_time_and_no_longer),
		cmocka_unit_test(use_and_another_yes_do_not_extend_it),
		cmocka_unit_test(it_counts_for_nothing_else),
		cmocka_unit_test(nothing_is_remembered_for_who_or_what_is_not_known),
		cmocka_unit_test(when_there_is_no_place_the_one_that_ends_first_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
