/*
 * Log lines and the words for errors: what is written, where, and when.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <keystile/error.h>
#include <keystile/log.h>

#include "test.h"

struct heard {
	unsigned count;
	enum log_level level;
	char line[4096];
};

static void listen_to(enum log_level level, const char *line, void *context)
{
	struct heard *heard = context;

	heard->count++;
	heard->level = level;
	snprintf(heard->line, sizeof(heard->line), "%s", line);
	errno = ENOTTY;
}

static void lines_above_the_level_are_not_written(void **state)
{
	struct heard heard = {0};

	(void)state;
	log_start("test", LOG_LEVEL_WARNING);
	log_to(listen_to, &heard);
	log_debug("no");
	log_info("no");
	assert_int_equal(heard.count, 0);
	log_warning("w%d", 1);
	assert_string_equal(heard.line, "w1");
	assert_int_equal(heard.level, LOG_LEVEL_WARNING);
	log_error("e%d", 2);
	assert_string_equal(heard.line, "e2");
	assert_int_equal(heard.level, LOG_LEVEL_ERROR);
	log_start("test", LOG_LEVEL_DEBUG);
	assert_int_equal(log_level(), LOG_LEVEL_DEBUG);
	log_info("i3");
	assert_string_equal(heard.line, "i3");
	log_debug("d4");
	assert_string_equal(heard.line, "d4");
	log_to(NULL, NULL);
}

static void a_line_stays_one_line(void **state)
{
	struct heard heard = {0};

	(void)state;
	log_to(listen_to, &heard);
	log_error("%s", "one\ntwo\x1b[2J\x7f");
	assert_string_equal(heard.line, "one?two?[2J?");
	log_to(NULL, NULL);
}

static void a_line_that_is_too_long_is_cut(void **state)
{
	struct heard heard = {0};
	char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_to(listen_to, &heard);
	log_error("%s", text);
	assert_int_equal(strlen(heard.line), 2047);
	assert_string_equal(heard.line + 2043, "x...");
	log_to(NULL, NULL);
}

static void logging_leaves_errno_alone(void **state)
{
	struct heard heard = {0};

	(void)state;
	log_to(listen_to, &heard);
	errno = ENOENT;
	log_error("x");
	assert_int_equal(heard.count, 1);
	assert_int_equal(errno, ENOENT);
	log_to(NULL, NULL);
}

/* A packet socket would do too; a pipe with O_DIRECT shows each write() as one packet. */
static void a_line_goes_to_stderr_in_one_write_with_the_programs_name(void **state)
{
	int ends[2], before = dup(STDERR_FILENO);
	char got[200] = {0};

	(void)state;
	assert_int_equal(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
	log_start("keystile-test", LOG_LEVEL_INFO);
	dup2(ends[1], STDERR_FILENO);
	log_info("first %d", 1);
	log_error("second");
	dup2(before, STDERR_FILENO);
	assert_int_equal(read(ends[0], got, sizeof(got)), strlen("keystile-test: first 1\n"));
	assert_string_equal(got, "keystile-test: first 1\n");
	memset(got, 0, sizeof(got));
	assert_int_equal(read(ends[0], got, sizeof(got)), strlen("keystile-test: second\n"));
	assert_string_equal(got, "keystile-test: second\n");
	assert_int_equal(read(ends[0], got, sizeof(got)), -1);
	close(ends[0]);
	close(ends[1]);
	close(before);
}

static void every_error_has_words_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KS_ERROR_COUNT; i++) {
		assert_string_not_equal(ks_error_text(i), "unknown error");
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(ks_error_text(i), ks_error_text(j));
	}
	assert_string_equal(ks_error_text(KS_PIN_WRONG), "wrong PIN");
	assert_string_equal(ks_error_text(KS_ERROR_COUNT), "unknown error");
	assert_string_equal(ks_error_text((enum ks_error) - 1), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_above_the_level_are_not_written),
		cmocka_unit_test(a_line_stays_one_line),
		cmocka_unit_test(a_line_that_is_too_long_is_cut),
		cmocka_unit_test(logging_leaves_errno_alone),
		cmocka_unit_test(a_line_goes_to_stderr_in_one_write_with_the_programs_name),
		cmocka_unit_test(every_error_has_words_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
