/*
 * The agent decides; here is only what was asked and how the answer looks.
 */
#include "policy.h"

#include <string.h>

#include "control.h"
#include "field.h"

#define FIELD 4
#define VALUE 18

/* ---- What is asked ---- */

/* Options with a value, which the agent gets under the same name. */
static bool is_condition(const char *option)
{
	static const char *const options[] = {"--key", "--origin", "--to", "--subject",
		"--namespace", "--executable", "--listener"};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(option, options[i]) == 0)
			return true;
	return false;
}

static bool take_condition(json_t *request, const char *option, const char *value)
{
	const char *name = option + strlen("--");
	json_t *text = value == NULL ? NULL : json_string(value);

	if (text == NULL) {
		complain("policy: %s needs a value%s", option, value != NULL ? " in UTF-8" : "");
		return false;
	}
	if (json_object_get(request, name) != NULL) {
		complain("policy: %s is given twice", option);
		json_decref(text);
		return false;
	}
	return json_object_set_new(request, name, text) == 0;
}

static bool parse_words(int count, char **words, struct policy_wish *out)
{
	for (int i = 1; i < count; i++) {
		if (strcmp(words[i], "--json") == 0) {
			out->as_json = true;
		} else if (!out->test || !is_condition(words[i])) {
			complain("policy %s: no such option: %s", words[0], words[i]);
			return false;
		} else {
			const char *value = i + 1 < count ? words[i + 1] : NULL;

			if (!take_condition(out->request, words[i], value))
				return false;
			i++;
		}
	}
	if (!out->test || json_object_get(out->request, "key") != NULL)
		return true;
	complain("policy test: --key FINGERPRINT says which key; ssh-add -l lists them");
	return false;
}

bool policy_parse(int count, char **words, struct policy_wish *out)
{
	*out = (struct policy_wish){.test = count > 0 && strcmp(words[0], "test") == 0};
	if (count == 0 || (!out->test && strcmp(words[0], "show") != 0)) {
		complain("policy: say what: show or test");
		return false;
	}
	out->request = json_pack("{s:s}", "command", out->test ? "policy-test" : "policy-show");
	if (out->request != NULL && parse_words(count, words, out))
		return true;
	json_decref(out->request);
	out->request = NULL;
	return false;
}

/* ---- What is answered ---- */

/* A condition: one word, or any of several patterns. */
static void print_condition(struct page *page, const char *name, const json_t *value)
{
	if (json_is_string(value))
		page_text(
			page, PAGE_PLAIN, FIELD, VALUE, "%-13s %s", name, json_string_value(value));
	for (size_t i = 0; i < json_array_size(value); i++)
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-13s %s", i == 0 ? name : "or",
			json_string_value(json_array_get(value, i)) != NULL
				? json_string_value(json_array_get(value, i))
				: "");
}

static void print_rule(struct page *page, size_t number, const json_t *rule)
{
	static const char *const conditions[] = {"origin", "subject", "key", "token", "namespace",
		"listener", "executable", "destination"};

	page_text(page, PAGE_STRONG, 2, 4, "%zu. %s", number, text_in(rule, "name"));
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		print_condition(page, conditions[i], json_object_get(rule, conditions[i]));
	page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-13s %s", "then", text_in(rule, "then"));
	if (number_in(rule, "remember_seconds") > 0)
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-13s %lld s", "remember",
			(long long)number_in(rule, "remember_seconds"));
}

void policy_show_print(struct page *page, const json_t *answer)
{
	const json_t *rules = json_object_get(answer, "rules");

	page_heading(page, "Rules");
	if (json_array_size(rules) == 0)
		page_text(page, PAGE_PLAIN, 2, 2, "none: see keystile.conf(5)");
	for (size_t i = 0; i < json_array_size(rules); i++)
		print_rule(page, i + 1, json_array_get(rules, i));
	page_heading(page, "Where none matches");
	page_text(page, PAGE_PLAIN, 2, 4, "local requests: as the key demands");
	page_text(page, PAGE_PLAIN, 2, 4,
		"remote requests: a touch or a PIN for each, whatever a rule says");
}

static void print_demand(struct page *page, const json_t *answer)
{
	const char *demand = text_in(answer, "demand");

	if (strcmp(demand, "none") != 0)
		page_text(page, PAGE_PLAIN, 2, 4, "demanded: %s", demand);
	else if (json_is_true(json_object_get(answer, "confirm")))
		page_text(page, PAGE_PLAIN, 2, 4, "demanded: a confirmation");
	else
		page_text(page, PAGE_PLAIN, 2, 4, "demanded: nothing but what the token wants");
	if (number_in(answer, "remember_seconds") > 0)
		page_text(page, PAGE_PLAIN, 2, 4, "remembered for: %lld s",
			(long long)number_in(answer, "remember_seconds"));
}

void policy_test_print(struct page *page, const json_t *answer)
{
	const json_t *passed = json_object_get(answer, "passed");
	bool allowed = json_is_true(json_object_get(answer, "allowed"));

	if (text_in(answer, "rule")[0] != '\0')
		page_text(page, PAGE_STRONG, 0, 2, "%s by the rule %s",
			allowed ? "allowed" : "refused", text_in(answer, "rule"));
	else
		page_text(page, PAGE_STRONG, 0, 2, "%s; no rule matches",
			allowed ? "allowed" : "refused");
	if (allowed)
		print_demand(page, answer);
	page_text(page, PAGE_PLAIN, 2, 4, "because: %s", text_in(answer, "reason"));
	if (text_in(answer, "remedy")[0] != '\0')
		page_text(page, PAGE_PLAIN, 2, 4, "what to do: %s", text_in(answer, "remedy"));
	for (size_t i = 0; i < json_array_size(passed); i++)
		page_text(page, PAGE_PLAIN, 2, 4, "not by the rule %s: its %s does not match",
			text_in(json_array_get(passed, i), "rule"),
			text_in(json_array_get(passed, i), "condition"));
}
