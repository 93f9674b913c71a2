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

#define OTHER_UID 54321
#define CROWD 80 /* of large pipes: more than /proc/sys/fs/pipe-user-pages-soft has room for */
#define LARGE_PIPE (1 << 20)

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
	static const uint8_t much[SECRET_PIPE_MAX + 1];
	AUTO(fd) fd = 7;

	(void)state;
	assert_int_equal(secret_to_pipe(much, 0, &fd), KS_BAD_INPUT);
	assert_int_equal(fd, -1);
	assert_int_equal(secret_to_pipe(much, SECRET_PIPE_MAX + 1, &fd), KS_BAD_INPUT);
	assert_int_equal(fd, -1);
}

static void the_longest_secret_fits_into_its_pipe(void **state)
{
	static uint8_t longest[SECRET_PIPE_MAX];
	struct secret secret;
	AUTO(fd) fd = -1;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[0] = longest[SECRET_PIPE_MAX - 1] = 'y';
	assert_int_equal(secret_to_pipe(longest, SECRET_PIPE_MAX, &fd), KS_OK);
	assert_int_equal(secret_init(&secret, SECRET_PIPE_MAX), KS_OK);
	assert_int_equal(secret_read(&secret, fd), KS_OK);
	assert_int_equal(secret.len, SECRET_PIPE_MAX);
	assert_memory_equal(secret.data, longest, SECRET_PIPE_MAX);
	secret_deinit(&secret);
}

/* As another user, so that no other process of this one is in the way. */
static bool become_somebody_with_many_pipes(void)
{
	int ends[2];

	if (geteuid() == 0 && setresuid(OTHER_UID, OTHER_UID, OTHER_UID) != 0)
		return false;
	for (unsigned i = 0; i < CROWD; i++)
		if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[1], F_SETPIPE_SZ, LARGE_PIPE) < 0)
			break;
	return true;
}

/* In a child, which SIGALRM ends if it waits: the parent sees how it ended. */
static _Noreturn void send_the_longest_from_a_crowd(void)
{
	static uint8_t longest[SECRET_PIPE_MAX];
	int ends[2], fd;

	alarm(30);
	if (!become_somebody_with_many_pipes() || pipe2(ends, O_CLOEXEC) != 0)
		_exit(1);
	bool fits = fcntl(ends[1], F_GETPIPE_SZ) >= (int)SECRET_PIPE_MAX;
	if (secret_to_pipe(longest, sizeof(longest), &fd) != (fits ? KS_OK : KS_NO_MEMORY))
		_exit(2);
	_exit(secret_to_pipe(longest, KS_PIN_MAX, &fd) == KS_OK ? 0 : 3);
}

/* The kernel gives small pipes to a user who has many. */
static void a_pipe_that_is_too_small_fails_instead_of_waiting(void **state)
{
	int status = 0;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		send_the_longest_from_a_crowd();
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
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
		cmocka_unit_test(the_longest_secret_fits_into_its_pipe),
		cmocka_unit_test(a_pipe_that_is_too_small_fails_instead_of_waiting),
		cmocka_unit_test(wiping_leaves_the_memory_usable),
		cmocka_unit_test(a_forked_child_does_not_see_the_secret),
		cmocka_unit_test(memory_of_no_size_or_any_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
