/*
 * The configuration: what each option gives, what is refused and with which words and line, and
 * which files are read at all.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <keystile/backends.h>
#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "config.h"
#include "test.h"

/* In place of those of the build, some of which may be switched off. */
static const struct ks_needs fake = {.name = "fake"};
static const struct ks_needs pkcs11 = {.name = "pkcs11"};
const struct ks_needs *const ks_backends[] = {&fake, &pkcs11, NULL};

/* Defaults with the text over them; fails the test unless it parses. */
static struct config parsed(const char *text)
{
	struct config config;
	char *error = NULL;

	assert_int_equal(config_defaults(&config), KS_OK);
	if (config_parse(bytes_of(text), "test.conf", &config, &error) != KS_OK)
		fail_msg("%s", error);
	assert_null(error);
	return config;
}

static void nothing_configured_gives_the_defaults(void **state)
{
	(void)state;
	struct config config = parsed("");

	assert_string_equal(config.allowed_providers, "/usr/lib*/*,/usr/local/lib*/*");
	assert_int_equal(config.operation_timeout_ms, 60000);
	assert_int_equal(config.prompt_timeout_ms, 120000);
	assert_int_equal(config.release_after_s, 600);
	assert_false(config.unknown_clients_remote);
	assert_true(config.unbound_ssh_remote);
	assert_false(config.allow_remote_without_presence);
	assert_false(config.allow_rsa_sha1);
	assert_false(config.allow_ssh_dss);
	assert_false(config.remote_memory_keys_confirm);
	assert_false(config.locked_keys_listed);
	assert_null(config.askpass);
	assert_int_equal(config.prompts, CONFIG_PROMPTS_AUTO);
	assert_null(config.pinentry);
	assert_null(config.pinentry_terminal);
	assert_int_equal(config.worker_count, 0);
	assert_null(config_worker_environment(&config, "pkcs11")[0]);
	config_deinit(&config);
}

static void every_option_replaces_its_default(void **state)
{
	(void)state;
	struct config config = parsed("allowed-providers = \"/opt/*\"\n"
				      "operation-timeout = 5\n"
				      "prompt-timeout = 2m\n"
				      "release-after = never\n"
				      "unknown-clients = remote\n"
				      "ssh-without-session-bind = local\n"
				      "allow-remote-without-presence = true\n"
				      "allow-rsa-sha1 = yes\n"
				      "allow-ssh-dss = true\n"
				      "remote-memory-keys = \"confirm\"\n"
				      "when-locked = list\n"
				      "askpass = '/usr/bin/ask pass'\n"
				      "prompts = pinentry\n"
				      "pinentry = /usr/bin/pinentry-qt\n"
				      "pinentry-terminal = /dev/tty8\n"
				      "relays = {mine, \"/opt/my relay\"}\n"
				      "worker fake { environment = {\"A=1\", 'B=${C}'}\n"
				      "grant-read = {/opt/vendor} grant-write = {/a, /b} "
				      "grant-command = {\"a-1=ssh \\\"b c\\\"\", \"b=x\"} "
				      "grant-shared-memory = true }\n");

	assert_string_equal(config.allowed_providers, "/opt/*");
	assert_int_equal(config.operation_timeout_ms, 5000);
	assert_int_equal(config.prompt_timeout_ms, 120000);
	assert_int_equal(config.release_after_s, 0);
	assert_true(config.unknown_clients_remote);
	assert_false(config.unbound_ssh_remote);
	assert_true(config.allow_remote_without_presence);
	assert_true(config.allow_rsa_sha1);
	assert_true(config.allow_ssh_dss);
	assert_true(config.remote_memory_keys_confirm);
	assert_true(config.locked_keys_listed);
	assert_string_equal(config.askpass, "/usr/bin/ask pass");
	assert_int_equal(config.prompts, CONFIG_PROMPTS_PINENTRY);
	assert_string_equal(config.pinentry, "/usr/bin/pinentry-qt");
	assert_string_equal(config.pinentry_terminal, "/dev/tty8");
	assert_string_equal(config.relays[0], "mine");
	assert_string_equal(config.relays[1], "/opt/my relay");
	assert_null(config.relays[2]);
	assert_string_equal(config_worker_environment(&config, "fake")[0], "A=1");
	assert_string_equal(config_worker_environment(&config, "fake")[1], "B=${C}");
	assert_true(config_worker(&config, "fake")->shared_memory);
	assert_null(config_worker_environment(&config, "fake")[2]);
	assert_null(config_worker_environment(&config, "pkcs11")[0]);
	assert_string_equal(config_worker(&config, "fake")->read[0], "/opt/vendor");
	assert_null(config_worker(&config, "fake")->read[1]);
	assert_string_equal(config_worker(&config, "fake")->write[1], "/b");
	assert_string_equal(config_worker(&config, "fake")->commands[0], "a-1=ssh \"b c\"");
	assert_string_equal(config_worker(&config, "fake")->commands[1], "b=x");
	assert_null(config_worker(&config, "fake")->commands[2]);
	assert_null(config_worker(&config, "pkcs11"));
	config_deinit(&config);
}

