/*
 * What a prompt program's end and output mean: every way to say yes, and all else, which is no.
 */
#include <signal.h>
#include <string.h>

#include "answer.h"
#include "pinentry.h"
#include "test.h"

#define EXIT(code) ((code) << 8) /* as wait() packs it */
#define KILLED(number) (number)
#define TEXT(literal)                                                                              \
	{                                                                                          \
		(const uint8_t *)(literal), sizeof(literal) - 1                                    \
	}

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A255 A50 A50 A50 A50 A50 "aaaaa"

static const struct {
	enum prompt_kind kind;
	int wait_status;
	struct bytes output;
	enum prompt_status status;
	const char *pin;
} table[] = {
	/* PINs */
	{PROMPT_PIN, EXIT(0), TEXT("1234\n"), PROMPT_YES, "1234"},
	{PROMPT_PIN, EXIT(0), TEXT("1234"), PROMPT_YES, "1234"},
	{PROMPT_PIN, EXIT(0), TEXT("1234\r\n"), PROMPT_YES, "1234"},
	{PROMPT_PIN, EXIT(0), TEXT(" 12 34 \n"), PROMPT_YES, " 12 34 "},
	{PROMPT_PIN, EXIT(0), TEXT("\xc3\xa4\n"), PROMPT_YES, "\xc3\xa4"},
	{PROMPT_PIN, EXIT(0), TEXT("yes"), PROMPT_YES, "yes"},
	{PROMPT_PIN, EXIT(0), TEXT(A255 "\r\n"), PROMPT_YES, A255},
	{PROMPT_PIN, EXIT(0), TEXT(A255 "a\n"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(0), TEXT(""), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(0), TEXT("\n"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(0), TEXT("\r\n"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(0), TEXT("1234\n\n"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(0), TEXT("1234\n5678\n"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(0), TEXT("1234\r"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(0), TEXT("\n1234"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(0), TEXT("12\00034\n"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(0), TEXT("1234\n\000"), PROMPT_FAILED, NULL},
	/* programs that did not end well: what they printed does not count */
	{PROMPT_PIN, EXIT(1), TEXT(""), PROMPT_NO, NULL},
	{PROMPT_PIN, EXIT(1), TEXT("\n"), PROMPT_NO, NULL},
	{PROMPT_PIN, EXIT(1), TEXT("1234\n"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(2), TEXT("1234\n"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(127), TEXT(""), PROMPT_FAILED, NULL},
	{PROMPT_PIN, EXIT(255), TEXT(""), PROMPT_FAILED, NULL},
	{PROMPT_PIN, KILLED(SIGSEGV), TEXT("1234\n"), PROMPT_FAILED, NULL},
	{PROMPT_PIN, KILLED(SIGTERM), TEXT(""), PROMPT_FAILED, NULL},
	{PROMPT_PIN, KILLED(SIGABRT | 0x80), TEXT("1234\n"), PROMPT_FAILED, NULL},
	/* confirmations */
	{PROMPT_CONFIRM, EXIT(0), TEXT(""), PROMPT_YES, NULL},
	{PROMPT_CONFIRM, EXIT(0), TEXT("\n"), PROMPT_YES, NULL},
	{PROMPT_CONFIRM, EXIT(0), TEXT("yes\n"), PROMPT_YES, NULL},
	{PROMPT_CONFIRM, EXIT(0), TEXT("YeS"), PROMPT_YES, NULL},
	{PROMPT_CONFIRM, EXIT(0), TEXT("no\n"), PROMPT_NO, NULL},
	{PROMPT_CONFIRM, EXIT(0), TEXT("yes \n"), PROMPT_FAILED, NULL},
	{PROMPT_CONFIRM, EXIT(0), TEXT("yes\n\n"), PROMPT_FAILED, NULL},
	{PROMPT_CONFIRM, EXIT(0), TEXT("\n\n"), PROMPT_FAILED, NULL},
	{PROMPT_CONFIRM, EXIT(0), TEXT("y"), PROMPT_FAILED, NULL},
	{PROMPT_CONFIRM, EXIT(0), TEXT("yes\000"), PROMPT_FAILED, NULL},
	{PROMPT_CONFIRM, EXIT(0), TEXT("cancel"), PROMPT_FAILED, NULL},
	{PROMPT_CONFIRM, EXIT(1), TEXT(""), PROMPT_NO, NULL},
	{PROMPT_CONFIRM, EXIT(1), TEXT("yes\n"), PROMPT_FAILED, NULL},
	{PROMPT_CONFIRM, EXIT(3), TEXT("yes\n"), PROMPT_FAILED, NULL},
	{PROMPT_CONFIRM, KILLED(SIGKILL), TEXT("yes\n"), PROMPT_FAILED, NULL},
	{PROMPT_CONFIRM, KILLED(SIGSEGV), TEXT(""), PROMPT_FAILED, NULL},
	/* notices answer nothing */
	{PROMPT_NOTICE, EXIT(0), TEXT(""), PROMPT_NO, NULL},
	{PROMPT_NOTICE, EXIT(0), TEXT("yes\n"), PROMPT_NO, NULL},
	{PROMPT_NOTICE, EXIT(1), TEXT(""), PROMPT_NO, NULL},
	{PROMPT_NOTICE, EXIT(2), TEXT(""), PROMPT_FAILED, NULL},
	{PROMPT_NOTICE, KILLED(SIGSEGV), TEXT(""), PROMPT_FAILED, NULL},
	/* no such kind */
	{(enum prompt_kind)0, EXIT(0), TEXT("1234\n"), PROMPT_FAILED, NULL},
};

static void only_an_explicit_yes_is_a_yes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct answer answer =
			answer_of(table[i].kind, table[i].wait_status, table[i].output);

		print_message("# %zu\n", i);
		assert_int_equal(answer.status, table[i].status);
		if (table[i].pin != NULL)
			assert_true(bytes_equal_text(answer.pin, table[i].pin));
		else
			assert_int_equal(answer.pin.len, 0);
	}
}

static void only_failures_have_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct answer answer =
			answer_of(table[i].kind, table[i].wait_status, table[i].output);

		assert_int_equal(answer.words != NULL, answer.status == PROMPT_FAILED);
		/* The agent shows 64 characters. */
		assert_true(answer.words == NULL || strlen(answer.words) <= 64);
	}
}

/* A conversation with a pinentry: the same, but for the statuses that it alone has. */
static void a_conversation_that_failed_is_no_answer(void **state)
{
	static const enum prompt_kind kinds[] = {PROMPT_PIN, PROMPT_CONFIRM, PROMPT_NOTICE};
	const struct bytes pin = bytes_of("1234\n");

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (int status = PINENTRY_MISSING; status < 256; status++) {
			struct answer answer = answer_of_pinentry(kinds[i], EXIT(status), pin);

			assert_int_equal(answer.status,
				status == PINENTRY_MISSING ? PROMPT_NOBODY : PROMPT_FAILED);
			assert_int_equal(answer.pin.len, 0);
			assert_true(strlen(answer.words) <= 64);
		}
		assert_int_equal(
			answer_of_pinentry(kinds[i], EXIT(PINENTRY_REFUSED), BYTES(NULL, 0)).status,
			PROMPT_NO);
		assert_int_equal(
			answer_of_pinentry(kinds[i], KILLED(SIGSEGV), pin).status, PROMPT_FAILED);
	}
	assert_int_equal(
		answer_of_pinentry(PROMPT_PIN, EXIT(PINENTRY_DONE), pin).status, PROMPT_YES);
	assert_int_equal(
		answer_of_pinentry(PROMPT_CONFIRM, EXIT(PINENTRY_REMEMBER), BYTES(NULL, 0)).status,
		PROMPT_YES_REMEMBER);
	assert_int_equal(
		answer_of_pinentry(PROMPT_PIN, EXIT(PINENTRY_REMEMBER), BYTES(NULL, 0)).status,
		PROMPT_FAILED);
	assert_int_equal(
		answer_of_pinentry(PROMPT_NOTICE, EXIT(PINENTRY_REMEMBER), BYTES(NULL, 0)).status,
		PROMPT_FAILED);
	assert_int_equal(answer_of(PROMPT_CONFIRM, EXIT(PINENTRY_REMEMBER), BYTES(NULL, 0)).status,
		PROMPT_FAILED);
	assert_int_equal(answer_of_pinentry(PROMPT_PIN, EXIT(PINENTRY_DONE), bytes_of("\n")).status,
		PROMPT_FAILED);
	assert_int_equal(
		answer_of_pinentry(PROMPT_CONFIRM, EXIT(PINENTRY_DONE), BYTES(NULL, 0)).status,
		PROMPT_YES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_an_explicit_yes_is_a_yes),
		cmocka_unit_test(only_failures_have_words),
		cmocka_unit_test(a_conversation_that_failed_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
