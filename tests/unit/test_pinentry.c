/*
 * What a pinentry's lines mean, and how texts become lines for it; the same for notifications.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>

#include "notification_text.h"
#include "offer.h"
#include "pinentry_reply.h"
#include "pinentry_text.h"
#include "test.h"

static void only_ok_is_ok(void **state)
{
	static const struct {
		const char *line;
		enum pinentry_reply reply;
	} table[] = {
		{"OK", REPLY_OK},
		{"OK ", REPLY_OK},
		{"OK closing connection", REPLY_OK},
		{"OKAY", REPLY_NONSENSE},
		{"ok", REPLY_NONSENSE},
		{" OK", REPLY_NONSENSE},
		{"OK\tx", REPLY_NONSENSE},
		{"", REPLY_NONSENSE},
		{"D 1234", REPLY_DATA},
		{"D ", REPLY_DATA},
		{"D", REPLY_NONSENSE},
		{"D1234", REPLY_NONSENSE},
		{"ERR 83886179 Operation cancelled <Pinentry>", REPLY_NO},
		{"ERR 83886194 Not confirmed <Pinentry>", REPLY_NOT_OK},
		{"ERR 83886142 Timeout <Pinentry>", REPLY_NO},
		{"ERR 83886278", REPLY_NO},
		{"ERR 99", REPLY_NO},
		{"ERR 83886340 Window too small", REPLY_ERROR},
		{"ERR 1", REPLY_ERROR},
		{"ERR 9999999999", REPLY_ERROR},
		/* libassuan alone takes these for success */
		{"ERR", REPLY_NONSENSE},
		{"ERR ", REPLY_NONSENSE},
		{"ERR 0", REPLY_NONSENSE},
		{"ERR 00", REPLY_NONSENSE},
		{"ERR 65536", REPLY_NONSENSE},
		{"ERR 4294967296", REPLY_NONSENSE},
		{"ERR cancelled", REPLY_NONSENSE},
		{"ERR 99cancelled", REPLY_NONSENSE},
		{"ERR -99", REPLY_NONSENSE},
		{"ERR 99999999999", REPLY_NONSENSE},
		{"# OK", REPLY_REMARK},
		{"S", REPLY_REMARK},
		{"S PIN_REPEATED", REPLY_REMARK},
		{"S BUTTON_INFO close", REPLY_REMARK},
		{"S PASSWORD_FROM_CACHE", REPLY_CACHED},
		{"S PASSWORD_FROM_CACHE x", REPLY_CACHED},
		{"SOK", REPLY_NONSENSE},
		{"INQUIRE QUALITY 1234", REPLY_NONSENSE},
		{"END", REPLY_NONSENSE},
		{"BYE", REPLY_NONSENSE},
		{"yes", REPLY_NONSENSE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		print_message("# %s\n", table[i].line);
		assert_int_equal(pinentry_reply_of(bytes_of(table[i].line)), table[i].reply);
	}
	assert_int_equal(pinentry_reply_of(BYTES((const uint8_t *)"OK\0x", 4)), REPLY_NONSENSE);
	assert_int_equal(pinentry_reply_of(BYTES((const uint8_t *)"OK\0", 3)), REPLY_NONSENSE);
}

