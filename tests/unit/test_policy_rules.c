/*
 * Rules as tables: the text of keystile.conf, what is known of a request, and which rule says what
 * then: "RULE: VERDICT", where "-" is no rule.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/backend.h>

#include "config.h"
#include "policy.h"
#include "test.h"

#define TOUCH KS_PRESENCE_TOUCH
#define PIN KS_PRESENCE_PIN
#define EITHER (KS_PRESENCE_TOUCH | KS_PRESENCE_PIN)

#define ONE "SHA256:1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TWO "SHA256:2bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

#define LOGIN .subject = SUBJECT_LOGIN
#define SSHSIG .subject = SUBJECT_SSHSIG
#define CERTIFICATE .subject = SUBJECT_CERTIFICATE
#define UNKNOWN .subject = SUBJECT_UNRECOGNISED
#define REMOTE .remote = true
#define TO(...)                                                                                    \
	LOGIN, .destination_proven = true, .destination_names = (const char *const[])              \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

struct row {
	struct policy_facts facts;
	const char *verdict;
};

/* One request a line. */
/* clang-format off */
static const struct row no_rules[] = {
	{{LOGIN}, "-: none"},
	{{LOGIN, .confirm = true}, "-: confirm"},
	{{LOGIN, REMOTE, .provable = PIN}, "-: pin"},
	{{LOGIN, REMOTE}, "-: refuse"},
};

static const char origin_rules[] = "rule here { origin = local then = confirm }\n"
				   "rule there { origin = remote then = pin }\n";
static const struct row origin_rows[] = {
	{{LOGIN}, "here: confirm"},
	{{SSHSIG}, "here: confirm"},
	{{UNKNOWN}, "here: confirm"},
	{{LOGIN, .provable = EITHER}, "here: confirm"},
	{{LOGIN, .in_memory = true}, "here: confirm"},
	{{LOGIN, REMOTE, .provable = PIN}, "there: pin"},
	{{LOGIN, REMOTE, .provable = EITHER}, "there: pin"},
	{{LOGIN, REMOTE, .provable = TOUCH}, "there: refuse"},
	{{LOGIN, REMOTE}, "there: refuse"},
	{{LOGIN, REMOTE, .in_memory = true}, "there: refuse"},
	{{UNKNOWN, REMOTE, .provable = PIN}, "there: refuse"},
};

static const char subject_rules[] =
	"rule logins { subject = login then = confirm }\n"
	"rule signatures { subject = {sshsig, certificate} then = touch }\n"
	"rule others { subject = unrecognised then = refuse }\n";
static const struct row subject_rows[] = {
	{{LOGIN}, "logins: confirm"},
	{{SSHSIG, .provable = TOUCH}, "signatures: touch"},
	{{CERTIFICATE, .provable = EITHER}, "signatures: touch"},
	{{CERTIFICATE, .provable = PIN}, "signatures: refuse"},
	{{SSHSIG}, "signatures: refuse"},
	{{UNKNOWN}, "others: refuse"},
	{{UNKNOWN, REMOTE, .provable = EITHER}, "others: refuse"},
	{{LOGIN, REMOTE, .provable = EITHER}, "logins: touch-or-pin"},
	{{SSHSIG, REMOTE, .provable = EITHER}, "signatures: touch"},
};

static const char key_rules[] = "rule one { key = \"" ONE "\" then = refuse }\n"
				"rule both { key = {\"" TWO "\", \"home *\"} then = confirm }\n"
				"rule work { key = {\"work*\", \"!*old*\"} then = pin }\n"
				"rule shaped { key = \"SHA*\" then = touch }\n";
