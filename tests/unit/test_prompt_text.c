/*
 * What a prompt says: the person decides by these words, so a stranger's words may not look like
 * ours, and a destination is named only where it is proven.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>

#include "key_vectors.h"
#include "prompt_text.h"
#include "provider.h"
#include "test.h"
#include "vector.h"

#define UNPROVEN "DESTINATION UNPROVEN"

/* A login over a forwarded agent; tests change what they are about. */
struct bed {
	struct provider provider;
	struct token token;
	struct buf host_key, blob;
	struct key key;
	struct subject subject;
	struct origin origin;
	struct peer peer;
	struct session_binds binds;
	struct prompt_facts facts;
};

static char *writable(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void put_bind(
	struct bed *bed, struct bytes host_key, const char *session_id, bool forwarding)
{
	struct session_bind *record = &bed->binds.records[bed->binds.count++];

	buf_put(&record->host_key, host_key);
	buf_put(&record->session_id, bytes_of(session_id));
	record->forwarding = forwarding;
}

static int make_bed(void **state)
{
	static struct bed bed;

	static const struct ks_needs needs = {.name = "pkcs11"};

	bed = (struct bed){.provider = {.name = writable("/usr/lib/module.so"), .needs = &needs},
		.token = {.label = writable("Card"), .serial = writable("007")},
		.key = {.comment = writable("PIV"), .kind = KEY_ED25519},
		.subject = {.kind = SUBJECT_LOGIN,
			.session_id = bytes_of("last"),
			.user = bytes_of("root")},
		.origin = {ORIGIN_FORWARDING_BIND},
		.peer = {.pid = 4711, .executable = writable("/usr/bin/ssh")}};
	vector_put(&bed.host_key, key_vectors[0].blob);
	vector_put(&bed.key.blob, key_vectors[1].blob);
	bed.token.provider = &bed.provider;
	bed.facts = (struct prompt_facts){.what = PROMPT_FOR_PIN,
		.token = &bed.token,
		.key = &bed.key,
		.subject = &bed.subject,
		.origin = &bed.origin,
		.peer = &bed.peer,
		.binds = &bed.binds,
		.tries_left = KS_TRIES_UNKNOWN};
	*state = &bed;
	return 0;
}

static int free_bed(void **state)
{
	struct bed *bed = *state;

	session_binds_deinit(&bed->binds);
	buf_deinit(&bed->host_key);
	buf_deinit(&bed->key.blob);
	return 0;
}

static void assert_says(const struct bed *bed, const char *words, bool says)
{
	AUTO(text) text = prompt_text(&bed->facts);

	assert_non_null(text);
	if ((strstr(text, words) != NULL) != says)
		fail_msg("\"%s\" is %s in:\n%s", words, says ? "not" : "", text);
}

static void make_hostbound(struct bed *bed)
{
	bed->subject.hostbound = true;
	bed->subject.host_key = buf_bytes(&bed->host_key);
	put_bind(bed, bytes_of("a bastion"), "first", true);
	put_bind(bed, buf_bytes(&bed->host_key), "last", true);
}

static void a_pin_prompt_names_token_key_user_and_process(void **state)
{
	const char *const said[] = {"PIN for the token\n", "\"Card\"", "serial \"007\"",
		"\"/usr/lib/module.so\"", "to log in as the user\n    \"root\"\n", "\"PIV\"",
		key_vectors[1].fingerprint, "process 4711", "\"/usr/bin/ssh\"", "REMOTE REQUEST",
		"it came through a forwarded agent (ssh -A)"};
	const struct bed *bed = *state;

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		assert_says(bed, said[i], true);
	assert_says(bed, "on this machine", false);
}

static void a_token_without_a_serial_number_is_told_by_its_place(void **state)
{
	static char none[] = "";
	static char place[] = "/dev/hidraw3\n\"x";
	struct bed *bed = *state;

	bed->token.serial = none;
	bed->token.location = place;
	assert_says(bed, "\"Card\"\n    in \"/dev/hidraw3\\x0a\\\"x\"\nof the provider", true);
	assert_says(bed, "serial", false);
	bed->token.location = none;
	assert_says(bed, "\"Card\"\nof the provider", true);
}

static void a_listener_that_was_configured_is_named_and_quoted(void **state)
{
	struct bed *bed = *state;

	assert_says(bed, "listener", false);
	bed->facts.listener = "builds\n\"x";
	assert_says(bed, "on the socket of the listener\n    \"builds\\x0a\\\"x\"\n", true);
}

static void a_notice_says_what_to_do_and_what_its_end_means(void **state)
{
	struct bed *bed = *state;

	bed->facts.what = PROMPT_FOR_TOUCH;
	assert_says(bed, "Touch the token\n", true);
	assert_says(bed, "goes away", false);
	bed->facts.end_refuses = true;
	assert_says(bed, "\nThe request is refused if this notice goes away.\n", true);
	bed->token.flags = KS_TOKEN_PIN_PAD;
	assert_says(bed, "Touch", false);
	assert_says(bed, "Type the PIN on the keys of the reader with the token\n", true);
}

static void a_question_that_unlocks_says_for_what_and_for_how_long(void **state)
{
	const char *const said[] = {
		"Unlock the agent: the password that ssh-add -x locked it with\n",
		"stays unlocked, for all requests, until it is locked again\n",
		"\nA request waits for it\nto log in as the user\n    \"root\"\n",
		"\"PIV\"",
		key_vectors[1].fingerprint,
		"asked on this machine by process 4711\n    \"/usr/bin/ssh\"",
	};
	struct bed *bed = *state;

	bed->origin = (struct origin){ORIGIN_LOCAL};
	bed->facts.what = PROMPT_FOR_UNLOCK;
	bed->facts.token = NULL;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		assert_says(bed, said[i], true);
	assert_says(bed, "Wrong", false);
	bed->facts.wrong_before = 3;
	assert_says(bed, "\nWrong passwords since it was locked: 3\n", true);
}

static void who_started_the_one_that_asks_is_told_the_nearest_two(void **state)
{
	struct parents parents = {
		.executables = {writable("/usr/bin/git"), writable("b\"\nx"), writable("/c")},
		.count = 3};
	struct bed *bed = *state;

	assert_says(bed, "started by", false);
	bed->facts.parents = &parents;
	assert_says(bed, "    \"/usr/bin/ssh\"\nstarted by\n    \"/usr/bin/git\"\n", true);
	assert_says(bed, "\n    \"b\\\"\\x0ax\"\n", true);
	assert_says(bed, "/c", false);
	parents.count = 0;
	assert_says(bed, "started by", false);
}

static void a_local_request_is_not_called_remote(void **state)
{
	struct bed *bed = *state;

	bed->origin = (struct origin){ORIGIN_LOCAL};
	assert_says(bed, "\nasked on this machine by process 4711\n", true);
	assert_says(bed, "REMOTE", false);
}

static void a_proven_destination_is_named(void **state)
{
	struct bed *bed = *state;

	make_hostbound(bed);
	assert_true(destination_proven(&bed->subject, &bed->binds));
	assert_says(bed, UNPROVEN, false);
	assert_says(bed, "on a host that is NOT IN YOUR known_hosts\n", true);
	assert_says(bed, key_vectors[0].fingerprint, true);
}

static void hosts_are_named_by_what_is_known_of_them(void **state)
{
	static const struct {
		const char *names[5];
		bool more, by_authority, hashed, revoked, unread;
		const char *words;
	} rows[] = {
		{.words = "\non a host that is NOT IN YOUR known_hosts\n    host key"},
		{.names = {"a"}, .words = "\non the host known as\n    \"a\"\n    host key"},
		{.names = {"a", "b", "c"},
			.words = "\non the host known as\n    \"a\"\n    \"b\"\n    \"c\"\n    "
				 "host key"},
		{.names = {"a", "b", "c", "d"},
			.words = "    \"c\"\n    and more names\n    host key"},
		{.names = {"a"},
			.more = true,
			.words = "    \"a\"\n    and more names\n    host key"},
		{.names = {"a"}, .hashed = true, .words = "known as\n    \"a\"\n    host key"},
		{.names = {"a"}, .unread = true, .words = "known as\n    \"a\"\n    host key"},
		{.names = {"a\n\"b"}, .words = "    \"a\\x0a\\\"b\"\n    host key"},
		{.names = {"a"},
			.by_authority = true,
			.words =
				"\non the host that an authority of your known_hosts certifies as\n"
				"    \"a\"\n"},
		{.hashed = true,
			.words = "\non a host that is in your known_hosts, its name hashed\n"},
		{.hashed = true, .unread = true, .words = "its name hashed\n    host key"},
		{.unread = true,
			.words = "\non a host that nothing is known of: known_hosts can't be "
				 "read\n"},
		{.revoked = true,
			.words = "\non A HOST WHOSE KEY IS REVOKED in your known_hosts\n    host "
				 "key"},
		{.names = {"a"},
			.revoked = true,
			.words = "\non A HOST WHOSE KEY IS REVOKED in your known_hosts\n    "
				 "\"a\"\n"},
	};
	struct bed *bed = *state;
	static struct host_names hosts[2];

	make_hostbound(bed);
	bed->facts.hosts = hosts;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *names[5] = {NULL};
		size_t count = 0;

		for (; rows[i].names[count] != NULL; count++)
			names[count] = writable(rows[i].names[count]);
		hosts[1] = (struct host_names){.names = names,
			.count = count,
			.more = rows[i].more,
			.by_authority = rows[i].by_authority,
			.hashed = rows[i].hashed,
			.revoked = rows[i].revoked,
			.unread = rows[i].unread};
		assert_says(bed, rows[i].words, true);
		assert_says(bed, "\nthrough a host that is NOT IN YOUR known_hosts\n", true);
	}
}

