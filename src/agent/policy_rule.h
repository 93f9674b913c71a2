/*
 * One rule of keystile.conf(5): conditions, all of which must hold, and what is demanded then. A
 * condition about something that is not known or not proven never holds. Pure, as policy.h is.
 */
#ifndef AGENT_POLICY_RULE_H
#define AGENT_POLICY_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "subject.h"

#define POLICY_RULES_MAX 200
#define POLICY_NAME_MAX 48
#define POLICY_PATTERN_MAX 256
#define POLICY_PATTERNS_MAX 100 /* of one list */
/* Longer texts are not compared with patterns: a stranger chooses how long a namespace is. */
#define POLICY_TEXT_MAX 4096
#define POLICY_FINGERPRINT "SHA256:" /* how a key's pattern begins that is its fingerprint */

struct policy_facts;

enum policy_origin { POLICY_ANYWHERE, POLICY_LOCAL, POLICY_REMOTE };

/* Conditions that are lists of patterns, in the order in which they are compared. */
enum policy_list {
	POLICY_KEY, /* fingerprints, or patterns of the comment */
	POLICY_TOKEN,
	POLICY_NAMESPACE,
	POLICY_LISTENER,
	POLICY_EXECUTABLE,
	POLICY_DESTINATION,
	POLICY_LIST_COUNT
};

enum policy_then {
	POLICY_THEN_NONE,
	POLICY_THEN_CONFIRM,
	POLICY_THEN_TOUCH,
	POLICY_THEN_PIN,
	POLICY_THEN_TOUCH_OR_PIN,
	POLICY_THEN_REFUSE,
	POLICY_THEN_COUNT
};

struct policy_rule {
	char name[POLICY_NAME_MAX + 1];
	enum policy_origin origin;
	unsigned subjects; /* bits 1 << enum subject_kind; 0: whatever is signed */
	/* Each ended by NULL, with at least one pattern that is not negated; NULL: no condition. */
	char **lists[POLICY_LIST_COUNT];
	enum policy_then then;
	uint32_t remember_s; /* with POLICY_THEN_CONFIRM and POLICY_LOCAL only; 0: not at all */
};

/* Owned by the configuration; zeroed is none. */
struct policy_rules {
	struct policy_rule *list;
	size_t count;
	/* Hosts that destinations name in full, as known_hosts writes them; ended by NULL, or NULL.
	 */
	char **hosts;
};

void policy_rules_deinit(struct policy_rules *rules);

/* As in the file; static. */
const char *policy_list_name(enum policy_list list);
const char *policy_subject_name(enum subject_kind kind);
const char *policy_then_name(enum policy_then then);

/* The name of the first condition that does not hold, static; NULL: all do. */
const char *policy_rule_obstacle(const struct policy_rule *rule, const struct policy_facts *facts);
/* The first rule whose conditions hold, or NULL. */
const struct policy_rule *policy_rules_first(
	const struct policy_rules *rules, const struct policy_facts *facts);
/* The rule says by its fingerprint which key, and that unrecognised data is meant. */
bool policy_rule_names_unrecognised(
	const struct policy_rule *rule, const struct policy_facts *facts);

#endif