static const struct row key_rows[] = {
	{{LOGIN, .key_fingerprint = ONE}, "one: refuse"},
	{{LOGIN, .key_fingerprint = ONE, .key_comment = "home a"}, "one: refuse"},
	{{LOGIN, .key_fingerprint = "SHA256:x", .key_plain_fingerprint = ONE}, "one: refuse"},
	{{LOGIN, .key_fingerprint = TWO}, "both: confirm"},
	{{LOGIN, .key_fingerprint = "SHA256:x", .key_plain_fingerprint = TWO}, "both: confirm"},
	{{LOGIN, .key_comment = "home a"}, "both: confirm"},
	{{LOGIN, .key_comment = "home"}, "-: none"},
	{{LOGIN, .key_comment = "work", .provable = PIN}, "work: pin"},
	{{LOGIN, .key_comment = "work laptop", .provable = EITHER}, "work: pin"},
	{{LOGIN, .key_comment = "work (old)", .provable = PIN}, "-: none"},
	{{LOGIN, .key_comment = "my work", .provable = PIN}, "-: none"},
	{{LOGIN, .key_comment = "Work", .provable = PIN}, "-: none"},
	/* A comment is not a fingerprint, nor the other way round. */
	{{LOGIN, .key_comment = ONE, .provable = TOUCH}, "shaped: touch"},
	{{LOGIN, .key_fingerprint = "SHA256:x"}, "-: none"},
	{{LOGIN, .key_comment = ""}, "-: none"},
	{{LOGIN}, "-: none"},
};

static const char token_rules[] = "rule old { token = \"Yubi*\" then = refuse }\n"
				  "rule card { token = {\"*\", \"!spare\"} then = pin }\n";
static const struct row token_rows[] = {
	{{LOGIN, .token_label = "YubiKey", .token_serial = "1"}, "old: refuse"},
	{{LOGIN, .token_label = "x", .token_serial = "Yubi 5"}, "old: refuse"},
	{{LOGIN, .token_label = "Card", .token_serial = "7", .provable = PIN}, "card: pin"},
	{{LOGIN, .token_label = "Card", .token_serial = "7", .provable = TOUCH}, "card: refuse"},
	{{LOGIN, .token_label = "", .token_serial = "", .provable = PIN}, "card: pin"},
	{{LOGIN, .token_label = "spare", .token_serial = "7", .provable = PIN}, "-: none"},
	{{LOGIN, .token_label = "Card", .token_serial = "spare", .provable = PIN}, "-: none"},
	/* A key in memory has no token. */
	{{LOGIN, .in_memory = true}, "-: none"},
};

static const char namespace_rules[] = "rule git { subject = sshsig namespace = git then = none }\n"
				      "rule mine { namespace = \"*@me.example\" then = confirm }\n"
				      "rule rest { subject = sshsig then = refuse }\n";
static const struct row namespace_rows[] = {
	{{SSHSIG, .sign_namespace = "git"}, "git: none"},
	{{SSHSIG, .sign_namespace = "git", .confirm = true}, "git: confirm"},
	{{SSHSIG, .sign_namespace = "git", REMOTE, .provable = EITHER}, "git: touch-or-pin"},
	{{SSHSIG, .sign_namespace = "git", REMOTE}, "git: refuse"},
	{{SSHSIG, .sign_namespace = "git "}, "rest: refuse"},
	{{SSHSIG, .sign_namespace = "Git"}, "rest: refuse"},
	{{SSHSIG, .sign_namespace = "gitx"}, "rest: refuse"},
	{{SSHSIG, .sign_namespace = "a@me.example"}, "mine: confirm"},
	{{SSHSIG, .sign_namespace = "a@me.example.org"}, "rest: refuse"},
	{{SSHSIG}, "rest: refuse"},
	{{LOGIN}, "-: none"},
	{{UNKNOWN}, "-: none"},
};

static const char listener_rules[] =
	"rule box { listener = {\"container-*\", build} then = touch }\n"
	"rule far { listener = remote then = refuse }\n";
static const struct row listener_rows[] = {
	{{LOGIN, .listener = "agent"}, "-: none"},
	{{LOGIN, .listener = "build", .provable = EITHER}, "box: touch"},
	{{LOGIN, .listener = "container-1", REMOTE, .provable = EITHER}, "box: touch"},
	{{LOGIN, .listener = "container-1", REMOTE, .provable = PIN}, "box: refuse"},
	{{LOGIN, .listener = "builder", .provable = EITHER}, "-: none"},
	{{LOGIN, .listener = "remote", REMOTE, .provable = EITHER}, "far: refuse"},
	{{LOGIN}, "-: none"},
};

