/*
 * Rules between libconfuse and policy_rule.h. What could never match, or could not be enforced, is
 * an error: a rule that does nothing is not to be thought in force.
 */
#include "config_rule.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/text.h>

#include "config_value.h"

#define REMEMBER_MAX_SECONDS 3600
#define FINGERPRINT_DIGITS 43 /* of SHA-256 in base64 without padding */
#define SUBJECTS 4

/* ---- Words ---- */

/* The place of a word in what name() says, or count. */
static int find(const char *word, const char *(*name)(int), int count)
{
	int at = 0;

	while (at < count && strcmp(name(at), word) != 0)
		at++;
	return at;
}

static const char *subject_name(int at)
{
	return policy_subject_name((enum subject_kind)at);
}

static const char *then_name(int at)
{
	return policy_then_name((enum policy_then)at);
}

/* ---- What a value may be ---- */

static int check_subject(cfg_t *cfg, cfg_opt_t *option)
{
	if (find(config_last_value(option), subject_name, SUBJECTS) < SUBJECTS)
		return 0;
	return config_refuse(
		cfg, option, "the value must be login, sshsig, certificate or unrecognised");
}

static int check_then(cfg_t *cfg, cfg_opt_t *option)
{
	if (find(config_last_value(option), then_name, POLICY_THEN_COUNT) < POLICY_THEN_COUNT)
		return 0;
	return config_refuse(
		cfg, option, "the value must be none, confirm, touch, pin, touch-or-pin or refuse");
}

static int check_remember(cfg_t *cfg, cfg_opt_t *option)
{
	long seconds = text_seconds(config_last_value(option));

	if (seconds >= 1 && seconds <= REMEMBER_MAX_SECONDS)
		return 0;
	return config_refuse(
		cfg, option, "the value must be a time from 1 second to 1 hour, such as 90 or 2m");
}

static int check_pattern(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (cfg_opt_size(option) > POLICY_PATTERNS_MAX)
		return config_refuse(cfg, option, "the list is too long");
	if (strlen(value) > POLICY_PATTERN_MAX)
		return config_refuse(cfg, option, "the value is too long");
	if (value[value[0] == '!'] == '\0')
		return config_refuse(cfg, option, "an empty pattern matches nothing");
	if (strchr(value, ',') != NULL)
		return config_refuse(
			cfg, option, "a comma in a pattern: a list is written {one, two}");
	return config_check_text(cfg, option);
}

static bool is_fingerprint(const char *value)
{
	const char *digits = value + strlen(POLICY_FINGERPRINT);

	for (size_t i = 0; i < FINGERPRINT_DIGITS; i++)
		if (!isalnum((unsigned char)digits[i]) && digits[i] != '+' && digits[i] != '/')
			return false;
	return digits[FINGERPRINT_DIGITS] == '\0';
}

static int check_key(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	value += value[0] == '!';
	if (strncmp(value, "MD5:", 4) == 0)
		return config_refuse(
			cfg, option, "a fingerprint is one of SHA-256, as ssh-add -l shows it");
	if (strncmp(value, POLICY_FINGERPRINT, strlen(POLICY_FINGERPRINT)) == 0 &&
		!is_fingerprint(value))
		return config_refuse(cfg, option,
			"a fingerprint is \"SHA256:\" and 43 characters, without patterns");
	return check_pattern(cfg, option);
}

static int check_executable(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	value += value[0] == '!';
	if (value[0] != '/' && strchr(value, '/') != NULL)
		return config_refuse(
			cfg, option, "a program is a name, or a path that begins with /");
	return check_pattern(cfg, option);
}

/* ---- What stands together ---- */

static int refuse_rule(cfg_t *cfg, const cfg_t *rule, const char *words)
{
	cfg_error(cfg, "rule %s: %s", rule->title, words);
	return -1;
}

static bool says(cfg_t *rule, const char *option, const char *word)
{
	return cfg_size(rule, option) > 0 && strcmp(cfg_getstr(rule, option), word) == 0;
}