static void a_listener_section_has_what_it_says_and_safe_defaults(void **state)
{
	(void)state;
	struct config config = parsed("listener all { }\n"
				      "listener some { path = /run/x/y.sock\n origin = local\n"
				      "keys = {\"a *\", \"!b\"}\n mode = 0660\n"
				      "comments = as-is }\n");
	const struct config_listener *all = &config.listeners[0];
	const struct config_listener *some = &config.listeners[1];
	char *error = NULL;

	assert_int_equal(config.listener_count, 2);
	assert_string_equal(all->name, "all");
	assert_null(all->path);
	assert_false(all->local);
	assert_int_equal(all->mode, 0600);
	assert_null(all->keys);
	assert_int_equal(all->comments, CONFIG_COMMENTS_BY_ORIGIN);
	assert_string_equal(some->path, "/run/x/y.sock");
	assert_true(some->local);
	assert_int_equal(some->mode, 0660);
	assert_string_equal(some->keys[1], "!b");
	assert_null(some->keys[2]);
	assert_int_equal(some->comments, CONFIG_COMMENTS_AS_IS);
	/* A section of another file replaces the whole of the one of its name. */
	assert_int_equal(config_parse(bytes_of("listener some { mode = 0666 }\n"), "user.conf",
				 &config, &error),
		KS_OK);
	assert_int_equal(config.listener_count, 2);
	assert_null(config.listeners[1].path);
	assert_false(config.listeners[1].local);
	assert_null(config.listeners[1].keys);
	assert_int_equal(config.listeners[1].mode, 0666);
	config_deinit(&config);
}

static void a_provider_section_names_what_is_loaded(void **state)
{
	(void)state;
	struct config config = parsed("provider one { load = \"/usr/lib/x.so\" }\n"
				      "provider two { load = \"tpm2:\"\n release-after = 1m30s\n"
				      "confirm = yes\n absent = "
				      "list\n keys = {\"a*\"} }\n");
	char *error = NULL;

	assert_int_equal(config.provider_count, 2);
	assert_string_equal(config.providers[0].name, "one");
	assert_string_equal(config.providers[0].load, "/usr/lib/x.so");
	assert_false(config.providers[0].confirm);
	assert_false(config.providers[0].lists_absent);
	assert_false(config.providers[0].release_said);
	assert_true(config.providers[1].release_said);
	assert_int_equal(config.providers[1].release_after_s, 90);
	assert_true(config.providers[1].confirm);
	assert_true(config.providers[1].lists_absent);
	assert_null(config.providers[0].offers.keys);
	assert_string_equal(config.providers[1].offers.keys[0], "a*");
	assert_null(config.providers[1].offers.keys[1]);
	/* The user's file replaces a section as a whole, and may want nothing of it. */
	assert_int_equal(config_parse(bytes_of("provider two { load = \"fido2:\" }\n"
					       "provider one { load = none }\n"),
				 "user.conf", &config, &error),
		KS_OK);
	assert_int_equal(config.provider_count, 1);
	assert_string_equal(config.providers[0].load, "fido2:");
	assert_false(config.providers[0].confirm);
	config_deinit(&config);
}

static void there_is_an_end_to_listeners(void **state)
{
	struct config config;
	char *error = NULL;
	AUTO(buf)
	text = {.max = CONFIG_FILE_MAX};

	(void)state;
	for (int i = 0; i <= 32; i++) {
		char line[64];

		snprintf(line, sizeof(line), "listener l%d { }\n", i);
		buf_put(&text, bytes_of(line));
	}
	assert_int_equal(config_defaults(&config), KS_OK);
	assert_int_equal(
		config_parse(buf_bytes(&text), "test.conf", &config, &error), KS_BAD_INPUT);
	assert_string_equal(error, "test.conf:33: more than 32 listeners");
	free(error);
	config_deinit(&config);
}

static void a_second_text_replaces_only_what_it_names(void **state)
{
	(void)state;
	struct config config = parsed("operation-timeout = 5\nprompt-timeout = 6\n"
				      "relays = {one}\n"
				      "worker fake { environment = {\"A=1\"} }\n"
				      "worker pkcs11 { environment = {\"B=1\"} }\n");
	char *error = NULL;

	assert_int_equal(config_parse(bytes_of("prompt-timeout = 7\nrelays += {two}\n"
					       "worker fake { environment = {\"C=1\"} }\n"),
				 "user.conf", &config, &error),
		KS_OK);
	assert_int_equal(config.operation_timeout_ms, 5000);
	assert_int_equal(config.prompt_timeout_ms, 7000);
	assert_string_equal(config.relays[0], "one");
	assert_string_equal(config.relays[1], "two");
	assert_null(config.relays[2]);
	assert_string_equal(config_worker_environment(&config, "fake")[0], "C=1");
	assert_null(config_worker_environment(&config, "fake")[1]);
	assert_string_equal(config_worker_environment(&config, "pkcs11")[0], "B=1");
	config_deinit(&config);
}

#define FINGERPRINT "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN+/0"

