/*
 * Foreign text as a person sees it, and patterns as OpenSSH matches them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "test.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void foreign_text_is_quoted_and_drives_no_terminal(void **state)
{
	static const struct {
		const char *text;
		const char *quoted;
	} table[] = {
		{"", "\"\""},
		{"My YubiKey 5", "\"My YubiKey 5\""},
		{"a\"b\\c", "\"a\\\"b\\\\c\""},
		{"x\n\x1b[2J\x7f", "\"x\\x0a\\x1b[2J\\x7f\""},
		{"\xc3\xa4\xff", "\"\\xc3\\xa4\\xff\""},
	};
	char out[TEXT_QUOTED_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		assert_string_equal(text_quote(bytes_of(table[i].text), out), table[i].quoted);
	assert_string_equal(text_quote(BYTES((const uint8_t *)"a\0b", 3), out), "\"a\\x00b\"");
}

static void long_text_is_cut_at_64_characters(void **state)
{
	char out[TEXT_QUOTED_MAX];
	uint8_t worst[65];

	(void)state;
	memset(worst, 0xff, sizeof(worst));
	text_quote(BYTES(worst, 64), out);
	assert_int_equal(strlen(out), 64 * 4 + 2);
	text_quote(BYTES(worst, 65), out);
	assert_int_equal(strlen(out), TEXT_QUOTED_MAX - 1);
	assert_string_equal(out + strlen(out) - 4, "\"...");
}

static void words_are_cut_later_than_names(void **state)
{
	char out[TEXT_WORDS_MAX];
	uint8_t worst[241];

	(void)state;
	memset(worst, 0xff, sizeof(worst));
	text_quote_words(BYTES(worst, 240), out);
	assert_int_equal(strlen(out), 240 * 4 + 2);
	text_quote_words(BYTES(worst, 241), out);
	assert_int_equal(strlen(out), TEXT_WORDS_MAX - 1);
	assert_string_equal(out + strlen(out) - 4, "\"...");
}

static void plain_text_moves_no_terminal_and_turns_nothing_around(void **state)
{
	/* Letter by letter: in source text such characters are looked for. */
	static const char turned[] = {'\xe2', '\x80', '\xae', 'k', 'c', 'a', 'b', '\xe2', '\x81',
		'\xa9', '\xd8', '\x9c', '\0'};
	static const struct {
		const char *text, *plain;
	} table[] = {
		{"", ""},
		{"a label", "a label"},
		{"Schl\xc3\xbcssel \xe9\x92\xa5 \xf0\x9f\x94\x91",
			"Schl\xc3\xbcssel \xe9\x92\xa5 \xf0\x9f\x94\x91"},
		{"\x1b[2J\x07\n\t\x7f", "?[2J????"},
		{"\xc2\x9b"
		 "2J",
			"?2J"},
		{"\x9b"
		 "2J",
			"?2J"},
		{turned, "?kcab??"},
		{"\xe2\x80\xa8 \xe2\x80\x8f", "? ?"},
		{"cut \xe2\x80", "cut ??"},
		{"cut \xf0", "cut ?"},
		{"long \xc0\x9b \xe0\x80\x9b", "long ?? ???"},
		{"no \xed\xa0\x80 \xf5\x80\x80\x80 \xff", "no ??? ???? ?"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", table[i].text);
		text_make_plain(text);
		assert_string_equal(text, table[i].plain);
	}
}