static void the_path_names_every_host_that_forwards(void **state)
{
	struct bed *bed = *state;
	AUTO(text) bastion = public_key_fingerprint(bytes_of("a bastion"));

	make_hostbound(bed);
	assert_says(bed, bastion, true);
	bed->binds.records[0].forwarding = false;
	assert_says(bed, bastion, false);
}

/* Each of these alone takes the proof away. */
static void all_else_is_an_unproven_destination(void **state)
{
	struct bed *bed = *state;
	struct subject proven;

	assert_says(bed, UNPROVEN, true); /* no bind, not hostbound */
	make_hostbound(bed);
	proven = bed->subject;
	bed->subject.hostbound = false;
	assert_says(bed, UNPROVEN, true);
	bed->subject = proven;
	bed->subject.host_key = bytes_of("another host");
	assert_says(bed, UNPROVEN, true);
	bed->subject = proven;
	bed->subject.session_id = bytes_of("another session");
	assert_says(bed, UNPROVEN, true);
	bed->subject = proven;
	put_bind(bed, bytes_of("one more host"), "one more session", true);
	assert_says(bed, UNPROVEN, true);
	assert_says(bed, "\non a host", false);
}

static void only_a_login_has_a_destination(void **state)
{
	struct bed *bed = *state;

	make_hostbound(bed);
	bed->subject.kind = SUBJECT_SSHSIG;
	assert_false(destination_proven(&bed->subject, &bed->binds));
}