static void rules_keep_their_order_and_what_they_say(void **state)
{
	(void)state;
	struct config config =
		parsed("rule second-rate { then = refuse }\n"
		       "rule all-of-it {\n"
		       "origin = local subject = {login, sshsig}\n"
		       "key = {\"" FINGERPRINT "\", \"!work *\"} token = \"Card\"\n"
		       "namespace = git namespace += {file} listener = agent\n"
		       "executable = {/usr/bin/git, ssh} destination = \"*.example\"\n"
		       "then = confirm remember = 2m }\n");
	const struct policy_rule *rule = &config.rules.list[1];

	assert_int_equal(config.rules.count, 2);
	assert_string_equal(config.rules.list[0].name, "second-rate");
	assert_int_equal(config.rules.list[0].then, POLICY_THEN_REFUSE);
	assert_int_equal(config.rules.list[0].origin, POLICY_ANYWHERE);
	assert_int_equal(config.rules.list[0].subjects, 0);
	for (int list = 0; list < POLICY_LIST_COUNT; list++)
		assert_null(config.rules.list[0].lists[list]);
	assert_string_equal(rule->name, "all-of-it");
	assert_int_equal(rule->origin, POLICY_LOCAL);
	assert_int_equal(rule->subjects, 1U << SUBJECT_LOGIN | 1U << SUBJECT_SSHSIG);
	assert_string_equal(rule->lists[POLICY_KEY][0], FINGERPRINT);
	assert_string_equal(rule->lists[POLICY_KEY][1], "!work *");
	assert_null(rule->lists[POLICY_KEY][2]);
	assert_string_equal(rule->lists[POLICY_TOKEN][0], "Card");
	assert_string_equal(rule->lists[POLICY_NAMESPACE][1], "file");
	assert_string_equal(rule->lists[POLICY_LISTENER][0], "agent");
	assert_string_equal(rule->lists[POLICY_EXECUTABLE][1], "ssh");
	assert_string_equal(rule->lists[POLICY_DESTINATION][0], "*.example");
	assert_int_equal(rule->then, POLICY_THEN_CONFIRM);
	assert_int_equal(rule->remember_s, 120);
	config_deinit(&config);
}

static void hosts_are_in_lower_case_and_collected_as_known_hosts_writes_them(void **state)
{
	(void)state;
	struct config config =
		parsed("rule a { destination = {\"DB.Example\", \"*.example\", \"!Old.example\"} "
		       "then = none }\n"
		       "rule b { destination = {\"c.example:2222\", \"fe80::1\"} then = none }\n"
		       "rule c { key = other.example then = none }\n");

	assert_string_equal(config.rules.list[0].lists[POLICY_DESTINATION][0], "db.example");
	assert_string_equal(config.rules.list[0].lists[POLICY_DESTINATION][2], "!old.example");
	assert_string_equal(config.rules.hosts[0], "db.example");
	assert_string_equal(config.rules.hosts[1], "old.example");
	assert_string_equal(config.rules.hosts[2], "[c.example]:2222");
	assert_string_equal(config.rules.hosts[3], "fe80::1");
	assert_null(config.rules.hosts[4]);
	config_deinit(&config);
}

static void the_users_rules_replace_all_of_the_systems(void **state)
{
	(void)state;
	struct config config = parsed("rule a { then = refuse } rule b { then = pin }");
	char *error = NULL;

	assert_int_equal(
		config_parse(bytes_of("operation-timeout = 7"), "user.conf", &config, &error),
		KS_OK);
	assert_int_equal(config.rules.count, 2);
	assert_int_equal(
		config_parse(bytes_of("rule b { then = none }"), "user.conf", &config, &error),
		KS_OK);
	assert_int_equal(config.rules.count, 1);
	assert_int_equal(config.rules.list[0].then, POLICY_THEN_NONE);
	config_deinit(&config);
}

static void too_many_rules_are_refused(void **state)
{
	struct config config;
	char *error = NULL;
	AUTO(buf)
	text = {.max = CONFIG_FILE_MAX};

	(void)state;
	for (int i = 0; i <= POLICY_RULES_MAX; i++) {
		char line[64];

		snprintf(line, sizeof(line), "rule r%d { then = none }\n", i);
		buf_put(&text, bytes_of(line));
	}
	assert_int_equal(config_defaults(&config), KS_OK);
	assert_int_equal(
		config_parse(buf_bytes(&text), "test.conf", &config, &error), KS_BAD_INPUT);
	assert_string_equal(error, "test.conf:201: rule r200: there are too many rules before it");
	free(error);
	config_deinit(&config);
}

static void lists_are_added_to_replaced_and_emptied(void **state)
{
	(void)state;
	struct config config = parsed("relays += {mine}\nrelays += { 'other', }\n");

	assert_true(config_is_relay(&config, "/usr/sbin/sshd"));
	assert_true(config_is_relay(&config, "/opt/mine"));
	assert_true(config_is_relay(&config, "/opt/other"));
	config_deinit(&config);

	config = parsed("relays = {}");
	assert_null(config.relays[0]);
	assert_false(config_is_relay(&config, "/usr/sbin/sshd"));
	config_deinit(&config);
}

static void relays_are_known_by_name_or_by_path(void **state)
{
	static const struct {
		const char *executable;
		bool relay;
	} table[] = {
		{"/usr/sbin/sshd", true},
		{"/usr/lib/openssh/sshd-session", true},
		{"/usr/bin/socat", true},
		{"/usr/local/bin/tsh", true},
		{"/usr/bin/mosh-server", true},
		{"/usr/bin/dockerd", true},
		{"/usr/bin/docker", true},
		{"/usr/bin/buildkitd", true},
		{"/usr/bin/ssh", false},
		{"/usr/bin/git", false},
		{"/usr/sbin/sshd/ssh", false},
		{"/usr/bin/mysshd", false},
		{"/opt/x/y/tool", true},
		{"/opt/xy/tool", false},
		{"/tmp/opt/x/tool", false},
		{"", false},
	};
	struct config config = parsed("relays += {\"/opt/x/*\"}");

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (config_is_relay(&config, table[i].executable) != table[i].relay)
			fail_msg("%s", table[i].executable);
	}
	config_deinit(&config);
}

