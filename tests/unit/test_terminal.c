/*
 * A question in a terminal without the terminal: the lines that are shown, and the line that is
 * typed.
 */
#include <string.h>

#include <keystile/cleanup.h>

#include "terminal_frame.h"
#include "terminal_line.h"
#include "test.h"

#define LONG_QUOTE "    \"aaaaaaaaaaaaaaaaaaaaaaaaa asked on this machine\""

/* ---- What is typed ---- */

static const struct termios keys = {.c_cc = {[VERASE] = '#', [VKILL] = '@', [VINTR] = '!'}};

struct typed {
	const char *keys;
	enum line_state state;
	const char *text;
	bool spoilt;
};

static void assert_typed(const struct typed *row, bool words_only)
{
	struct secret text = {0};
	struct terminal_line line = {.text = &text, .words_only = words_only, .keys = &keys};
	enum line_state state = LINE_OPEN;
	size_t taken = 0;

	assert_int_equal(secret_init(&text, KS_PIN_MAX + 3), KS_OK);
	while (row->keys[taken] != '\0' && state == LINE_OPEN)
		state = terminal_line_take(&line, (uint8_t)row->keys[taken++]);
	assert_int_equal(row->keys[taken], '\0');
	assert_int_equal(state, row->state);
	assert_int_equal(text.len, strlen(row->text));
	assert_memory_equal(text.data, row->text, text.len);
	assert_int_equal(line.spoilt, row->spoilt);
	secret_deinit(&text);
}

static void a_line_is_typed_key_by_key(void **state)
{
	static const struct typed table[] = {
		{"12 34\r", LINE_ENDED, "12 34", false},
		{"1234\n", LINE_ENDED, "1234", false},
		{"\r", LINE_ENDED, "", false},
		{"12\x7f"
		 "3\b4#5",
			LINE_OPEN, "15", false},
		{"\x7f#\b1", LINE_OPEN, "1", false},
		{"1\xc3\xa4#2", LINE_OPEN, "12", false},
		{"\xf0\x9f\x98\x80\x7f", LINE_OPEN, "", false},
		{"1234@5\x15"
		 "6",
			LINE_OPEN, "6", false},
		{"12\t3", LINE_OPEN, "123", true},
		{"12\x01\x7f\x7f\x7f"
		 "3\r",
			LINE_ENDED, "3", true},
		{"12\t@3\r", LINE_ENDED, "3", false},
		{"12\x1b", LINE_REFUSED, "12", false},
		{"12\x03", LINE_REFUSED, "12", false},
		{"12\x04", LINE_REFUSED, "12", false},
		{"\x1a", LINE_REFUSED, "", false},
		{"\x1c", LINE_REFUSED, "", false},
		{"1!", LINE_REFUSED, "1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_typed(&table[i], false);
}

static void a_word_is_plain(void **state)
{
	static const struct typed table[] = {
		{"yes\r", LINE_ENDED, "yes", false},
		{"y\xc3\xa9s\r", LINE_ENDED, "ys", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_typed(&table[i], true);
}

static void a_pin_has_a_longest_length_and_nothing_is_cut(void **state)
{
	char keys_typed[KS_PIN_MAX + 3];
	char text[KS_PIN_MAX + 1];

	(void)state;
	memset(keys_typed, '7', sizeof(keys_typed));
	memset(text, '7', KS_PIN_MAX);
	text[KS_PIN_MAX] = '\0';
	keys_typed[KS_PIN_MAX] = '\r';
	keys_typed[KS_PIN_MAX + 1] = '\0';
	assert_typed(&(struct typed){keys_typed, LINE_ENDED, text, false}, false);
	keys_typed[KS_PIN_MAX] = '7';
	keys_typed[KS_PIN_MAX + 1] = '\r';
	keys_typed[KS_PIN_MAX + 2] = '\0';
	assert_typed(&(struct typed){keys_typed, LINE_ENDED, text, true}, false);
}

static void a_key_that_is_switched_off_is_an_ordinary_one(void **state)
{
	const struct termios none = {0};
	struct secret text = {0};
	struct terminal_line line = {.text = &text, .keys = &none};

	(void)state;
	assert_int_equal(secret_init(&text, KS_PIN_MAX + 3), KS_OK);
	assert_int_equal(terminal_line_take(&line, 'a'), LINE_OPEN);
	assert_int_equal(terminal_line_take(&line, 0), LINE_OPEN);
	assert_true(line.spoilt);
	assert_int_equal(text.len, 1);
	secret_deinit(&text);
}

/* ---- What is shown ---- */

static void assert_frame(const struct frame_text *what, size_t columns, const char *expected)
{
	AUTO(buf) out = {0};

	terminal_frame(&out, what, columns);
	buf_put_u8(&out, '\0');
	assert_int_equal(buf_status(&out), KS_OK);
	assert_string_equal((const char *)out.data, expected);
}

static void a_question_is_framed(void **state)
{
	(void)state;
	assert_frame(&(struct frame_text){"Keystile", "That PIN was wrong.",
			     "PIN for the token\n    \"lab\"\n\nthe end"},
		30,
		"+-- Keystile -----------------\r\n"
		"|! That PIN was wrong.\r\n"
		"|  PIN for the token\r\n"
		"|      \"lab\"\r\n"
		"|  \r\n"
		"|  the end\r\n"
		"+-----------------------------\r\n");
}

static void a_line_that_goes_on_says_so_at_its_beginning(void **state)
{
	(void)state;
	assert_frame(&(struct frame_text){"K", "", LONG_QUOTE "\n"}, 36,
		"+-- K ------------------------------\r\n"
		"|      \"aaaaaaaaaaaaaaaaaaaaaaaaa as\r\n"
		"|~ ked on this machine\"\r\n"
		"+-----------------------------------\r\n");
}

static void a_window_is_never_too_narrow_or_too_wide(void **state)
{
	static const size_t columns[] = {0, 1, 3, 20, 100, 65535};
	AUTO(buf) long_line = {0};

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		buf_put_u8(&long_line, 'x');
	buf_put_u8(&long_line, '\0');
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		AUTO(buf) out = {0};
		size_t longest = 0;

		terminal_frame(&out, &(struct frame_text){"", "", (const char *)long_line.data},
			columns[i]);
		for (size_t at = 0, begun = 0; at < out.len; at++) {
			if (out.data[at] != '\r')
				continue;
			longest = at - begun > longest ? at - begun : longest;
			begun = at + 2;
		}
		assert_in_range(longest, FRAME_COLUMNS_MIN, FRAME_COLUMNS_MAX);
	}
}

static void nothing_but_plain_text_gets_out(void **state)
{
	AUTO(buf) out = {0};

	(void)state;
	terminal_frame(&out,
		&(struct frame_text){"K", "a\x1b[2Jb",
			"c\rd\x9b"
			"e\tf\x7f\n"},
		80);
	for (size_t i = 0; i < out.len; i++) {
		bool line_end = i + 1 < out.len && out.data[i] == '\r' && out.data[i + 1] == '\n';

		if (line_end)
			i++;
		else
			assert_in_range(out.data[i], ' ', '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_typed_key_by_key),
		cmocka_unit_test(a_word_is_plain),
		cmocka_unit_test(a_pin_has_a_longest_length_and_nothing_is_cut),
		cmocka_unit_test(a_key_that_is_switched_off_is_an_ordinary_one),
		cmocka_unit_test(a_question_is_framed),
		cmocka_unit_test(a_line_that_goes_on_says_so_at_its_beginning),
		cmocka_unit_test(a_window_is_never_too_narrow_or_too_wide),
		cmocka_unit_test(nothing_but_plain_text_gets_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
