/*
 * What a rule says of a key, see offer_rule.h. All options that a section has must match, and of
 * each list one pattern, and none that excludes.
 */
#include <string.h>

#include <keystile/text.h>

#include "key_usage.h"
#include "listed.h"
#include "offer_rule.h"

static bool in_slot(const struct ks_key *key, const char *slot)
{
	char labels[OFFER_LABELS_MAX];

	if (strcmp(slot, "*") == 0)
		return true;
	offer_rule_labels(slot, labels);
	return key->label != NULL && text_match_list(key->label, labels) == 1;
}

static bool has_id(const struct ks_key *key, const char *pattern)
{
	return text_match(key->id != NULL ? key->id : "", pattern);
}

static bool has_usage(const struct ks_key *key, const char *usage)
{
	if (key->certificate == NULL)
		return strcmp(usage, "*") == 0;
	return key_usage_among(key->certificate->usages, usage);
}

static bool has_issuer(const struct ks_key *key, const char *pattern)
{
	if (key->certificate == NULL)
		return strcmp(pattern, "*") == 0;
	return text_match(key->certificate->issuer_name, pattern) ||
	       text_match(key->certificate->issuer, pattern);
}

/* A pattern that excludes wins, wherever it stands. */
static bool matches(char *const *patterns, const struct ks_key *key,
	bool (*has)(const struct ks_key *key, const char *pattern))
{
	bool found = false;

	for (; patterns != NULL && *patterns != NULL; patterns++) {
		bool excludes = (*patterns)[0] == '!';

		if (!has(key, *patterns + excludes))
			continue;
		if (excludes)
			return false;
		found = true;
	}
	return found;
}

const char *offer_rule_refusal(
	const struct offer_rule *rule, const struct ks_key *key, const char *comment)
{
	if (rule->keys != NULL && !listed_matches(rule->keys, key->blob, key->blob, comment))
		return "keys";
	if (rule->ids != NULL && !matches(rule->ids, key, has_id))
		return "ids";
	if (rule->slots != NULL && !matches(rule->slots, key, in_slot))
		return "slots";
	if (rule->usages != NULL && !matches(rule->usages, key, has_usage))
		return "usages";
	if (rule->issuers != NULL && !matches(rule->issuers, key, has_issuer))
		return "issuers";
	return NULL;
}