static const char executable_rules[] =
	"rule git { executable = /usr/bin/git then = none }\n"
	"rule tools { executable = {\"/opt/tools/*\", \"!/opt/tools/good\"} then = refuse }\n"
	"rule ssh { executable = {ssh, \"sftp*\"} then = confirm }\n"
	"rule others { executable = {\"*\", \"!trusted\"} then = touch }\n";
static const struct row executable_rows[] = {
	{{LOGIN, .executable = "/usr/bin/git"}, "git: none"},
	{{LOGIN, .executable = "/usr/bin/git", .confirm = true}, "git: confirm"},
	{{LOGIN, .executable = "/tmp/usr/bin/git", .provable = TOUCH}, "others: touch"},
	{{LOGIN, .executable = "/opt/tools/a"}, "tools: refuse"},
	{{LOGIN, .executable = "/opt/tools/a/b"}, "tools: refuse"},
	{{LOGIN, .executable = "/opt/tools/good", .provable = TOUCH}, "others: touch"},
	{{LOGIN, .executable = "/usr/bin/ssh"}, "ssh: confirm"},
	{{LOGIN, .executable = "/home/me/ssh"}, "ssh: confirm"},
	{{LOGIN, .executable = "/usr/lib/sftp-server"}, "ssh: confirm"},
	{{LOGIN, .executable = "/usr/bin/ssh-add", .provable = TOUCH}, "others: touch"},
	{{LOGIN, .executable = "/ssh/x", .provable = TOUCH}, "others: touch"},
	{{LOGIN, .executable = "/usr/bin/trusted"}, "-: none"},
	{{LOGIN, .executable = "/trusted/x"}, "others: refuse"},
	{{LOGIN, .executable = "", .provable = TOUCH}, "others: touch"},
	{{LOGIN}, "-: none"},
};

static const char destination_rules[] =
	"rule lab { destination = {\"*.lab.example\", \"10.0.*\"} then = none }\n"
	"rule production { destination = {\"*.example\", \"!*.test.example\"} then = touch-or-pin "
	"}\n"
	"rule elsewhere { subject = login then = confirm }\n";
static const struct row destination_rows[] = {
	{{TO("a.lab.example")}, "lab: none"},
	{{TO("10.0.7.1")}, "lab: none"},
	{{TO("a", "10.0.7.1")}, "lab: none"},
	{{TO("a.lab.example"), .confirm = true}, "lab: confirm"},
	{{TO("a.lab.example"), REMOTE, .provable = TOUCH}, "lab: touch"},
	{{TO("a.lab.example"), REMOTE}, "lab: refuse"},
	{{TO("db.example"), .provable = EITHER}, "production: touch-or-pin"},
	{{TO("db.example"), .provable = PIN}, "production: pin"},
	{{TO("db.example"), .provable = TOUCH}, "production: touch"},
	{{TO("db.example")}, "production: refuse"},
	{{TO("db.example", "b"), .provable = PIN}, "production: pin"},
	{{TO("b", "db.example"), .provable = PIN}, "production: pin"},
	{{TO("db.test.example"), .provable = PIN}, "elsewhere: confirm"},
	{{TO("db.example", "db.test.example"), .provable = PIN}, "elsewhere: confirm"},
	{{TO("example.org")}, "elsewhere: confirm"},
	/* Proven, and no file knows its name. */
	{{LOGIN, .destination_proven = true}, "elsewhere: confirm"},
	{{LOGIN, .destination_proven = true, .destination_names = (const char *const[]){NULL}},
		"elsewhere: confirm"},
	/* Names of what is not proven count for nothing. */
	{{LOGIN, .destination_names = (const char *const[]){"db.example", NULL}},
		"elsewhere: confirm"},
	{{LOGIN, REMOTE, .provable = PIN,
		 .destination_names = (const char *const[]){"a.lab.example", NULL}},
		"elsewhere: pin"},
	{{LOGIN}, "elsewhere: confirm"},
	{{SSHSIG}, "-: none"},
};