/* Tried with pinentry-curses, -gtk-2 and -qt 1.2.1; those of gnome3 and emacs have two buttons. */
static void three_answers_are_told_apart_by_some_alone(void **state)
{
	static const struct {
		const char *flavour;
		bool three;
	} table[] = {
		{"curses", true},
		{"gtk2", true},
		{"gtk2:curses", true},
		{"qt", true},
		{"qt:curses", true},
		{"", false},
		{"gtk", false},
		{"gtk2 ", false},
		{"gnome3", false},
		{"gnome3:curses", false},
		{"emacs", false},
		{"tty", false},
		{"w32", false},
		{"curses:tty", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(pinentry_tells_three(bytes_of(table[i].flavour)), table[i].three);
}

static void a_time_is_said_in_the_unit_that_fits(void **state)
{
	static const struct {
		uint32_t seconds;
		const char *label;
	} table[] = {
		{1, "Yes, for 1 second"},
		{90, "Yes, for 90 seconds"},
		{60, "Yes, for 1 minute"},
		{300, "Yes, for 5 minutes"},
		{3600, "Yes, for 1 hour"},
		{UINT32_MAX, "Yes, for 4294967295 seconds"},
	};
	AUTO(buf) line = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char label[OFFER_LABEL_MAX];

		offer_label(table[i].seconds, label);
		assert_string_equal(label, table[i].label);
	}
	offer_put(&line, 7200);
	assert_true(bytes_equal_text(buf_bytes(&line),
		"A yes may count for 2 hours: for this process, key, user and host\n"));
}

static void data_is_unescaped_and_bounded(void **state)
{
	static const struct {
		const char *line;
		const char *data; /* NULL: refused */
	} table[] = {
		{"D 1234", "1234"},
		{"D ", ""},
		{"D 12%2534", "12%34"},
		{"D a%0Ab", NULL},
		{"D a%0D", NULL},
		{"D %00", NULL},
		{"D a\n", NULL},
		{"D %c3%A4", "\xc3\xa4"},
		{"D 12345678", "12345678"},
		{"D 123456789", NULL},
		{"D 12345678%39", NULL},
		{"D %", NULL},
		{"D %4", NULL},
		{"D 1%zz", NULL},
		{"D 1%4z", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint8_t memory[8];
		struct secret out = {.data = memory, .cap = sizeof(memory)};

		print_message("# %s\n", table[i].line);
		assert_int_equal(
			pinentry_data(bytes_of(table[i].line), &out), table[i].data != NULL);
		if (table[i].data != NULL)
			assert_true(bytes_equal_text(BYTES(out.data, out.len), table[i].data));
	}
}

static void escapes_leave_one_printable_line(void **state)
{
	AUTO(buf) out = {0};

	(void)state;
	pinentry_escape(&out, bytes_of("a%b\n\t\r\x1b[31m\x7f\xc3\xa4\xe2\x80\x94%0A."));
	assert_true(bytes_equal_text(buf_bytes(&out), "a%25b%0A???[31m??????%250A."));
}

static void quoted_texts_of_several_words_come_in_pieces(void **state)
{
#define WORDS_30 "aaaaaaaaaaaaaa bbbbbbbbbbbbbbb"
#define MORE "\"\n    + \""
	static const struct {
		const char *text;
		const char *pieces; /* NULL: as it is */
	} table[] = {
		{"", NULL},
		{"\n", NULL},
		{"on the host known as of all these words without an end, and without quotes\n",
			NULL},
		{"    \"db.example\"\n", NULL},
		{"    \"" WORDS_30 "\"\nwith the key\n", NULL},
		{"    \"" WORDS_30 " on the host known as\"\nwith the key\n",
			"    \"" WORDS_30 MORE " on the host known as\"\nwith the key\n"},
		{"    \"" WORDS_30 WORDS_30 WORDS_30 "\"...\n",
			"    \"" WORDS_30 MORE WORDS_30 MORE WORDS_30 "\"...\n"},
		{"    serial \"" WORDS_30 "\\\"" WORDS_30 "\"",
			"    serial \"" WORDS_30 MORE "\\\"aaaaaaaaaaaaaa bbbbbbbbbbbbb" MORE
			"bb\""},
		/* What stands for one byte stays together. */
		{"    \"aaaaaaaaaaaaaa bbbbbbbbbbbb\\x0a\\\\ c\"",
			"    \"aaaaaaaaaaaaaa bbbbbbbbbbbb" MORE "\\x0a\\\\ c\""},
		{"\"aaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbb\\\"",
			"\"aaaaaaaaaaaaaa bbbbbbbbbbbbbbb" MORE "bbbb\\\""},
		/* A window breaks lines between words only. */
		{"    \"/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so\"\n", NULL},
		{"\"aaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbb", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *wanted = table[i].pieces != NULL ? table[i].pieces : table[i].text;
		AUTO(buf) out = {0};

		pinentry_break_quotes(&out, bytes_of(table[i].text));
		buf_put_u8(&out, '\0');
		assert_int_equal(buf_status(&out), KS_OK);
		assert_string_equal((const char *)out.data, wanted);
	}
}

static size_t escaped(struct bytes page)
{
	AUTO(buf) out = {0};

	pinentry_escape(&out, page);
	return out.len;
}

static void pages_hold_all_of_a_text_in_whole_lines(void **state)
{
	struct bytes rest = bytes_of("one\ntwo\nthree\n"), page;

	(void)state;
	assert_true(bytes_equal_text(pinentry_page(&rest, 60), "one\ntwo\nthree"));
	assert_int_equal(rest.len, 0);
	assert_int_equal(pinentry_page(&rest, 60).len, 0);

	rest = bytes_of("one\ntwo\nthree");
	assert_true(bytes_equal_text(pinentry_page(&rest, 2), "one\ntwo"));
	page = pinentry_page(&rest, 2);
	assert_true(bytes_equal_text(page, "three"));
	assert_int_equal(rest.len, 0);
}

static void pages_fit_whatever_is_in_them(void **state)
{
	static const char fillers[] = {'x', '%', '\n'};
	enum { LEN = 5000 };
	char *text = malloc(LEN);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(fillers); i++) {
		struct bytes rest = BYTES((const uint8_t *)text, LEN);
		size_t seen = 0, pages = 0;

		memset(text, fillers[i], LEN);
		for (size_t at = 333; at < LEN; at += 333)
			text[at] = '\n';
		while (rest.len > 0) {
			size_t before = rest.len;
			struct bytes page = pinentry_page(&rest, 10000);

			assert_true(escaped(page) <= PINENTRY_PAGE_MAX);
			assert_true(before > rest.len);
			seen += before - rest.len;
			pages++;
		}
		assert_int_equal(seen, LEN);
		assert_true(pages <= 2 * (LEN / 333 + 1));
	}
	free(text);
}

static void markup_in_a_notification_is_text(void **state)
{
	AUTO(buf) out = {0};

	(void)state;
	notification_escape(&out, "<b>&amp;\n\x1b\xc3\xa4 \"x\"</b>");
	assert_true(bytes_equal_text(buf_bytes(&out), "&lt;b&gt;&amp;amp;\n??? \"x\"&lt;/b&gt;"));
}

static void only_a_bus_of_this_machine_is_used(void **state)
{
	static const char *const good[] = {
		"unix:path=/run/user/1000/bus", "unix:path=/a,guid=0;unix:abstract=b"};
	static const char *const bad[] = {"", "tcp:host=example.org,port=1",
		"unixexec:path=/bin/sh", "unix:path=/a;tcp:host=b", "unix:path=/a;unixexec:path=/b",
		"unix:path=/a;", "x-machine-unix:pid=1", " unix:path=/a"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(notification_address_local(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(notification_address_local(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_ok_is_ok),
		cmocka_unit_test(quoted_texts_of_several_words_come_in_pieces),
		cmocka_unit_test(three_answers_are_told_apart_by_some_alone),
		cmocka_unit_test(a_time_is_said_in_the_unit_that_fits),
		cmocka_unit_test(data_is_unescaped_and_bounded),
		cmocka_unit_test(escapes_leave_one_printable_line),
		cmocka_unit_test(pages_hold_all_of_a_text_in_whole_lines),
		cmocka_unit_test(pages_fit_whatever_is_in_them),
		cmocka_unit_test(markup_in_a_notification_is_text),
		cmocka_unit_test(only_a_bus_of_this_machine_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