static void comments_and_quotes_are_passed_over(void **state)
{
	(void)state;
	struct config config =
		parsed("# one \" \n// two {\n//three\n/* four\n'five' } */\n"
		       "askpass /**/=/* } */\"/a \\\"b\\\" \\\\ # // /* ' $ }\"// six\n"
		       "allowed-providers = '\"${HOME}\" \\' \\\\'# end");

	assert_string_equal(config.askpass, "/a \"b\" \\ # // /* ' $ }");
	assert_string_equal(config.allowed_providers, "\"${HOME}\" ' \\");
	config_deinit(&config);
}

/* What is refused, and what the person is told. */
static const struct {
	const char *text;
	const char *error;
} refusals[] = {
	/* unknown things */
	{"\nno-such = 1", "test.conf:2: no such option 'no-such'"},
	{"worker fake {\n\nno-such = 1 }", "test.conf:3: no such option 'no-such'"},
	{"environment = {\"A=1\"}", "test.conf:1: no such option 'environment'"},
	{"worker fake { askpass = /a }", "test.conf:1: no such option 'askpass'"},
	{"other fake { }", "test.conf:1: no such option 'other'"},
	{"\nworker tpm9 { }", "test.conf:2: worker: this build has no backend \"tpm9\""},
	{"listener one {\npath = '/tmp/' }",
		"test.conf:2: path: the value must be a path that begins with /, in a folder"},
	{"listener one {\npath = /socket }",
		"test.conf:2: path: the value must be a path that begins with /, in a folder"},
	{"listener control { }",
		"test.conf:1: a listener has a name of its own of at most 32 characters, other "
		"than agent, remote and control"},
	{"provider one { }", "test.conf:1: provider one: load says what it is, and is missing"},
	{"provider one {\nload = x.so }", "test.conf:2: load: the value must be what ssh-add -s "
					  "takes: a path that begins with "
					  "/, or a name such as tpm2:"},
	{"provider one { load = '/a' keys = { } }",
		"test.conf:1: provider one: keys is empty, so nothing would be offered"},
	{"provider one { load = '/a'\n usages = { } }",
		"test.conf:2: provider one: usages is empty, so nothing would be offered"},
	{"provider one {\nids = {\"0G\"} }", "test.conf:2: ids: an id is written in hexadecimal, "
					     "with a to f in lower case, such "
					     "as 01"},
	{"provider one {\nslots = {9b} }",
		"test.conf:2: slots: a slot is one of 9a, 9c, 9d, 9e, 82 to 95, f9, or \"*\""},
	{"provider one {\nusages = {\n clientauth} }",
		"test.conf:3: usages: a usage is any, a name such as clientAuth, or an OID such as "
		"1.3.6.1.5.5.7.3.2; keystile keys shows those of a key"},
	{"provider one {\nissuers = {''} }",
		"test.conf:2: issuers: an empty pattern matches nothing"},
	{"provider one {\ncertificates = {\"a-cert.pub\"} }",
		"test.conf:2: certificates: the value must be a path that begins with / or ~/, and "
		"ends with a file's name"},
	{"provider one {\ncertificates = {\"/a/\"} }",
		"test.conf:2: certificates: the value must be a path that begins with / or ~/, and "
		"ends with a file's name"},
	{"provider one {\ncertificates = {\"/a/*/b\"} }",
		"test.conf:2: certificates: only the last part of a path is a pattern"},
	{"provider one {\nabsent = stay }", "test.conf:2: absent: the value must be hide or list"},
	{"provider { load = '/a' }", "test.conf:1: a provider has a name of at most 32 characters"},
	{"provider one {\nlifetime = 1 }", "test.conf:2: no such option 'lifetime'"},
	{"listener one {\nkeys = {'!'} }", "test.conf:2: keys: an empty pattern matches nothing"},
	{"worker { }", "test.conf:1: missing title for section 'worker'"},
	{"askpass { }", "test.conf:1: missing equal sign after option 'askpass'"},
	/* values */
	{"allow-rsa-sha1 = 2", "test.conf:1: invalid boolean value for option 'allow-rsa-sha1'"},
	{"allow-rsa-sha1 = {yes}", "test.conf:1: unexpected token '{'"},
	{"/* a\nb */\n/* c */\nallow-rsa-sha1 = maybe",
		"test.conf:4: invalid boolean value for option 'allow-rsa-sha1'"},
	{"operation-timeout = soon",
		"test.conf:1: operation-timeout: the value must be a time from "
		"1 second to 1 hour, such as 90 or 2m"},
	{"prompt-timeout = 0", "test.conf:1: prompt-timeout: the value must be a time from "
			       "1 second to 1 hour, such as 90 or 2m"},
	{"prompt-timeout = 3601", "test.conf:1: prompt-timeout: the value must be a time from "
				  "1 second to 1 hour, such as 90 or 2m"},
	{"release-after = 0", "test.conf:1: release-after: the value must be never, or a time from "
			      "1 second to 24 hours, such as 90 or 10m"},
	{"release-after = 25h", "test.conf:1: release-after: the value must be never, or a time "
				"from 1 second to 24 hours, such as 90 or 10m"},
	{"provider one {\nrelease-after = soon }",
		"test.conf:2: release-after: the value must be never, or a time from 1 second to "
		"24 hours, such as 90 or 10m"},
	{"prompt-timeout = -1", "test.conf:1: prompt-timeout: the value must be a time from "
				"1 second to 1 hour, such as 90 or 2m"},
	{"remote-memory-keys = allow",
		"test.conf:1: remote-memory-keys: the value must be refuse or confirm"},
	{"when-locked = show", "test.conf:1: when-locked: the value must be hide or list"},
	{"\nremote-memory-keys = \"\"",
		"test.conf:2: remote-memory-keys: the value must be refuse or confirm"},
	{"allow-ssh-dss = 1", "test.conf:1: invalid boolean value for option 'allow-ssh-dss'"},
	{"unknown-clients = Remote",
		"test.conf:1: unknown-clients: the value must be local or remote"},
	{"\n\nssh-without-session-bind = \"\"",
		"test.conf:3: ssh-without-session-bind: the value must be local or remote"},
	{"prompts = always",
		"test.conf:1: prompts: the value must be auto, askpass, pinentry or terminal"},
	{"pinentry = pinentry-qt",
		"test.conf:1: pinentry: the value must be a path that begins with /"},
	{"pinentry-terminal = /tmp/tty",
		"test.conf:1: pinentry-terminal: the value must be a terminal below /dev"},
	{"askpass = ksshaskpass",
		"test.conf:1: askpass: the value must be a path that begins with /"},
	{"askpass = \"\"", "test.conf:1: askpass: the value must be a path that begins with /"},
	{"relays += {\na,\nb/c,\nd}",
		"test.conf:3: relays: a program is a name, or a path that begins with /"},
	{"relays += {\"\"}", "test.conf:1: relays: an empty name matches no program"},
	{"askpass += /a", "test.conf:1: attempt to append to non-list option 'askpass'"},
	/* environment */
	{"worker fake {\nenvironment = {\"A=1\",\n\"B\"}}",
		"test.conf:3: environment: the value must be NAME=value, the name of letters, "
		"digits and \"_\""},
	{"worker fake { environment = {\"=1\"}}",
		"test.conf:1: environment: the value must be NAME=value, the name of letters, "
		"digits and \"_\""},
	{"worker fake { environment = {\"1A=1\"}}",
		"test.conf:1: environment: the value must be NAME=value, the name of letters, "
		"digits and \"_\""},
	{"worker fake { environment = {\"A-B=1\"}}",
		"test.conf:1: environment: the value must be NAME=value, the name of letters, "
		"digits and \"_\""},
	{"worker fake { environment = {\"A=1\", \"AB=2\", \"A=3\"}}",
		"test.conf:1: environment: a variable is given twice"},
	/* rules */
	{"rule r {\nthem = none }", "test.conf:2: no such option 'them'"},
	{"rule { then = none }", "test.conf:1: missing title for section 'rule'"},
	{"rule R { then = none }",
		"test.conf:1: \"R\" where a name of a-z, 0-9 and \"-\" is expected"},
	{"rule r { then = none }\n\nrule r { then = refuse }",
		"test.conf:3: \"rule r\" stands in line 1 already"},
	{"rule a2345678901234567890123456789012345678901234567890 { then = none }",
		"test.conf:1: the name of a rule has at most 48 characters"},
	{"rule r {\norigin = local\n}",
		"test.conf:3: rule r: it does not say what then: then = ... is missing"},
	{"rule r { then = allow }", "test.conf:1: then: the value must be none, confirm, touch, "
				    "pin, touch-or-pin or refuse"},
	{"rule r { then = {none} }", "test.conf:1: unexpected token '{'"},
	{"rule r {\norigin = anywhere\nthen = none }",
		"test.conf:2: origin: the value must be local or remote"},
	{"rule r {\nsubject = {login,\ngit}\nthen = none }",
		"test.conf:3: subject: the value must be login, sshsig, certificate or "
		"unrecognised"},
	{"rule r { subject = {}\nthen = none }",
		"test.conf:2: rule r: subject is empty, so the rule would never match"},
	{"rule r { key = {}\nthen = none }",
		"test.conf:2: rule r: key has no pattern without !, so the rule would never "
		"match; \"*\" is every one"},
	{"rule r { destination = \"!a\"\nthen = none }",
		"test.conf:2: rule r: destination has no pattern without !, so the rule would "
		"never match; \"*\" is every one"},
	{"rule r { key = \"\" then = none }", "test.conf:1: key: an empty pattern matches nothing"},
	{"rule r { token = \"!\" then = none }",
		"test.conf:1: token: an empty pattern matches nothing"},
	{"rule r { key = \"a,b\" then = none }",
		"test.conf:1: key: a comma in a pattern: a list is written {one, two}"},
	{"rule r { key = \"MD5:00:11\" then = none }",
		"test.conf:1: key: a fingerprint is one of SHA-256, as ssh-add -l shows it"},
	{"rule r { key = \"SHA256:abc*\" then = none }",
		"test.conf:1: key: a fingerprint is \"SHA256:\" and 43 characters, without "
		"patterns"},
	{"rule r { key = \"!SHA256:\" then = none }",
		"test.conf:1: key: a fingerprint is \"SHA256:\" and 43 characters, without "
		"patterns"},
	{"rule r { executable = bin/git then = none }",
		"test.conf:1: executable: a program is a name, or a path that begins with /"},
	{"rule r { subject = login namespace = git then = none }",
		"test.conf:1: rule r: only the subject sshsig has a namespace"},
	{"rule r { subject = sshsig destination = a then = none }",
		"test.conf:1: rule r: only the subject login has a destination"},
	{"rule r { origin = local remember = 5m then = touch }",
		"test.conf:1: rule r: remember goes with then = confirm only"},
	{"rule r { remember = 5m then = confirm }",
		"test.conf:1: rule r: remember goes with origin = local only"},
	{"rule r { origin = remote remember = 5m then = confirm }",
		"test.conf:1: rule r: remember goes with origin = local only"},
	{"rule r { origin = local remember = 2h then = confirm }",
		"test.conf:1: remember: the value must be a time from 1 second to 1 hour, such as "
		"90 or 2m"},
	{"rule r { worker fake { } }", "test.conf:1: a section inside a section"},
	{"rule r { then = none", "test.conf:1: the section that begins here is never closed"},
	{"then = none", "test.conf:1: no such option 'then'"},
	/* given twice */
	{"allow-rsa-sha1 = no\n\nallow-rsa-sha1 = no",
		"test.conf:3: \"allow-rsa-sha1\" stands in line 1 already"},
	{"relays += {a}\nrelays = {b}", "test.conf:2: \"relays\" stands in line 1 already"},
	{"worker fake {}\nworker 'fake' {}",
		"test.conf:2: \"worker fake\" stands in line 1 already"},
	{"worker fake {\nenvironment = {}\nenvironment = {} }",
		"test.conf:3: \"environment\" stands in line 2 already"},
	/* ends in the middle */
	{"\nworker fake {\nenvironment = {\"A=1\"}\n",
		"test.conf:2: the section that begins here is never closed"},
	{"\nrelays = {a,\n", "test.conf:2: the list that begins here is never closed"},
	{"relays = {a", "test.conf:1: the list that begins here is never closed"},
	{"askpass = \"/a", "test.conf:1: the string is not closed in its line"},
	{"askpass = '/a\n'", "test.conf:1: the string is not closed in its line"},
	{"askpass = \"/a\\", "test.conf:1: a backslash stands only before a quote or another "
			     "backslash"},
	{"askpass =\n", "test.conf:2: the file ends where a value is expected"},
	{"askpass", "test.conf:1: the file ends where \"=\" or \"{\" is expected"},
	{"worker fake", "test.conf:1: the file ends where \"{\" is expected"},
	{"\n/* a\n\n", "test.conf:2: the comment that begins here is never closed"},
	/* what libconfuse would do by itself */
	{"askpass = \"${HOME}/a\"", "test.conf:1: ${...} is not expanded here; text that means it "
				    "goes in single quotes"},
	{"askpass = ${HOME}", "test.conf:1: ${...} is not expanded here"},
	{"\ninclude(\"/etc/passwd\")", "test.conf:2: other files can't be included"},
	{"include = 1", "test.conf:1: other files can't be included"},
	{"askpass(1)", "test.conf:1: other files can't be included"},
	{"allowed-providers = /usr/lib/*",
		"test.conf:1: text with // or /* in it must be in quotes"},
	{"allowed-providers = /usr/lib*/x",
		"test.conf:1: unexpected character: text with such characters must be in quotes"},
	{"askpass = a//b", "test.conf:1: text with // or /* in it must be in quotes"},
	{"askpass = \"/a\\x41\"",
		"test.conf:1: a backslash stands only before a quote or another backslash"},
	{"\"askpass\" = /a", "test.conf:1: \"askpass\" where the name of an option is expected"},
	{"\"worker=fake|environment\" = {}",
		"test.conf:1: \"worker=fake|environment\" where the name of an option is expected"},
	/* structure */
	{"\n}", "test.conf:2: \"}\" where the name of an option is expected"},
	{"worker fake { }}", "test.conf:1: \"}\" where the name of an option is expected"},
	{"relays = {a b}", "test.conf:1: \"b\" where a value, \",\" or \"}\" is expected"},
	{"relays = {{a}}", "test.conf:1: \"{\" where a value, \",\" or \"}\" is expected"},
	{"relays = {,}", "test.conf:1: \",\" where a value, \",\" or \"}\" is expected"},
	{"askpass = =", "test.conf:1: \"=\" where a value is expected"},
	{"askpass /a", "test.conf:1: \"/a\" where a name of a-z, 0-9 and \"-\" is expected"},
	{"worker fake {\nworker fake { } }", "test.conf:2: a section inside a section"},
	{"askpass = \"/a\tb\"", "test.conf:1: askpass: the value holds control characters"},
	{"\naskpass = /a\r\n", "test.conf:2: carriage return: save the file with Unix line ends"},
	{"# \033[2J", "test.conf:1: control character"},
	{"askpass = '\001'", "test.conf:1: control character"},
	{"\xef\xbb\xbf"
	 "askpass = /a",
		"test.conf:1: unexpected character: text with such "
		"characters must be in quotes"},
};