static const char then_rules[] = "rule none { key = none then = none }\n"
				 "rule confirm { key = confirm then = confirm }\n"
				 "rule touch { key = touch then = touch }\n"
				 "rule pin { key = pin then = pin }\n"
				 "rule any { key = any then = touch-or-pin }\n"
				 "rule refuse { key = refuse then = refuse }\n";
#define KEY(comment) LOGIN, .key_comment = comment
static const struct row then_rows[] = {
	/* local, nothing provable */
	{{KEY("none")}, "none: none"},
	{{KEY("confirm")}, "confirm: confirm"},
	{{KEY("touch")}, "touch: refuse"},
	{{KEY("pin")}, "pin: refuse"},
	{{KEY("any")}, "any: refuse"},
	{{KEY("refuse")}, "refuse: refuse"},
	/* local, a PIN */
	{{KEY("none"), .provable = PIN}, "none: none"},
	{{KEY("confirm"), .provable = PIN}, "confirm: confirm"},
	{{KEY("touch"), .provable = PIN}, "touch: refuse"},
	{{KEY("pin"), .provable = PIN}, "pin: pin"},
	{{KEY("any"), .provable = PIN}, "any: pin"},
	{{KEY("refuse"), .provable = PIN}, "refuse: refuse"},
	/* local, a touch */
	{{KEY("none"), .provable = TOUCH}, "none: none"},
	{{KEY("confirm"), .provable = TOUCH}, "confirm: confirm"},
	{{KEY("touch"), .provable = TOUCH}, "touch: touch"},
	{{KEY("pin"), .provable = TOUCH}, "pin: refuse"},
	{{KEY("any"), .provable = TOUCH}, "any: touch"},
	{{KEY("refuse"), .provable = TOUCH}, "refuse: refuse"},
	/* local, both */
	{{KEY("none"), .provable = EITHER}, "none: none"},
	{{KEY("confirm"), .provable = EITHER}, "confirm: confirm"},
	{{KEY("touch"), .provable = EITHER}, "touch: touch"},
	{{KEY("pin"), .provable = EITHER}, "pin: pin"},
	{{KEY("any"), .provable = EITHER}, "any: touch-or-pin"},
	{{KEY("refuse"), .provable = EITHER}, "refuse: refuse"},
	/* ssh-add -c: the strictest of both, and presence satisfies it */
	{{KEY("none"), .confirm = true, .provable = EITHER}, "none: confirm"},
	{{KEY("confirm"), .confirm = true, .provable = EITHER}, "confirm: confirm"},
	{{KEY("touch"), .confirm = true, .provable = EITHER}, "touch: touch"},
	{{KEY("pin"), .confirm = true, .provable = EITHER}, "pin: pin"},
	{{KEY("any"), .confirm = true, .provable = EITHER}, "any: touch-or-pin"},
	{{KEY("refuse"), .confirm = true, .provable = EITHER}, "refuse: refuse"},
	/* remote: never below a touch or a PIN */
	{{KEY("none"), REMOTE, .provable = EITHER}, "none: touch-or-pin"},
	{{KEY("confirm"), REMOTE, .provable = EITHER}, "confirm: touch-or-pin"},
	{{KEY("touch"), REMOTE, .provable = EITHER}, "touch: touch"},
	{{KEY("pin"), REMOTE, .provable = EITHER}, "pin: pin"},
	{{KEY("any"), REMOTE, .provable = EITHER}, "any: touch-or-pin"},
	{{KEY("refuse"), REMOTE, .provable = EITHER}, "refuse: refuse"},
	/* remote, a PIN */
	{{KEY("none"), REMOTE, .provable = PIN}, "none: pin"},
	{{KEY("confirm"), REMOTE, .provable = PIN}, "confirm: pin"},
	{{KEY("touch"), REMOTE, .provable = PIN}, "touch: refuse"},
	{{KEY("pin"), REMOTE, .provable = PIN}, "pin: pin"},
	{{KEY("any"), REMOTE, .provable = PIN}, "any: pin"},
	{{KEY("refuse"), REMOTE, .provable = PIN}, "refuse: refuse"},
	/* remote, a touch */
	{{KEY("none"), REMOTE, .provable = TOUCH}, "none: touch"},
	{{KEY("confirm"), REMOTE, .provable = TOUCH}, "confirm: touch"},
	{{KEY("touch"), REMOTE, .provable = TOUCH}, "touch: touch"},
	{{KEY("pin"), REMOTE, .provable = TOUCH}, "pin: refuse"},
	{{KEY("any"), REMOTE, .provable = TOUCH}, "any: touch"},
	{{KEY("refuse"), REMOTE, .provable = TOUCH}, "refuse: refuse"},
	/* remote, nothing provable */
	{{KEY("none"), REMOTE}, "none: refuse"},
	{{KEY("confirm"), REMOTE}, "confirm: refuse"},
	{{KEY("touch"), REMOTE}, "touch: refuse"},
	{{KEY("pin"), REMOTE}, "pin: refuse"},
	{{KEY("any"), REMOTE}, "any: refuse"},
	{{KEY("refuse"), REMOTE}, "refuse: refuse"},
	/* remote and ssh-add -c: what is asked for anyway satisfies it */
	{{KEY("none"), REMOTE, .confirm = true, .provable = EITHER}, "none: touch-or-pin"},
	{{KEY("confirm"), REMOTE, .confirm = true, .provable = EITHER}, "confirm: touch-or-pin"},
	{{KEY("touch"), REMOTE, .confirm = true, .provable = EITHER}, "touch: touch"},
	{{KEY("pin"), REMOTE, .confirm = true, .provable = EITHER}, "pin: pin"},
	{{KEY("any"), REMOTE, .confirm = true, .provable = EITHER}, "any: touch-or-pin"},
	{{KEY("refuse"), REMOTE, .confirm = true, .provable = EITHER}, "refuse: refuse"},
/* the word of its own that lowers the floor, and lowers no rule */
#define LOWERED REMOTE, .allow_remote_without_presence = true
	{{KEY("none"), LOWERED, .provable = EITHER}, "none: none"},
	{{KEY("none"), LOWERED}, "none: none"},
	{{KEY("confirm"), LOWERED, .provable = EITHER}, "confirm: confirm"},
	{{KEY("touch"), LOWERED, .provable = EITHER}, "touch: touch"},
	{{KEY("pin"), LOWERED, .provable = EITHER}, "pin: pin"},
	{{KEY("pin"), LOWERED}, "pin: refuse"},
	{{KEY("any"), LOWERED, .provable = EITHER}, "any: touch-or-pin"},
	{{KEY("refuse"), LOWERED, .provable = EITHER}, "refuse: refuse"},
/* keys that were added with ssh-add */
#define MEMORY .in_memory = true
	{{KEY("none"), MEMORY}, "none: none"},
	{{KEY("confirm"), MEMORY}, "confirm: confirm"},
	{{KEY("any"), MEMORY}, "any: refuse"},
	{{KEY("none"), MEMORY, REMOTE}, "none: refuse"},
	{{KEY("confirm"), MEMORY, REMOTE}, "confirm: refuse"},
	{{KEY("none"), MEMORY, REMOTE, .confirm_remote_memory_keys = true}, "none: confirm"},
	{{KEY("confirm"), MEMORY, REMOTE, .confirm_remote_memory_keys = true}, "confirm: confirm"},
	{{KEY("touch"), MEMORY, REMOTE, .confirm_remote_memory_keys = true}, "touch: refuse"},
	{{KEY("refuse"), MEMORY, REMOTE, .confirm_remote_memory_keys = true}, "refuse: refuse"},
	{{KEY("any"), MEMORY, REMOTE, .provable = EITHER}, "any: touch-or-pin"},
	/* What is refused before all rules names none. */
	{{KEY("none"), .refusal = "elsewhere"}, "-: refuse"},
	{{KEY("none"), .algorithm_sha1 = true}, "-: refuse"},
	{{KEY("none"), .algorithm_sha1 = true, .allow_rsa_sha1 = true}, "none: none"},
};

