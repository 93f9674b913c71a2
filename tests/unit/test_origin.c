/*
 * Who is asking: the rules at the accept as a table, and that nothing ever makes it better.
 */
#include <string.h>

#include <keystile/cleanup.h>

#include "origin.h"
#include "test.h"

#define SSH "/usr/bin/ssh"

/* What is not named is as of an ordinary local process. */
static const struct row {
	const char *what;
	const char *executable;
	bool no_pid, no_start_time, deleted, other_namespace, forked;
	bool listener_remote, seen_before, unknown_remote;
	enum origin_rule rule;
} table[] = {
	{"ssh, the first time", SSH, .rule = ORIGIN_LOCAL},
	{"ssh-add", "/usr/bin/ssh-add", .rule = ORIGIN_LOCAL},
	{"any program", "/usr/bin/git", .rule = ORIGIN_LOCAL},
	{"any program again", "/usr/bin/git", .seen_before = true, .rule = ORIGIN_LOCAL},
	{"ssh, the second time", SSH, .seen_before = true, .rule = ORIGIN_SSH_SECOND_CONNECTION},
	{"ssh, gone to the background", SSH, .forked = true, .rule = ORIGIN_SSH_SECOND_CONNECTION},
	{"dbclient, gone to the background", "/usr/bin/dbclient", .forked = true,
		.rule = ORIGIN_SSH_SECOND_CONNECTION},
	{"any program that forked", "/usr/bin/git", .forked = true, .rule = ORIGIN_LOCAL},
	{"dbclient, the first time", "/usr/bin/dbclient", .rule = ORIGIN_LOCAL},
	{"dbclient, the second time", "/usr/bin/dbclient", .seen_before = true,
		.rule = ORIGIN_SSH_SECOND_CONNECTION},
	{"the remote listener", SSH, .listener_remote = true, .rule = ORIGIN_REMOTE_LISTENER},
	{"sshd", "/usr/sbin/sshd", .rule = ORIGIN_RELAY},
	{"dropbear", "/usr/sbin/dropbear", .rule = ORIGIN_RELAY},
	{"sshd-session", "/usr/lib/openssh/sshd-session", .rule = ORIGIN_RELAY},
	{"socat", "/usr/bin/socat", .rule = ORIGIN_RELAY},
	{"a folder named as a relay", "/opt/sshd/bin/tool", .rule = ORIGIN_LOCAL},
	{"another namespace", SSH, .other_namespace = true, .rule = ORIGIN_NAMESPACE},
	{"no pid", SSH, .no_pid = true, .rule = ORIGIN_UNKNOWN_PROCESS},
	{"no start time", SSH, .no_start_time = true, .rule = ORIGIN_UNKNOWN_PROCESS},
	{"no executable", "", .rule = ORIGIN_UNKNOWN_PROCESS},
	{"a deleted executable", SSH " (deleted)", .deleted = true, .rule = ORIGIN_UNKNOWN_PROCESS},
	{"unknown ones are remote, git", "/usr/bin/git", .unknown_remote = true,
		.rule = ORIGIN_UNKNOWN_CLIENT},
	{"unknown ones are remote, ssh", SSH, .unknown_remote = true, .rule = ORIGIN_LOCAL},
	{"unknown ones are remote, ssh-add", "/usr/bin/ssh-add", .unknown_remote = true,
		.rule = ORIGIN_LOCAL},
	{"unknown ones are remote, ssh-keygen", "/usr/bin/ssh-keygen", .unknown_remote = true,
		.rule = ORIGIN_LOCAL},
};

static struct origin decide(const struct row *row)
{
	AUTO(text) executable = strdup(row->executable);
	struct peer peer = {.pid = row->no_pid ? 0 : 77,
		.uid = 1000,
		.start_time = row->no_start_time ? 0 : 5,
		.executable = executable,
		.other_namespace = row->other_namespace,
		.forked = row->forked,
		.executable_deleted = row->deleted};
	struct origin_facts facts = {.peer = &peer,
		.listener_remote = row->listener_remote,
		.ssh_seen_before = row->seen_before};
	struct config config = {0};
	struct origin origin;

	assert_non_null(executable);
	assert_int_equal(config_defaults(&config), KS_OK);
	config.unknown_clients_remote = row->unknown_remote;
	origin = origin_at_accept(&facts, &config);
	config_deinit(&config);
	return origin;
}

static void every_row_of_the_table_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct origin origin = decide(&table[i]);

		if (origin.rule != table[i].rule)
			fail_msg("%s: %s", table[i].what, origin_words(origin.rule));
		assert_int_equal(origin_remote(&origin), table[i].rule != ORIGIN_LOCAL);
	}
}

/* Being forwarded says more than being not the first: that is the one rule that gives way. */
static enum origin_rule after(enum origin_rule first, enum origin_rule second)
{
	if (first == ORIGIN_SSH_SECOND_CONNECTION && second == ORIGIN_FORWARDING_BIND)
		return second;
	return first != ORIGIN_LOCAL ? first : second;
}

static void the_first_rule_stays_and_nothing_makes_a_connection_local_again(void **state)
{
	(void)state;
	for (int first = 0; first < ORIGIN_RULE_COUNT; first++) {
		for (int second = 0; second < ORIGIN_RULE_COUNT; second++) {
			struct origin origin = {ORIGIN_LOCAL};

			origin_worsen(&origin, (enum origin_rule)first);
			origin_worsen(&origin, (enum origin_rule)second);
			assert_int_equal(origin.rule,
				after((enum origin_rule)first, (enum origin_rule)second));
			assert_int_equal(origin_remote(&origin), first != 0 || second != 0);
		}
	}
}

static void every_rule_has_words_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < ORIGIN_RULE_COUNT; i++) {
		assert_string_not_equal(origin_words((enum origin_rule)i), "unknown");
		for (int other = 0; other < i; other++)
			assert_string_not_equal(origin_words((enum origin_rule)i),
				origin_words((enum origin_rule)other));
	}
	assert_string_equal(origin_words(ORIGIN_RULE_COUNT), "unknown");
}

static void only_the_program_named_ssh_is_ssh(void **state)
{
	static const struct {
		const char *path;
		bool ssh;
	} rows[] = {{"/usr/bin/ssh", true}, {"ssh", true}, {"/opt/mine/ssh", true},
		{"/usr/bin/ssh-add", false}, {"/usr/bin/sshd", false}, {"/usr/bin/ssh/x", false},
		{"", false}, {"/usr/bin/ssh (deleted)", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(text) path = strdup(rows[i].path);
		struct peer peer = {.executable = path};

		assert_int_equal(origin_peer_is_ssh(&peer), rows[i].ssh);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_table_holds),
		cmocka_unit_test(the_first_rule_stays_and_nothing_makes_a_connection_local_again),
		cmocka_unit_test(every_rule_has_words_of_its_own),
		cmocka_unit_test(only_the_program_named_ssh_is_ssh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
