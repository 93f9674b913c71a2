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

json_t *policy_test_request(const struct call *call)
{
	/* Options which the agent gets under the same name. */
	static const char *const conditions[] = {
		"key", "origin", "to", "subject", "namespace", "executable", "listener"};
	json_t *request = json_pack("{s:s}", "command", "policy-test");

	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		const char *value = call_option(call, conditions[i]);

		if (value == NULL ||
			json_object_set_new(request, conditions[i], json_string(value)) == 0)
			continue;
		complain("policy test: --%s needs a value in UTF-8", conditions[i]);
		json_decref(request);
		return NULL;
	}
	return request;
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