static const char unrecognised_rules[] =
	"rule named { subject = {unrecognised, sshsig} key = \"" ONE "\" then = none }\n"
	"rule by-comment { subject = unrecognised key = \"vpn\" then = touch-or-pin }\n"
	"rule not-that { subject = unrecognised key = {\"tls\", \"!" TWO "\"} then = pin }\n"
	"rule all-of-it { key = \"" TWO "\" then = pin }\n";
static const struct row unrecognised_rows[] = {
	{{UNKNOWN, REMOTE, .provable = EITHER, .key_fingerprint = ONE}, "named: touch-or-pin"},
	{{UNKNOWN, REMOTE, .provable = PIN, .key_fingerprint = ONE}, "named: pin"},
	{{UNKNOWN, REMOTE, .key_fingerprint = ONE}, "named: refuse"},
	{{UNKNOWN, REMOTE, MEMORY, .key_fingerprint = ONE}, "named: refuse"},
	{{UNKNOWN, REMOTE, .provable = PIN, .key_plain_fingerprint = ONE}, "named: pin"},
	{{UNKNOWN, .key_fingerprint = ONE}, "named: none"},
	/* Only a fingerprint names a key. */
	{{UNKNOWN, REMOTE, .provable = PIN, .key_comment = "vpn"}, "by-comment: refuse"},
	{{UNKNOWN, .provable = PIN, .key_comment = "vpn"}, "by-comment: pin"},
	{{UNKNOWN, REMOTE, .provable = PIN, .key_comment = "tls"}, "not-that: refuse"},
	/* It has to say that such data is meant. */
	{{UNKNOWN, REMOTE, .provable = PIN, .key_fingerprint = TWO}, "all-of-it: refuse"},
	{{LOGIN, REMOTE, .provable = PIN, .key_fingerprint = TWO}, "all-of-it: pin"},
	{{UNKNOWN, .provable = PIN, .key_fingerprint = TWO}, "all-of-it: pin"},
	{{UNKNOWN, REMOTE, .provable = PIN}, "-: refuse"},
	{{UNKNOWN, LOWERED, .provable = PIN}, "-: refuse"},
	{{UNKNOWN, LOWERED, MEMORY}, "-: none"},
};

