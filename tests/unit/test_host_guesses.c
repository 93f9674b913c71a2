/*
 * Which names a command line gives, honest or not, and that nothing in it costs more than its
 * share.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_guesses.h"
#include "test.h"

#define WORDS(text) BYTES((const uint8_t *)(text), sizeof(text))

static bool has(const struct host_guesses *guesses, const char *name)
{
	for (size_t i = 0; i < guesses->count; i++)
		if (strcmp(guesses->names[i], name) == 0)
			return true;
	return false;
}

static const struct row {
	struct bytes words;
	const char *name;
} rows[] = {
	{WORDS("ssh\0server"), "server"},
	{WORDS("ssh\0joe@Server.Example"), "server.example"},
	{WORDS("ssh\0-p\0002222\0server"), "[server]:2222"},
	{WORDS("ssh\0-p2222\0server"), "[server]:2222"},
	{WORDS("ssh\0-oPort=2222\0server"), "[server]:2222"},
	{WORDS("ssh\0-o\0Port 2222\0server"), "[server]:2222"},
	{WORDS("ssh\0ssh://joe@server:2222/"), "[server]:2222"},
	{WORDS("ssh\0ssh://server"), "server"},
	{WORDS("ssh\0-J\0joe@one:2222,two\0server"), "[one]:2222"},
	{WORDS("ssh\0-Jone,two\0server"), "two"},
	{WORDS("ssh\0-oHostKeyAlias=alias\0server"), "alias"},
	{WORDS("ssh\0-o\0HostName=real.example\0server"), "real.example"},
	{WORDS("ssh\0fe80::1%eth0"), "fe80::1%eth0"},
	{WORDS("ssh\0ssh://joe@[fe80::1]:2222/"), "[fe80::1]:2222"},
	{WORDS("ssh\0-l\0joe\0-A\0server\0uptime"), "server"},
};

static void names_are_found_where_ssh_has_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host_guesses guesses = {0};

		host_guesses_read(&guesses, rows[i].words);
		if (!has(&guesses, rows[i].name))
			fail_msg("row %zu does not give %s", i, rows[i].name);
		host_guesses_deinit(&guesses);
	}
}

static void what_is_no_name_is_none(void **state)
{
	static const struct bytes words[] = {WORDS(""), WORDS("\0\0\0"), WORDS("a b\nc"),
		WORDS("\x1b[2J"), WORDS("-"), WORDS("--"), WORDS("@"), WORDS("="), WORDS(",,,"),
		WORDS("["), WORDS("[]"), WORDS("[]:"), WORDS("]:"), WORDS("ssh://"),
		WORDS("ssh:///"), WORDS("a*"), WORDS("!a"), WORDS("|1|a"), WORDS("\xff\xfe"),
		WORDS("22"), WORDS("a\nserver")};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct host_guesses guesses = {0};

		host_guesses_read(&guesses, words[i]);
		for (size_t k = 0; k < guesses.count; k++)
			for (const char *at = guesses.names[k]; *at != '\0'; at++)
				assert_true(
					*at > ' ' && *at < 0x7f && strchr("*?!|,\"", *at) == NULL);
		host_guesses_deinit(&guesses);
	}
}

static void each_part_of_a_line_may_be_its_end(void **state)
{
	static const char line[] = "ssh\0-oPort=2222\0-J\0a@[fe80::1]:22,b:23\0ssh://c@d:24/\0e";

	(void)state;
	for (size_t len = 0; len <= sizeof(line); len++) {
		struct host_guesses guesses = {0};
		uint8_t *exact = malloc(len + 1);

		assert_non_null(exact);
		memcpy(exact, line, len);
		host_guesses_read(&guesses, BYTES(exact, len));
		host_guesses_deinit(&guesses);
		free(exact);
	}
}

static void much_is_cut(void **state)
{
	struct host_guesses guesses = {0};
	struct buf words = {0};
	char word[16];

	(void)state;
	buf_init(&words, 1 << 20);
	for (int i = 0; i < 10000; i++) {
		snprintf(word, sizeof(word), "host%d", i);
		buf_put(&words, BYTES((const uint8_t *)word, strlen(word) + 1));
		buf_put(&words, BYTES((const uint8_t *)"1234", 5));
	}
	host_guesses_read(&guesses, buf_bytes(&words));
	assert_true(guesses.count > 0 && guesses.count <= HOST_GUESSES_MAX);
	assert_null(guesses.names[guesses.count]);
	host_guesses_deinit(&guesses);
	buf_deinit(&words);
}

static void a_name_may_be_so_long_and_no_longer(void **state)
{
	uint8_t longest[HOST_GUESS_LEN_MAX + 1];
	struct host_guesses guesses = {0};

	(void)state;
	memset(longest, 'a', sizeof(longest));
	host_guesses_read(&guesses, BYTES(longest, HOST_GUESS_LEN_MAX + 1));
	assert_int_equal(guesses.count, 0);
	host_guesses_read(&guesses, BYTES(longest, HOST_GUESS_LEN_MAX));
	assert_int_equal(guesses.count, 1);
	host_guesses_deinit(&guesses);
}

static void what_was_right_is_kept_until_there_is_too_much(void **state)
{
	struct host_guesses guesses = {0};
	char name[16];

	(void)state;
	for (int i = 0; i <= HOST_GUESSES_MAX; i++) {
		snprintf(name, sizeof(name), "host%d", i);
		host_guesses_remember(&guesses, name);
		host_guesses_remember(&guesses, name);
	}
	assert_int_equal(guesses.count, HOST_GUESSES_MAX);
	assert_false(has(&guesses, "host0"));
	assert_true(has(&guesses, "host1"));
	assert_true(has(&guesses, name));
	host_guesses_deinit(&guesses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_where_ssh_has_them),
		cmocka_unit_test(what_is_no_name_is_none),
		cmocka_unit_test(each_part_of_a_line_may_be_its_end),
		cmocka_unit_test(much_is_cut),
		cmocka_unit_test(a_name_may_be_so_long_and_no_longer),
		cmocka_unit_test(what_was_right_is_kept_until_there_is_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