static bool has_subject(cfg_t *rule, const char *word)
{
	unsigned count = cfg_size(rule, "subject");

	for (unsigned i = 0; i < count; i++)
		if (strcmp(cfg_getnstr(rule, "subject", i), word) == 0)
			return true;
	return count == 0;
}

/* A list that was given as {} is marked as changed, and has no values. */
static bool is_empty_list(cfg_t *rule, const char *option)
{
	const cfg_opt_t *found = cfg_getopt(rule, option);

	return cfg_size(rule, option) == 0 && (found->flags & CFGF_MODIFIED) != 0;
}

static bool only_negated(cfg_t *rule, const char *option)
{
	unsigned count = cfg_size(rule, option);

	for (unsigned i = 0; i < count; i++)
		if (cfg_getnstr(rule, option, i)[0] != '!')
			return false;
	return count > 0;
}

static int check_lists(cfg_t *cfg, cfg_t *rule)
{
	if (is_empty_list(rule, "subject"))
		return refuse_rule(cfg, rule, "subject is empty, so the rule would never match");
	for (int list = 0; list < POLICY_LIST_COUNT; list++) {
		const char *name = policy_list_name((enum policy_list)list);

		if (is_empty_list(rule, name) || only_negated(rule, name)) {
			cfg_error(cfg,
				"rule %s: %s has no pattern without !, so the rule would never "
				"match; \"*\" is every one",
				rule->title, name);
			return -1;
		}
	}
	return 0;
}

/* Called where the section ends. */
static int check_rule(cfg_t *cfg, cfg_opt_t *option)
{
	cfg_t *rule = cfg_opt_getnsec(option, cfg_opt_size(option) - 1);

	if (cfg_opt_size(option) > POLICY_RULES_MAX)
		return refuse_rule(cfg, rule, "there are too many rules before it");
	if (cfg_size(rule, "then") == 0)
		return refuse_rule(cfg, rule, "it does not say what then: then = ... is missing");
	if (cfg_size(rule, "namespace") > 0 && !has_subject(rule, "sshsig"))
		return refuse_rule(cfg, rule, "only the subject sshsig has a namespace");
	if (cfg_size(rule, "destination") > 0 && !has_subject(rule, "login"))
		return refuse_rule(cfg, rule, "only the subject login has a destination");
	if (cfg_size(rule, "remember") > 0 && !says(rule, "then", "confirm"))
		return refuse_rule(cfg, rule, "remember goes with then = confirm only");
	if (cfg_size(rule, "remember") > 0 && !says(rule, "origin", "local"))
		return refuse_rule(cfg, rule, "remember goes with origin = local only");
	return check_lists(cfg, rule);
}

/* ---- For libconfuse ---- */

void config_rule_options(cfg_opt_t options[static CONFIG_RULE_OPTIONS])
{
	const cfg_opt_t others[] = {
		CFG_STR("origin", 0, CFGF_NODEFAULT),
		CFG_STR_LIST("subject", 0, CFGF_NODEFAULT),
		CFG_STR("then", 0, CFGF_NODEFAULT),
		CFG_STR("remember", 0, CFGF_NODEFAULT),
		CFG_END(),
	};

	for (int list = 0; list < POLICY_LIST_COUNT; list++)
		options[list] = (cfg_opt_t)CFG_STR_LIST(
			policy_list_name((enum policy_list)list), 0, CFGF_NODEFAULT);
	memcpy(options + POLICY_LIST_COUNT, others, sizeof(others));
}

