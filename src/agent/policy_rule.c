/*
 * Comparing the facts of a request with the conditions of a rule. See policy_rule.h.
 */
#include "policy_rule.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/text.h>

#include "policy.h"

const char *policy_list_name(enum policy_list list)
{
	static const char *const names[POLICY_LIST_COUNT] = {
		[POLICY_KEY] = "key",
		[POLICY_TOKEN] = "token",
		[POLICY_NAMESPACE] = "namespace",
		[POLICY_LISTENER] = "listener",
		[POLICY_EXECUTABLE] = "executable",
		[POLICY_DESTINATION] = "destination",
	};

	return names[list];
}

const char *policy_subject_name(enum subject_kind kind)
{
	static const char *const names[] = {
		[SUBJECT_UNRECOGNISED] = "unrecognised",
		[SUBJECT_LOGIN] = "login",
		[SUBJECT_SSHSIG] = "sshsig",
		[SUBJECT_CERTIFICATE] = "certificate",
	};

	return names[kind];
}

const char *policy_then_name(enum policy_then then)
{
	static const char *const names[POLICY_THEN_COUNT] = {
		[POLICY_THEN_NONE] = "none",
		[POLICY_THEN_CONFIRM] = "confirm",
		[POLICY_THEN_TOUCH] = "touch",
		[POLICY_THEN_PIN] = "pin",
		[POLICY_THEN_TOUCH_OR_PIN] = "touch-or-pin",
		[POLICY_THEN_REFUSE] = "refuse",
	};

	return names[then];
}

static void free_texts(char **texts)
{
	for (size_t at = 0; texts != NULL && texts[at] != NULL; at++)
		free(texts[at]);
	free(texts);
}

void policy_rules_deinit(struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		for (int list = 0; list < POLICY_LIST_COUNT; list++)
			free_texts(rules->list[i].lists[list]);
	free(rules->list);
	free_texts(rules->hosts);
	*rules = (struct policy_rules){0};
}

/* ---- One pattern ---- */

static bool is_fingerprint(const char *pattern)
{
	pattern += *pattern == '!';
	return strncmp(pattern, POLICY_FINGERPRINT, strlen(POLICY_FINGERPRINT)) == 0;
}

static int match(const char *text, const char *pattern)
{
	return text == NULL ? 0 : text_match_list(text, pattern);
}

/* -1 negated, 0 no, 1 yes: the strongest of two results. */
static int both(int one, int other)
{
	if (one < 0 || other < 0)
		return -1;
	return one > 0 || other > 0;
}

/* A comment never passes for a fingerprint. */
static int match_key(const struct policy_facts *facts, const char *pattern)
{
	if (!is_fingerprint(pattern))
		return match(facts->key_comment, pattern);
	return both(match(facts->key_fingerprint, pattern),
		match(facts->key_plain_fingerprint, pattern));
}

static int match_executable(const char *path, const char *pattern)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	bool whole = pattern[pattern[0] == '!'] == '/';

	return match(whole || slash == NULL ? path : slash + 1, pattern);
}

static int match_destination(const struct policy_facts *facts, const char *pattern)
{
	int result = 0;

	for (size_t i = 0; facts->destination_proven && facts->destination_names != NULL &&
			   facts->destination_names[i] != NULL;
		i++)
		result = both(result, match(facts->destination_names[i], pattern));
	return result;
}

static int match_one(enum policy_list list, const struct policy_facts *facts, const char *pattern)
{
	switch (list) {
	case POLICY_KEY:
		return match_key(facts, pattern);
	case POLICY_TOKEN:
		return both(
			match(facts->token_label, pattern), match(facts->token_serial, pattern));
	case POLICY_NAMESPACE:
		return match(facts->sign_namespace, pattern);
	case POLICY_LISTENER:
		return match(facts->listener, pattern);
	case POLICY_EXECUTABLE:
		return match_executable(facts->executable, pattern);
	case POLICY_DESTINATION:
		return match_destination(facts, pattern);
	case POLICY_LIST_COUNT:
		break;
	}
	return 0;
}

/* ---- Rules ---- */

static bool list_holds(
	const struct policy_rule *rule, enum policy_list list, const struct policy_facts *facts)
{
	int result = 0;

	if (rule->lists[list] == NULL)
		return true;
	for (size_t i = 0; rule->lists[list][i] != NULL; i++)
		result = both(result, match_one(list, facts, rule->lists[list][i]));
	return result > 0;
}

const char *policy_rule_obstacle(const struct policy_rule *rule, const struct policy_facts *facts)
{
	if (rule->origin != POLICY_ANYWHERE && (rule->origin == POLICY_REMOTE) != facts->remote)
		return "origin";
	if (rule->subjects != 0 && (rule->subjects & 1U << facts->subject) == 0)
		return "subject";
	for (int list = 0; list < POLICY_LIST_COUNT; list++)
		if (!list_holds(rule, (enum policy_list)list, facts))
			return policy_list_name((enum policy_list)list);
	return NULL;
}

const struct policy_rule *policy_rules_first(
	const struct policy_rules *rules, const struct policy_facts *facts)
{
	for (size_t i = 0; rules != NULL && i < rules->count; i++)
		if (policy_rule_obstacle(&rules->list[i], facts) == NULL)
			return &rules->list[i];
	return NULL;
}

bool policy_rule_names_unrecognised(
	const struct policy_rule *rule, const struct policy_facts *facts)
{
	char **patterns = rule->lists[POLICY_KEY];

	if ((rule->subjects & 1U << SUBJECT_UNRECOGNISED) == 0)
		return false;
	for (size_t i = 0; patterns != NULL && patterns[i] != NULL; i++)
		if (is_fingerprint(patterns[i]) && match_key(facts, patterns[i]) > 0)
			return true;
	return false;
}