static const char order_rules[] =
	"rule first { key = \"a*\" then = confirm }\n"
	"rule second { key = \"ab*\" then = refuse }\n"
	"rule third { origin = local key = \"b\" executable = x then = refuse }\n"
	"rule last { then = none }\n";
static const struct row order_rows[] = {
	{{KEY("a")}, "first: confirm"},
	{{KEY("ab")}, "first: confirm"},
	{{KEY("b"), .executable = "/x"}, "third: refuse"},
	/* All conditions have to hold. */
	{{KEY("b"), .executable = "/y"}, "last: none"},
	{{KEY("b"), .executable = "/x", REMOTE, .provable = PIN}, "last: pin"},
	{{KEY("c"), .executable = "/x"}, "last: none"},
	{{KEY("c"), REMOTE}, "last: refuse"},
};

static const char remember_rules[] =
	"rule hosts { origin = local destination = \"*\" then = confirm remember = 60 }\n"
	"rule rest { origin = local then = confirm remember = 2m }\n"
	"rule far { then = confirm }\n";
static const struct row remember_rows[] = {
	{{TO("a")}, "hosts: confirm for 60 s"},
	{{TO("a"), .provable = EITHER}, "hosts: confirm for 60 s"},
	/* Known by its key alone is proven, too. */
	{{LOGIN, .destination_proven = true}, "rest: confirm for 120 s"},
	{{LOGIN}, "rest: confirm"},
	{{SSHSIG}, "rest: confirm"},
	/* ssh-add -c asks each time. */
	{{TO("a"), .confirm = true}, "hosts: confirm"},
	{{TO("a"), REMOTE, .provable = EITHER}, "far: touch-or-pin"},
	{{TO("a"), LOWERED}, "far: confirm"},
	{{TO("a"), REMOTE, MEMORY, .confirm_remote_memory_keys = true}, "far: confirm"},
};

