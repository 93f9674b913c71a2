/*
 * See offer_rule.h: rules as values. What they say of a key is in offer_match.c.
 */
#include "offer_rule.h"

#include <stdio.h>
#include <string.h>

#include "config.h"

#define LISTS 5
#define RETIRED_FIRST 0x82
#define RETIRED 20

/* ---- Slots of a PIV card, by the labels that OpenSC and ykcs11 give their keys ---- */

static const struct {
	const char *slot, *labels;
} slots[] = {
	{"9a", "PIV AUTH *,*for PIV Authentication"},
	{"9c", "SIGN pubkey,SIGN key,*for Digital Signature"},
	{"9d", "KEY MAN pubkey,KEY MAN key,Certificate for Key Management,*key for Key Management,"
	       "X.509 Certificate for Key Management"},
	{"9e", "CARD AUTH *,*for Card Authentication"},
	{"f9", "*for PIV Attestation"},
};

/* From 1 to RETIRED; 0: no slot of a retired key. */
static unsigned retired_number(const char *slot)
{
	char text[3];

	for (unsigned i = 0; i < RETIRED; i++) {
		snprintf(text, sizeof(text), "%02x", RETIRED_FIRST + i);
		if (strcmp(text, slot) == 0)
			return i + 1;
	}
	return 0;
}

static const char *labels_of(const char *slot)
{
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
		if (strcmp(slots[i].slot, slot) == 0)
			return slots[i].labels;
	return NULL;
}

bool offer_rule_slot_fits(const char *slot)
{
	return strcmp(slot, "*") == 0 || labels_of(slot) != NULL || retired_number(slot) > 0;
}

void offer_rule_labels(const char *slot, char out[static OFFER_LABELS_MAX])
{
	unsigned number = retired_number(slot);
	const char *labels = labels_of(slot);

	if (number == 0)
		snprintf(out, OFFER_LABELS_MAX, "%s", labels != NULL ? labels : "");
	else
		snprintf(out, OFFER_LABELS_MAX,
			"Retired KEY MAN %u,Retired*Certificate for Key Management %u,"
			"*for Retired Key %u",
			number, number, number);
}

/* ---- Rules as values ---- */

static void lists_of(const struct offer_rule *rule, char **lists[static LISTS])
{
	char **const all[LISTS] = {rule->keys, rule->ids, rule->slots, rule->usages, rule->issuers};

	memcpy(lists, all, sizeof(all));
}

bool offer_rule_speaks(const struct offer_rule *rule)
{
	char **lists[LISTS];
	bool speaks = false;

	lists_of(rule, lists);
	for (size_t i = 0; i < LISTS; i++)
		speaks = speaks || lists[i] != NULL;
	return speaks;
}

static bool same_list(char *const *one, char *const *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	while (*one != NULL && *other != NULL && strcmp(*one, *other) == 0) {
		one++;
		other++;
	}
	return *one == *other;
}

bool offer_rule_same(const struct offer_rule *one, const struct offer_rule *other)
{
	char **ours[LISTS], **theirs[LISTS];
	bool same = true;

	lists_of(one, ours);
	lists_of(other, theirs);
	for (size_t i = 0; i < LISTS; i++)
		same = same && same_list(ours[i], theirs[i]);
	return same;
}

/* NULL stays NULL. */
static bool copy_list(char *const *from, char ***out)
{
	if (from == NULL)
		return true;
	*out = config_list_copy((const char *const *)from);
	return *out != NULL;
}

bool offer_rule_copy(const struct offer_rule *from, struct offer_rule *out)
{
	*out = (struct offer_rule){0};
	if (copy_list(from->keys, &out->keys) && copy_list(from->ids, &out->ids) &&
		copy_list(from->slots, &out->slots) && copy_list(from->usages, &out->usages) &&
		copy_list(from->issuers, &out->issuers))
		return true;
	offer_rule_deinit(out);
	return false;
}

void offer_rule_deinit(struct offer_rule *rule)
{
	config_list_free(&rule->keys);
	config_list_free(&rule->ids);
	config_list_free(&rule->slots);
	config_list_free(&rule->usages);
	config_list_free(&rule->issuers);
}