static void patterns_match_as_in_openssh(void **state)
{
	static const struct {
		const char *text;
		const char *pattern;
		bool matches;
	} table[] = {
		{"", "", true},
		{"", "*", true},
		{"", "?", false},
		{"a", "", false},
		{"abc", "abc", true},
		{"abc", "ABC", false},
		{"abc", "a?c", true},
		{"abc", "a?", false},
		{"abc", "a*", true},
		{"abc", "*c", true},
		{"abc", "**b**", true},
		{"abcabd", "*abd", true},
		{"abcabd", "a*b*e", false},
		{"a*c", "a*c", true},
		{"host.example.org", "*.example.org", true},
		{"example.org", "*.example.org", false},
		{"mississippi", "m*iss*ip*", true},
		{"abc", "abc,", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		assert_int_equal(text_match(table[i].text, table[i].pattern), table[i].matches);
}

static void pattern_lists_match_as_in_openssh(void **state)
{
	static const struct {
		const char *text;
		const char *patterns;
		int result;
	} table[] = {
		{"abc", "", 0},
		{"", "", 0},
		{"abc", "abc", 1},
		{"abc", "x,abc", 1},
		{"abc", "x,abc,y", 1},
		{"abc", "abc,!abc", -1},
		{"abc", "!abc,abc", -1},
		{"abc", "!x", 0},
		{"abc", "!x,*", 1},
		{"abc", "a*,!*c", -1},
		{"abc", " abc", 0},
		{"", ",", 1},
		{"", "!", -1},
		{"!abc", "!!abc", -1},
		{"abc", "x,", 0},
		{"", "x,", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		assert_int_equal(
			text_match_list(table[i].text, table[i].patterns), table[i].result);
}

static void a_pattern_of_1023_characters_ends_the_list_unmatched(void **state)
{
	char patterns[1200];

	(void)state;
	memset(patterns, '*', sizeof(patterns));
	patterns[1022] = '\0';
	assert_int_equal(text_match_list("abc", patterns), 1);
	patterns[1022] = '*';
	patterns[1023] = '\0';
	assert_int_equal(text_match_list("abc", patterns), 0);
	memcpy(patterns, "abc,", 4);
	memset(patterns + 4, '*', 1023);
	patterns[4 + 1023] = '\0';
	assert_int_equal(text_match_list("abc", patterns), 0);
}

/* Each star tried at each place, this would take longer than anybody lives. */
static void hostile_patterns_take_no_time(void **state)
{
	char text[201], pattern[202];

	(void)state;
	memset(text, 'a', 200);
	text[200] = '\0';
	for (size_t i = 0; i < 200; i += 2)
		memcpy(pattern + i, "*a", 2);
	memcpy(pattern + 200, "b", 2);
	assert_false(text_match(text, pattern));
}

static void bytes_are_shown_in_hexadecimal(void **state)
{
	char out[9];

	(void)state;
	text_hex(BYTES((const uint8_t *)"\0\x0f\xa5\xff", 4), out);
	assert_string_equal(out, "000fa5ff");
	text_hex(BYTES(NULL, 0), out);
	assert_string_equal(out, "");
}

static void formatted_text_is_the_callers(void **state)
{
	AUTO(text) text = text_format("%s-%d", "agent", 7);

	(void)state;
	assert_string_equal(text, "agent-7");
}

static void times_are_read_as_in_sshd_config(void **state)
{
	static const struct {
		const char *text;
		long seconds;
	} table[] = {
		{"0", 0},
		{"90", 90},
		{"600s", 600},
		{"10m", 600},
		{"1h30m", 5400},
		{"1H30M5S", 5405},
		{"2d", 172800},
		{"1w", 604800},
		{"10m30", 630},
		{"2147483647", 2147483647},
		{"2147483648", -1},
		{"2147483647s1", -1},
		{"99999999999999999999", -1},
		{"3551w", -1},
		{"", -1},
		{"m", -1},
		{"-1", -1},
		{"+1", 1},
		{" 1", 1},
		{"1h 30m", 5400},
		{"1h +30m", 5400},
		{"+ 1", -1},
		{"++1", -1},
		{"+-1", -1},
		{" ", -1},
		{"+", -1},
		{"1x", -1},
		{"1 ", -1},
		{"1mm", -1},
		{"1.5h", -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		assert_int_equal(text_seconds(table[i].text), table[i].seconds);
	assert_int_equal(text_seconds(NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_text_is_quoted_and_drives_no_terminal),
		cmocka_unit_test(long_text_is_cut_at_64_characters),
		cmocka_unit_test(words_are_cut_later_than_names),
		cmocka_unit_test(plain_text_moves_no_terminal_and_turns_nothing_around),
		cmocka_unit_test(patterns_match_as_in_openssh),
		cmocka_unit_test(pattern_lists_match_as_in_openssh),
		cmocka_unit_test(a_pattern_of_1023_characters_ends_the_list_unmatched),
		cmocka_unit_test(hostile_patterns_take_no_time),
		cmocka_unit_test(bytes_are_shown_in_hexadecimal),
		cmocka_unit_test(formatted_text_is_the_callers),
		cmocka_unit_test(times_are_read_as_in_sshd_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