static void each_subject_has_its_words(void **state)
{
	static const struct {
		enum subject_kind kind;
		const char *space, *words, *line;
	} rows[] = {
		{SUBJECT_LOGIN, NULL, "to log in as the user", "login as \"root\""},
		{SUBJECT_SSHSIG, "git", "a git commit or tag", "signature for \"git\""},
		{SUBJECT_SSHSIG, "file", "to sign data for the namespace\n    \"file\"",
			"signature for \"file\""},
		{SUBJECT_CERTIFICATE, NULL, "an SSH certificate", "an SSH certificate"},
		{SUBJECT_UNRECOGNISED, NULL, "UNRECOGNISED DATA", "unrecognised data"},
	};
	struct bed *bed = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(text) line = NULL;

		bed->subject.kind = rows[i].kind;
		bed->subject.sign_namespace = bytes_of(rows[i].space);
		assert_says(bed, rows[i].words, true);
		line = subject_text(&bed->subject);
		assert_string_equal(line, rows[i].line);
	}
}

static void tries_and_a_wrong_pin_are_told(void **state)
{
	struct bed *bed = *state;

	assert_says(bed, "ries", false);
	assert_says(bed, "wrong", false);
	bed->facts.last_tries = true;
	assert_says(bed, "Few tries are left.", true);
	bed->facts.tries_left = 2;
	assert_says(bed, "Tries left: 2\n", true);
	assert_says(bed, "Few tries", false);
	bed->facts.retry = true;
	assert_says(bed, "That PIN was wrong.\n", true);
}