static const struct {
	struct policy_facts facts;
	const char *obstacle;
} obstacles[] = {
	{{REMOTE}, "origin"},
	{{SSHSIG}, "subject"},
	{{LOGIN}, "key"},
	{{LOGIN, .key_comment = "k"}, "token"},
	{{LOGIN, .key_comment = "k", .token_label = "t"}, "listener"},
	{{LOGIN, .key_comment = "k", .token_label = "t", .listener = "l"}, "executable"},
	{{LOGIN, .key_comment = "k", .token_label = "t", .listener = "l",
		 .executable = "/e"},
		"destination"},
	{{TO("d"), .key_comment = "k", .token_label = "t", .listener = "l",
		 .executable = "/e"},
		NULL},
};
/* clang-format on */

#define TABLE(text, rows)                                                                          \
	{                                                                                          \
		text, rows, sizeof(rows) / sizeof((rows)[0])                                       \
	}
static const struct {
	const char *rules;
	const struct row *rows;
	size_t count;
} tables[] = {
	TABLE("", no_rules),
	TABLE(origin_rules, origin_rows),
	TABLE(subject_rules, subject_rows),
	TABLE(key_rules, key_rows),
	TABLE(token_rules, token_rows),
	TABLE(namespace_rules, namespace_rows),
	TABLE(listener_rules, listener_rows),
	TABLE(executable_rules, executable_rows),
	TABLE(destination_rules, destination_rows),
	TABLE(then_rules, then_rows),
	TABLE(unrecognised_rules, unrecognised_rows),
	TABLE(order_rules, order_rows),
	TABLE(remember_rules, remember_rows),
};

static struct config parsed(const char *rules)
{
	struct config config;
	char *error = NULL;

	assert_int_equal(config_defaults(&config), KS_OK);
	if (config_parse(bytes_of(rules), "test.conf", &config, &error) != KS_OK)
		fail_msg("%s", error);
	return config;
}

static void to_words(const struct policy_verdict *verdict, char out[static 128])
{
	const char *rule = verdict->rule[0] != '\0' ? verdict->rule : "-";

	if (!verdict->allowed)
		snprintf(out, 128, "%s: refuse", rule);
	else if (verdict->demand != KS_PRESENCE_NONE)
		snprintf(out, 128, "%s: %s%s", rule, policy_demand_name(verdict->demand),
			verdict->confirm ? " and confirm" : "");
	else if (verdict->confirm && verdict->remember_s > 0)
		snprintf(out, 128, "%s: confirm for %u s", rule, (unsigned)verdict->remember_s);
	else
		snprintf(out, 128, "%s: %s", rule, verdict->confirm ? "confirm" : "none");
}

static void every_row_of_the_tables_holds(void **state)
{
	size_t rows = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct config config = parsed(tables[i].rules);

		for (size_t row = 0; row < tables[i].count; row++, rows++) {
			struct policy_verdict verdict =
				policy_decide(&tables[i].rows[row].facts, &config.rules);
			char words[128];

			to_words(&verdict, words);
			if (strcmp(words, tables[i].rows[row].verdict) != 0)
				fail_msg("table %zu, row %zu: \"%s\", not \"%s\"", i, row, words,
					tables[i].rows[row].verdict);
			assert_non_null(verdict.reason);
			assert_true(verdict.allowed || verdict.remedy != NULL);
		}
		config_deinit(&config);
	}
	assert_true(rows >= 150);
}