static void mistakes_are_refused_with_words_and_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct config config;
		char *error = NULL;

		assert_int_equal(config_defaults(&config), KS_OK);
		print_message("# %zu\n", i);
		assert_int_equal(
			config_parse(bytes_of(refusals[i].text), "test.conf", &config, &error),
			KS_BAD_INPUT);
		assert_string_equal(error, refusals[i].error);
		assert_int_equal(config.operation_timeout_ms, 60000);
		free(error);
		config_deinit(&config);
	}
}

static void a_refused_text_changes_nothing(void **state)
{
	(void)state;
	struct config config = parsed("operation-timeout = 5");
	char *error = NULL;

	assert_int_equal(config_parse(bytes_of("operation-timeout = 6\nrelays = {}\nno-such = 1"),
				 "x", &config, &error),
		KS_BAD_INPUT);
	assert_int_equal(config.operation_timeout_ms, 5000);
	assert_non_null(config.relays[0]);
	free(error);
	config_deinit(&config);
}

static void a_nul_byte_is_refused(void **state)
{
	static const uint8_t text[] = "askpass = \"/a\0b\"";
	struct config config = {0};
	char *error = NULL;

	(void)state;
	assert_int_equal(
		config_parse(BYTES(text, sizeof(text) - 1), "x", &config, &error), KS_BAD_INPUT);
	assert_string_equal(error, "x:1: control character");
	free(error);
}

