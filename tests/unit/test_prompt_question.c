/*
 * The question that goes to the prompt helper.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/prompt.h>

#include "test.h"

static void put_question(struct buf *out, uint8_t kind, struct bytes text, struct bytes program)
{
	buf_put_u8(out, kind);
	buf_put_string(out, text);
	buf_put_string(out, program);
}

static void assert_refused(struct bytes bytes)
{
	struct prompt_question question;

	assert_int_equal(prompt_question_decode(bytes, &question), KS_BAD_INPUT);
	assert_null(question.text);
	assert_null(question.program);
}

static void a_question_comes_back_as_it_was(void **state)
{
	char text[] = "PIN of \"token\"?\nasked by ssh\n", program[] = "/usr/bin/ssh-askpass";

	(void)state;
	for (unsigned kind = PROMPT_PIN; kind <= PROMPT_NOTICE; kind++) {
		struct prompt_question question = {kind, text, program}, decoded;
		AUTO(buf) buf = {0};

		prompt_question_encode(&question, &buf);
		assert_int_equal(buf_status(&buf), KS_OK);
		assert_int_equal(prompt_question_decode(buf_bytes(&buf), &decoded), KS_OK);
		assert_int_equal(decoded.kind, kind);
		assert_string_equal(decoded.text, text);
		assert_string_equal(decoded.program, program);
		prompt_question_deinit(&decoded);
		assert_null(decoded.text);
		prompt_question_deinit(&decoded);
	}
}

static void no_question_is_taken_that_ends_early_or_late(void **state)
{
	AUTO(buf) buf = {0};

	(void)state;
	put_question(&buf, PROMPT_PIN, bytes_of("text"), bytes_of("/askpass"));
	for (size_t len = 0; len < buf.len; len++)
		assert_refused(BYTES(buf.data, len));
	buf_put_u8(&buf, 0);
	assert_refused(buf_bytes(&buf));
}

static void kinds_that_are_not_known_are_refused(void **state)
{
	static const uint8_t kinds[] = {0, 4, 255};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds); i++) {
		AUTO(buf) buf = {0};

		put_question(&buf, kinds[i], bytes_of("text"), bytes_of("/askpass"));
		assert_refused(buf_bytes(&buf));
	}
}

static void a_question_names_its_program_and_holds_no_nul(void **state)
{
	AUTO(buf) nobody = {0}, split = {0};

	(void)state;
	put_question(&nobody, PROMPT_PIN, bytes_of("text"), bytes_of(""));
	assert_refused(buf_bytes(&nobody));
	put_question(
		&split, PROMPT_PIN, bytes_of("text"), BYTES((const uint8_t *)"/bin\0/askpass", 13));
	assert_refused(buf_bytes(&split));
}

static void a_question_has_at_most_32_kib(void **state)
{
	char *text = calloc(1, PROMPT_MAX + 2), program[] = "/askpass";
	size_t room = PROMPT_MAX - 1 - 4 - 4 - strlen(program);
	struct prompt_question question = {PROMPT_PIN, text, program}, decoded;
	AUTO(buf) fits = {0}, sent = {0}, received = {0};

	(void)state;
	assert_non_null(text);
	memset(text, 'x', room);
	prompt_question_encode(&question, &fits);
	assert_int_equal(buf_status(&fits), KS_OK);
	assert_int_equal(fits.len, PROMPT_MAX);
	assert_int_equal(prompt_question_decode(buf_bytes(&fits), &decoded), KS_OK);
	prompt_question_deinit(&decoded);
	text[room] = 'x';
	prompt_question_encode(&question, &sent);
	assert_int_equal(buf_status(&sent), KS_NO_MEMORY);
	put_question(&received, PROMPT_PIN, bytes_of(text), bytes_of(program));
	assert_refused(buf_bytes(&received));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_comes_back_as_it_was),
		cmocka_unit_test(no_question_is_taken_that_ends_early_or_late),
		cmocka_unit_test(kinds_that_are_not_known_are_refused),
		cmocka_unit_test(a_question_names_its_program_and_holds_no_nul),
		cmocka_unit_test(a_question_has_at_most_32_kib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