static void assert_trouble(const struct bed *bed, const char *words)
{
	AUTO(text) trouble = prompt_trouble(&bed->facts);

	assert_string_equal(trouble, words);
}

static void the_trouble_is_a_wrong_pin_and_what_is_left(void **state)
{
	struct bed *bed = *state;

	assert_trouble(bed, "");
	bed->facts.retry = true;
	assert_trouble(bed, "That PIN was wrong.");
	bed->facts.tries_left = 2;
	assert_trouble(bed, "That PIN was wrong. Tries left: 2");
}

static void assert_begins(const struct bed *bed, const char *words)
{
	AUTO(text) text = prompt_text(&bed->facts);

	assert_non_null(text);
	if (strncmp(text, words, strlen(words)) != 0)
		fail_msg("\"%s\" is not the beginning of:\n%s", words, text);
}

static void a_question_begins_with_what_is_asked_unless_it_came_from_elsewhere(void **state)
{
	static const char *const words[] = {[PROMPT_FOR_PIN] = "PIN for the token",
		[PROMPT_FOR_CONFIRM] = "Allow the use",
		[PROMPT_FOR_TOUCH] = "Touch the token"};
	struct bed *bed = *state;

	for (unsigned i = PROMPT_FOR_PIN; i <= PROMPT_FOR_TOUCH; i++) {
		bed->facts.what = i;
		bed->origin = (struct origin){ORIGIN_LOCAL};
		assert_begins(bed, words[i]);
		bed->origin = (struct origin){ORIGIN_RELAY};
		assert_begins(bed, "REMOTE REQUEST: ");
		assert_says(bed, words[i], true);
	}
}

/* Our own words stand outside quotes and begin a line; a stranger's can do neither. */
static void no_foreign_text_can_speak_for_the_agent(void **state)
{
	static const char evil[] = "x\"\nasked on this machine\nTries left: 9\r\x1b[2J\xc3\xa4\x7f";
	struct bed *bed = *state;
	AUTO(text) text = NULL;

	bed->token.label = bed->token.serial = bed->key.comment = writable(evil);
	bed->provider.name = bed->peer.executable = writable(evil);
	bed->subject.user = bytes_of(evil);
	assert_says(bed, "\nasked on this machine", false);
	assert_says(bed, "\nTries left", false);
	text = prompt_text(&bed->facts);
	for (const char *at = text; *at != '\0'; at++)
		assert_true(*at == '\n' || (*at >= ' ' && *at <= '~'));
}

static void long_foreign_text_is_cut(void **state)
{
	struct bed *bed = *state;
	AUTO(text) text = NULL;
	char name[4096];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	bed->token.label = bed->token.serial = bed->key.comment = name;
	bed->provider.name = bed->peer.executable = name;
	bed->subject.user = bytes_of(name);
	for (int i = 0; i < SESSION_BINDS_MAX; i++)
		put_bind(bed, bytes_of(name), "session", true);
	text = prompt_text(&bed->facts);
	assert_non_null(text);
	assert_true(strlen(text) >= 500 && strlen(text) <= 6000);
	assert_null(
		strstr(text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_bed, free_bed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pin_prompt_names_token_key_user_and_process),
		TEST(a_token_without_a_serial_number_is_told_by_its_place),
		TEST(a_listener_that_was_configured_is_named_and_quoted),
		TEST(a_notice_says_what_to_do_and_what_its_end_means),
		TEST(a_question_that_unlocks_says_for_what_and_for_how_long),
		TEST(who_started_the_one_that_asks_is_told_the_nearest_two),
		TEST(a_local_request_is_not_called_remote),
		TEST(a_proven_destination_is_named),
		TEST(hosts_are_named_by_what_is_known_of_them),
		TEST(the_path_names_every_host_that_forwards),
		TEST(all_else_is_an_unproven_destination),
		TEST(only_a_login_has_a_destination),
		TEST(each_subject_has_its_words),
		TEST(tries_and_a_wrong_pin_are_told),
		TEST(the_trouble_is_a_wrong_pin_and_what_is_left),
		TEST(a_question_begins_with_what_is_asked_unless_it_came_from_elsewhere),
		TEST(no_foreign_text_can_speak_for_the_agent),
		TEST(long_foreign_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
