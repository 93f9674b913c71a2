/*
 * Memory for secrets and the pipe they travel through.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/secret.h>

#include "test.h"

static void a_secret_goes_through_a_pipe(void **state)
{
	struct secret secret;
	AUTO(fd) fd = -1;

	(void)state;
	assert_int_equal(secret_init(&secret, KS_PIN_MAX), KS_OK);
	assert_int_equal(secret_to_pipe((const uint8_t *)"123456", 6, &fd), KS_OK);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(secret_read(&secret, fd), KS_OK);
	assert_int_equal(secret.len, 6);
	assert_memory_equal(secret.data, "123456", 6);
	secret_deinit(&secret);
	assert_null(secret.data);
	secret_deinit(&secret);
}

static void reading_starts_anew_each_time(void **state)
{
	struct secret secret;

	(void)state;
	assert_int_equal(secret_init(&secret, 8), KS_OK);
	for (unsigned round = 0; round < 2; round++) {
		AUTO(fd) fd = -1;

		assert_int_equal(secret_to_pipe((const uint8_t *)"12345678", 8, &fd), KS_OK);
		assert_int_equal(secret_read(&secret, fd), KS_OK);
		assert_int_equal(secret.len, 8);
	}
	secret_deinit(&secret);
}

static void a_secret_longer_than_its_memory_is_refused_and_wiped(void **state)
{
	struct secret secret;
	AUTO(fd) fd = -1;

	(void)state;
	assert_int_equal(secret_init(&secret, 4), KS_OK);
	assert_int_equal(secret_to_pipe((const uint8_t *)"12345", 5, &fd), KS_OK);
	assert_int_equal(secret_read(&secret, fd), KS_BAD_INPUT);
	assert_int_equal(secret.len, 0);
	assert_memory_equal(secret.data, "\0\0\0\0\0", 5);
	secret_deinit(&secret);
}

static void a_descriptor_that_cannot_be_read_gives_no_secret(void **state)
{
	struct secret secret;
	int ends[2];

	(void)state;
	assert_int_equal(secret_init(&secret, 4), KS_OK);
	assert_int_equal(secret_read(&secret, -1), KS_BAD_INPUT);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(write(ends[1], "12", 2), 2);
	assert_int_equal(secret_read(&secret, ends[0]), KS_BAD_INPUT); /* no end yet */
	assert_int_equal(secret.len, 0);
	assert_memory_equal(secret.data, "\0\0", 2);
	close(ends[0]);
	close(ends[1]);
	secret_deinit(&secret);
}

static void an_empty_pipe_is_an_empty_secret(void **state)
{
	struct secret secret;
	AUTO(fd) fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(secret_init(&secret, 4), KS_OK);
	assert_int_equal(secret_read(&secret, fd), KS_OK);
	assert_int_equal(secret.len, 0);
	secret_deinit(&secret);
}

static void no_pipe_is_made_for_nothing_or_too_much(void **state)
{
	static const uint8_t much[4097];
	AUTO(fd) fd = 7;

	(void)state;
	assert_int_equal(secret_to_pipe(much, 0, &fd), KS_BAD_INPUT);
	assert_int_equal(fd, -1);
	assert_int_equal(secret_to_pipe(much, 4097, &fd), KS_BAD_INPUT);
	assert_int_equal(fd, -1);
	assert_int_equal(secret_to_pipe(much, 4096, &fd), KS_OK);
	assert_true(fd >= 0);
}

static void wiping_leaves_the_memory_usable(void **state)
{
	struct secret secret;

	(void)state;
	assert_int_equal(secret_init(&secret, 4), KS_OK);
	memcpy(secret.data, "1234", 4);
	secret.len = 4;
	secret_wipe(&secret);
	assert_int_equal(secret.len, 0);
	assert_memory_equal(secret.data, "\0\0\0\0", 4);
	memcpy(secret.data, "5678", 4);
	secret_deinit(&secret);
}

static void a_forked_child_does_not_see_the_secret(void **state)
{
	struct secret secret;
	int status = 0;
	pid_t child;

	(void)state;
	assert_int_equal(secret_init(&secret, 4), KS_OK);
	memcpy(secret.data, "1234", 4);
	child = fork();
	if (child == 0)
		_exit(memcmp(secret.data, "\0\0\0\0", 4) == 0 ? 0 : 1);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_memory_equal(secret.data, "1234", 4);
	secret_deinit(&secret);
}

static void memory_of_no_size_or_any_size_is_refused(void **state)
{
	struct secret secret;

	(void)state;
	assert_int_equal(secret_init(&secret, 0), KS_BAD_INPUT);
	assert_int_equal(secret_init(&secret, SIZE_MAX), KS_BAD_INPUT);
	assert_null(secret.data);
	assert_int_equal(secret_read(&secret, 0), KS_BAD_INPUT);
	secret_deinit(&secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_goes_through_a_pipe),
		cmocka_unit_test(reading_starts_anew_each_time),
		cmocka_unit_test(a_secret_longer_than_its_memory_is_refused_and_wiped),
		cmocka_unit_test(a_descriptor_that_cannot_be_read_gives_no_secret),
		cmocka_unit_test(an_empty_pipe_is_an_empty_secret),
		cmocka_unit_test(no_pipe_is_made_for_nothing_or_too_much),
		cmocka_unit_test(wiping_leaves_the_memory_usable),
		cmocka_unit_test(a_forked_child_does_not_see_the_secret),
		cmocka_unit_test(memory_of_no_size_or_any_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