static void too_many_options_and_too_long_texts_are_refused(void **state)
{
	struct config config = {0};
	struct buf text = {0};
	char *error = NULL;

	(void)state;
	buf_init(&text, 2 * CONFIG_FILE_MAX);
	for (int i = 0; i < 1001; i++)
		buf_put(&text, bytes_of("relays += {}\n"));
	assert_int_equal(config_parse(buf_bytes(&text), "x", &config, &error), KS_BAD_INPUT);
	assert_string_equal(error, "x:1001: more than 1000 options");
	free(error);

	buf_clear(&text);
	for (size_t i = 0; i <= CONFIG_FILE_MAX; i++)
		buf_put_u8(&text, '\n');
	assert_int_equal(config_parse(buf_bytes(&text), "x", &config, &error), KS_BAD_INPUT);
	assert_string_equal(error, "x:1: the file is longer than 1 MiB");
	free(error);
	text.len = CONFIG_FILE_MAX;
	assert_int_equal(config_parse(buf_bytes(&text), "x", &config, &error), KS_OK);
	buf_deinit(&text);
	config_deinit(&config);
}

static void a_value_that_is_too_long_is_refused(void **state)
{
	struct config config = {0};
	char value[4096 + 2];
	char *error = NULL;

	(void)state;
	memset(value, 'a', sizeof(value) - 1);
	value[0] = '/';
	value[sizeof(value) - 1] = '\0';

	char *text = text_format("askpass = %s", value);

	assert_int_equal(config_parse(bytes_of(text), "x", &config, &error), KS_BAD_INPUT);
	assert_string_equal(error, "x:1: askpass: the value is too long");
	free(error);
	text[strlen(text) - 1] = '\0';
	assert_int_equal(config_parse(bytes_of(text), "x", &config, &error), KS_OK);
	free(text);
	config_deinit(&config);
}

