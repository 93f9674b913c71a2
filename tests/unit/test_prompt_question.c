/*
 * The question that goes to the prompt helper.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/prompt.h>

#include "test.h"

struct parts {
	uint8_t kind, way, notify;
	struct bytes program;
	uint32_t holder;
	uint8_t password;
	uint32_t remember;
};

static void put_parts(struct buf *out, struct bytes text, const struct parts *parts)
{
	buf_put_u8(out, parts->kind);
	buf_put_u8(out, parts->way);
	buf_put_u8(out, parts->notify);
	buf_put_u8(out, parts->password);
	buf_put_string(out, text);
	buf_put_text(out, "trouble");
	buf_put_string(out, parts->program);
	buf_put_text(out, "/dev/tty7");
	buf_put_u32(out, 90);
	buf_put_u32(out, parts->holder);
	buf_put_u64(out, 4711);
	buf_put_u32(out, parts->remember);
}

static void put_question(struct buf *out, uint8_t kind, struct bytes text, struct bytes program)
{
	put_parts(out, text, &(struct parts){kind, PROMPT_BY_ASKPASS, 0, program, 0, 0, 0});
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
	char trouble[] = "That PIN was wrong.", terminal[] = "/dev/tty7";

	(void)state;
	for (unsigned kind = PROMPT_PIN; kind <= PROMPT_NOTICE; kind++) {
		struct prompt_question decoded,
			question = {.kind = kind,
				.way = PROMPT_BY_PROMPTER,
				.holder = 12,
				.holder_start = UINT64_C(1) << 40,
				.notify = kind == PROMPT_NOTICE,
				.password = kind == PROMPT_PIN,
				.text = text,
				.trouble = trouble,
				.program = program,
				.terminal = terminal,
				.timeout_seconds = 90,
				.remember_seconds = kind == PROMPT_CONFIRM ? 300 : 0};
		AUTO(buf) buf = {0};

		prompt_question_encode(&question, &buf);
		assert_int_equal(buf_status(&buf), KS_OK);
		assert_int_equal(prompt_question_decode(buf_bytes(&buf), &decoded), KS_OK);
		assert_int_equal(decoded.kind, kind);
		assert_string_equal(decoded.text, text);
		assert_string_equal(decoded.program, program);
		assert_string_equal(decoded.trouble, trouble);
		assert_string_equal(decoded.terminal, terminal);
		assert_int_equal(decoded.way, PROMPT_BY_PROMPTER);
		assert_int_equal(decoded.holder, 12);
		assert_true(decoded.holder_start == UINT64_C(1) << 40);
		assert_int_equal(decoded.notify, kind == PROMPT_NOTICE);
		assert_int_equal(decoded.password, kind == PROMPT_PIN);
		assert_int_equal(decoded.timeout_seconds, 90);
		assert_int_equal(decoded.remember_seconds, kind == PROMPT_CONFIRM ? 300 : 0);
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

static void ways_and_notices_have_to_make_sense(void **state)
{
	const struct bytes program = bytes_of("/askpass"), none = bytes_of("");
	const struct {
		struct parts parts;
		bool taken;
	} table[] = {
		{{PROMPT_PIN, PROMPT_BY_ASKPASS, 0, program, 0, 0, 0}, true},
		{{PROMPT_PIN, PROMPT_BY_PINENTRY, 0, program, 0, 0, 0}, true},
		{{PROMPT_NOTICE, PROMPT_BY_PINENTRY, 1, program, 0, 0, 0}, true},
		{{PROMPT_NOTICE, PROMPT_BY_ASKPASS, 1, none, 0, 0, 0}, true},
		{{PROMPT_PIN, PROMPT_BY_ASKPASS, 0, program, 0, 1, 0}, true},
		{{PROMPT_CONFIRM, PROMPT_BY_ASKPASS, 0, program, 0, 1, 0}, false},
		{{PROMPT_PIN, 0, 0, program, 0, 0, 0}, false},
		{{PROMPT_PIN, 3, 0, program, 0, 0, 0}, false},
		{{PROMPT_PIN, PROMPT_BY_ASKPASS, 1, program, 0, 0, 0}, false},
		{{PROMPT_CONFIRM, PROMPT_BY_ASKPASS, 1, none, 0, 0, 0}, false},
		{{PROMPT_NOTICE, PROMPT_BY_ASKPASS, 0, none, 0, 0, 0}, false},
		{{PROMPT_PIN, PROMPT_BY_PROMPTER, 0, none, 12, 0, 0}, true},
		{{PROMPT_NOTICE, PROMPT_BY_ASKER, 1, none, INT32_MAX, 0, 0}, true},
		{{PROMPT_PIN, PROMPT_BY_ASKER, 0, none, 0, 0, 0}, false},
		{{PROMPT_PIN, PROMPT_BY_ASKER, 0, none, INT32_MAX + 1U, 0, 0}, false},
		{{PROMPT_PIN, PROMPT_BY_ASKPASS, 0, program, 12, 0, 0}, false},
		{{PROMPT_PIN, PROMPT_BY_ASKER + 1, 0, program, 12, 0, 0}, false},
		{{PROMPT_CONFIRM, PROMPT_BY_PINENTRY, 0, program, 0, 0, 300}, true},
		{{PROMPT_CONFIRM, PROMPT_BY_ASKPASS, 0, program, 0, 0, 300}, true},
		{{PROMPT_PIN, PROMPT_BY_PINENTRY, 0, program, 0, 0, 300}, false},
		{{PROMPT_NOTICE, PROMPT_BY_PINENTRY, 0, program, 0, 0, 300}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct prompt_question question;
		AUTO(buf) buf = {0};

		put_parts(&buf, bytes_of("text"), &table[i].parts);
		assert_int_equal(prompt_question_decode(buf_bytes(&buf), &question),
			table[i].taken ? KS_OK : KS_BAD_INPUT);
		prompt_question_deinit(&question);
	}
}

static void a_yes_for_longer_is_offered_where_three_answers_can_be_told_apart(void **state)
{
	(void)state;
	for (unsigned kind = PROMPT_PIN; kind <= PROMPT_NOTICE; kind++) {
		for (unsigned way = PROMPT_BY_ASKPASS; way <= PROMPT_BY_ASKER; way++) {
			struct prompt_question question = {.kind = kind, .way = way};

			assert_false(prompt_question_offers(&question));
			question.remember_seconds = 1;
			assert_int_equal(prompt_question_offers(&question),
				kind == PROMPT_CONFIRM && way != PROMPT_BY_ASKPASS);
		}
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
	char none[] = "";
	size_t room = PROMPT_MAX - 4 - 4 * 4 - 4 - 12 - 4 - strlen(program);
	struct prompt_question decoded, question = {.kind = PROMPT_PIN,
						.way = PROMPT_BY_ASKPASS,
						.text = text,
						.trouble = none,
						.program = program,
						.terminal = none};
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
		cmocka_unit_test(ways_and_notices_have_to_make_sense),
		cmocka_unit_test(a_yes_for_longer_is_offered_where_three_answers_can_be_told_apart),
		cmocka_unit_test(a_question_names_its_program_and_holds_no_nul),
		cmocka_unit_test(a_question_has_at_most_32_kib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