void config_rule_checks(cfg_t *cfg)
{
	cfg_set_validate_func(cfg, "rule", check_rule);
	cfg_set_validate_func(cfg, "rule|origin", config_check_origin);
	cfg_set_validate_func(cfg, "rule|subject", check_subject);
	cfg_set_validate_func(cfg, "rule|then", check_then);
	cfg_set_validate_func(cfg, "rule|remember", check_remember);
	for (int list = 0; list < POLICY_LIST_COUNT; list++) {
		char path[32];
		cfg_validate_callback_t check = check_pattern;

		if (list == POLICY_KEY)
			check = check_key;
		else if (list == POLICY_EXECUTABLE)
			check = check_executable;
		snprintf(path, sizeof(path), "rule|%s", policy_list_name((enum policy_list)list));
		cfg_set_validate_func(cfg, path, check);
	}
}

/* ---- From libconfuse to the struct ---- */

/* Names of hosts have no case, and those that patterns are compared with are in lower case. */
static void lower(char **patterns)
{
	for (; patterns != NULL && *patterns != NULL; patterns++)
		for (char *at = *patterns; *at != '\0'; at++)
			*at = (char)tolower((unsigned char)*at);
}

static bool take_rule(cfg_t *section, struct policy_rule *rule)
{
	snprintf(rule->name, sizeof(rule->name), "%s", cfg_title(section));
	if (cfg_size(section, "origin") > 0)
		rule->origin = says(section, "origin", "remote") ? POLICY_REMOTE : POLICY_LOCAL;
	for (unsigned i = 0; i < cfg_size(section, "subject"); i++)
		rule->subjects |=
			1U << find(cfg_getnstr(section, "subject", i), subject_name, SUBJECTS);
	rule->then =
		(enum policy_then)find(cfg_getstr(section, "then"), then_name, POLICY_THEN_COUNT);
	if (cfg_size(section, "remember") > 0)
		rule->remember_s = (uint32_t)text_seconds(cfg_getstr(section, "remember"));
	for (int list = 0; list < POLICY_LIST_COUNT; list++) {
		const char *name = policy_list_name((enum policy_list)list);

		if (cfg_size(section, name) > 0 &&
			!config_take_list(section, name, &rule->lists[list]))
			return false;
	}
	lower(rule->lists[POLICY_DESTINATION]);
	return true;
}

/* "host:port" is "[host]:port" in known_hosts; an IPv6 address has more than one colon. */
static char *as_known(const char *pattern)
{
	const char *colon = strchr(pattern, ':');

	if (colon == NULL || strchr(colon + 1, ':') != NULL)
		return strdup(pattern);
	return text_format("[%.*s]:%s", (int)(colon - pattern), pattern, colon + 1);
}

/* Hashed names can't be read, but it can be asked whether one is of a host that is known. */
static bool collect_hosts(struct policy_rules *rules)
{
	size_t count = 0;

	rules->hosts = calloc(rules->count * POLICY_PATTERNS_MAX + 1, sizeof(*rules->hosts));
	for (size_t i = 0; rules->hosts != NULL && i < rules->count; i++) {
		char **patterns = rules->list[i].lists[POLICY_DESTINATION];

		for (; patterns != NULL && *patterns != NULL; patterns++) {
			const char *host = *patterns + (**patterns == '!');

			if (strpbrk(host, "*?") != NULL)
				continue;
			rules->hosts[count] = as_known(host);
			if (rules->hosts[count++] == NULL)
				return false;
		}
	}
	return rules->hosts != NULL;
}

bool config_take_rules(cfg_t *cfg, struct policy_rules *rules)
{
	unsigned count = cfg_size(cfg, "rule");
	struct policy_rules taken = {0};

	if (count == 0)
		return true;
	taken.list = calloc(count, sizeof(*taken.list));
	for (; taken.list != NULL && taken.count < count; taken.count++)
		if (!take_rule(cfg_getnsec(cfg, "rule", (unsigned)taken.count),
			    &taken.list[taken.count]))
			break;
	if (taken.count < count || !collect_hosts(&taken)) {
		/* The one that was begun has lists to be freed as well. */
		taken.count += taken.list != NULL && taken.count < count;
		policy_rules_deinit(&taken);
		return false;
	}
	policy_rules_deinit(rules);
	*rules = taken;
	return true;
}