/* ---- Files ---- */

struct folder {
	char path[64];
	char file[128];
};

static int make_folder(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	*state = folder;
	strcpy(folder->path, "/tmp/keystile-config-XXXXXX");
	if (mkdtemp(folder->path) == NULL)
		return -1;
	snprintf(folder->file, sizeof(folder->file), "%s/keystile.conf", folder->path);
	return 0;
}

static int remove_folder(void **state)
{
	struct folder *folder = *state;

	unlink(folder->file);
	rmdir(folder->file);
	rmdir(folder->path);
	free(folder);
	return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void assert_file_refused(const struct folder *folder, const char *words)
{
	struct config config = {0};
	char *error = NULL;
	char *expected = text_format("%s: %s", folder->file, words);

	assert_int_equal(config_load(folder->file, &config, &error), KS_BAD_INPUT);
	assert_string_equal(error, expected);
	free(expected);
	free(error);
}

static void a_file_that_is_not_there_is_fine(void **state)
{
	const struct folder *folder = *state;
	struct config config = {0};
	char *error = NULL;

	assert_int_equal(config_load(folder->file, &config, &error), KS_OK);
	assert_null(error);
}

static void a_file_is_read(void **state)
{
	const struct folder *folder = *state;
	struct config config = {0};
	char *error = NULL;

	write_file(folder->file, "operation-timeout = 9\n", 0644);
	assert_int_equal(config_load(folder->file, &config, &error), KS_OK);
	assert_int_equal(config.operation_timeout_ms, 9000);
	config_deinit(&config);
}

static void a_file_that_others_can_write_is_refused(void **state)
{
	const struct folder *folder = *state;

	write_file(folder->file, "", 0646);
	assert_file_refused(folder, "can be written by others: chmod go-w it");
	write_file(folder->file, "", 0664);
	assert_file_refused(folder, "can be written by others: chmod go-w it");
}

static void a_file_of_another_user_is_refused(void **state)
{
	const struct folder *folder = *state;

	if (geteuid() != 0) /* can't make one */
		skip();
	write_file(folder->file, "", 0644);
	assert_int_equal(chown(folder->file, 65534, 65534), 0);
	assert_file_refused(folder, "belongs to another user");
}

static void roots_file_is_fine_for_everybody(void **state)
{
	struct config config = {0};
	char *error = NULL;
	bool is_root = geteuid() == 0;

	(void)state;
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	/* Root's and readable, though no configuration. */
	assert_int_equal(config_load("/etc/passwd", &config, &error), KS_BAD_INPUT);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_ptr_equal(strstr(error, "/etc/passwd:1: "), error);
	free(error);
}

static void what_is_no_regular_file_is_refused(void **state)
{
	const struct folder *folder = *state;

	assert_int_equal(mkdir(folder->file, 0700), 0);
	assert_file_refused(folder, "not a regular file");
	assert_int_equal(rmdir(folder->file), 0);
	/* A fifo that nobody writes: must not wait for one. */
	assert_int_equal(mkfifo(folder->file, 0600), 0);
	assert_file_refused(folder, "not a regular file");
}

static void a_file_over_a_mebibyte_is_refused(void **state)
{
	const struct folder *folder = *state;

	write_file(folder->file, "", 0600);
	assert_int_equal(truncate(folder->file, (off_t)CONFIG_FILE_MAX + 1), 0);
	assert_file_refused(folder, "longer than 1 MiB");
}

static void the_users_file_goes_over_the_systems(void **state)
{
	const struct folder *folder = *state;
	struct config config;
	char *error = NULL;
	char *user_folder = text_format("%s/keystile", folder->path);
	char *user_file = text_format("%s/keystile.conf", user_folder);

	write_file(folder->file, "operation-timeout = 1\nprompt-timeout = 1\n", 0600);
	assert_int_equal(mkdir(user_folder, 0700), 0);
	write_file(user_file, "prompt-timeout = 2\n", 0600);
	assert_int_equal(setenv("XDG_CONFIG_HOME", folder->path, 1), 0);
	assert_int_equal(config_load_all(folder->file, &config, &error), KS_OK);
	assert_int_equal(config.operation_timeout_ms, 1000);
	assert_int_equal(config.prompt_timeout_ms, 2000);
	assert_true(config.unbound_ssh_remote);
	config_deinit(&config);

	write_file(user_file, "prompt-timeout = \n", 0600);
	assert_int_equal(config_load_all(folder->file, &config, &error), KS_BAD_INPUT);
	assert_ptr_equal(strstr(error, user_file), error);
	assert_null(config.allowed_providers);
	free(error);
	unlink(user_file);
	rmdir(user_folder);
	free(user_file);
	free(user_folder);
}

static void the_users_file_is_found_as_xdg_says(void **state)
{
	static const struct {
		const char *xdg, *home, *path;
	} table[] = {
		{"/x", "/h", "/x/keystile/keystile.conf"},
		{NULL, "/h", "/h/.config/keystile/keystile.conf"},
		{"relative", "/h", "/h/.config/keystile/keystile.conf"},
		{"", "/h", "/h/.config/keystile/keystile.conf"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].xdg != NULL)
			setenv("XDG_CONFIG_HOME", table[i].xdg, 1);
		else
			unsetenv("XDG_CONFIG_HOME");
		setenv("HOME", table[i].home, 1);

		char *path = config_user_path();

		assert_string_equal(path, table[i].path);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_configured_gives_the_defaults),
		cmocka_unit_test(every_option_replaces_its_default),
		cmocka_unit_test(a_provider_section_names_what_is_loaded),
		cmocka_unit_test(a_listener_section_has_what_it_says_and_safe_defaults),
		cmocka_unit_test(there_is_an_end_to_listeners),
		cmocka_unit_test(a_second_text_replaces_only_what_it_names),
		cmocka_unit_test(rules_keep_their_order_and_what_they_say),
		cmocka_unit_test(hosts_are_in_lower_case_and_collected_as_known_hosts_writes_them),
		cmocka_unit_test(the_users_rules_replace_all_of_the_systems),
		cmocka_unit_test(too_many_rules_are_refused),
		cmocka_unit_test(lists_are_added_to_replaced_and_emptied),
		cmocka_unit_test(relays_are_known_by_name_or_by_path),
		cmocka_unit_test(comments_and_quotes_are_passed_over),
		cmocka_unit_test(mistakes_are_refused_with_words_and_line),
		cmocka_unit_test(a_refused_text_changes_nothing),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(too_many_options_and_too_long_texts_are_refused),
		cmocka_unit_test(a_value_that_is_too_long_is_refused),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_not_there_is_fine, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_file_is_read, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			a_file_that_others_can_write_is_refused, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			a_file_of_another_user_is_refused, make_folder, remove_folder),
		cmocka_unit_test(roots_file_is_fine_for_everybody),
		cmocka_unit_test_setup_teardown(
			what_is_no_regular_file_is_refused, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			a_file_over_a_mebibyte_is_refused, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			the_users_file_goes_over_the_systems, make_folder, remove_folder),
		cmocka_unit_test(the_users_file_is_found_as_xdg_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