/* Whatever a rule says and whatever the facts are. */
static void check_floor(const struct policy_facts *facts, const struct policy_verdict *verdict)
{
	if (!facts->remote || facts->allow_remote_without_presence || !verdict->allowed)
		return;
	assert_int_equal(verdict->remember_s, 0);
	if (facts->in_memory && facts->confirm_remote_memory_keys &&
		facts->provable == KS_PRESENCE_NONE) {
		assert_true(verdict->confirm);
		return;
	}
	assert_int_not_equal(verdict->demand, KS_PRESENCE_NONE);
	assert_int_equal(verdict->demand & ~facts->provable, 0);
}

static void no_rule_lowers_the_floor_or_a_constraint(void **state)
{
	static const char *const thens[] = {
		"none", "confirm", "touch", "pin", "touch-or-pin", "refuse"};

	(void)state;
	for (unsigned i = 0; i < 6 * 1024; i++) {
		char text[256];
		struct policy_facts facts = {.key_fingerprint = ONE,
			.remote = i & 1,
			.subject = (enum subject_kind)(i >> 1 & 3),
			.provable = i >> 3 & 3,
			.confirm = i >> 5 & 1,
			.allow_remote_without_presence = i >> 6 & 1,
			.in_memory = i >> 7 & 1,
			.confirm_remote_memory_keys = i >> 8 & 1,
			.destination_proven = i >> 9 & 1};
		struct policy_verdict verdict;
		struct policy_verdict without = policy_decide(&facts, NULL);
		struct config config;

		snprintf(text, sizeof(text),
			"rule r { subject = {login, sshsig, certificate, unrecognised} "
			"key = \"" ONE "\" then = %s }",
			thens[i / 1024]);
		config = parsed(text);
		verdict = policy_decide(&facts, &config.rules);
		check_floor(&facts, &verdict);
		if (facts.confirm && verdict.allowed)
			assert_true(verdict.confirm || verdict.demand != KS_PRESENCE_NONE);
		/* What is refused without rules stays so, but for data whose key is named. */
		if (!without.allowed && facts.subject != SUBJECT_UNRECOGNISED)
			assert_false(verdict.allowed);
		config_deinit(&config);
	}
}

static void texts_too_long_to_compare_are_refused_where_there_are_rules(void **state)
{
	static char text[POLICY_TEXT_MAX + 2];
	struct config config = parsed("rule evil { namespace = \"evil*\" then = refuse }");
	struct policy_facts facts = {SSHSIG, .sign_namespace = text};

	(void)state;
	memset(text, 'x', POLICY_TEXT_MAX);
	assert_true(policy_decide(&facts, &config.rules).allowed);
	text[POLICY_TEXT_MAX] = 'x';
	assert_false(policy_decide(&facts, &config.rules).allowed);
	assert_true(policy_decide(&facts, NULL).allowed);
	facts = (struct policy_facts){LOGIN, .key_comment = text};
	assert_false(policy_decide(&facts, &config.rules).allowed);
	config_deinit(&config);
}

static void what_keeps_a_rule_from_matching_is_named(void **state)
{
	struct config config =
		parsed("rule r { origin = local subject = login key = k token = t listener = l "
		       "executable = e destination = d then = none }\n"
		       "rule n { namespace = n then = none }");

	(void)state;
	for (size_t i = 0; i < sizeof(obstacles) / sizeof(obstacles[0]); i++) {
		const char *obstacle =
			policy_rule_obstacle(&config.rules.list[0], &obstacles[i].facts);

		if (obstacles[i].obstacle == NULL)
			assert_null(obstacle);
		else
			assert_string_equal(obstacle, obstacles[i].obstacle);
	}
	assert_string_equal(
		policy_rule_obstacle(&config.rules.list[1], &obstacles[0].facts), "namespace");
	config_deinit(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_tables_holds),
		cmocka_unit_test(no_rule_lowers_the_floor_or_a_constraint),
		cmocka_unit_test(texts_too_long_to_compare_are_refused_where_there_are_rules),
		cmocka_unit_test(what_keeps_a_rule_from_matching_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
