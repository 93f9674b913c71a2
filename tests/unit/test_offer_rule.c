/*
 * Which of a token's keys a section of the configuration offers, as a table.
 */
#include "test.h"

#include <string.h>

#include "key_usage.h"
#include "offer_rule.h"

#define WORD(text) ((char[]){text})
#define LOGIN "1.3.6.1.5.5.7.3.2,1.3.6.1.4.1.311.20.2.2"

static const struct ks_certificate staff = {.subject = "ada",
	.issuer = "CN=Staff CA,O=Example",
	.issuer_name = "Staff CA",
	.usages = LOGIN};

/* What in one option does to a key with that label. */
static void slots_are_told_from_labels(void **state)
{
	static struct {
		char slot[3];
		const char *label;
		bool offered;
	} table[] = {
		{"9a", "PIV AUTH pubkey", true},
		{"9a", "Certificate for PIV Authentication", true},
		{"9a", "X.509 Certificate for PIV Authentication", true},
		{"9a", "Public key for PIV Authentication", true},
		{"9a", "SIGN pubkey", false},
		{"9a", "My PIV AUTH pubkey", false},
		{"9c", "SIGN pubkey", true},
		{"9c", "Public key for Digital Signature", true},
		{"9d", "KEY MAN pubkey", true},
		{"9d", "Public key for Key Management", true},
		{"9d", "Retired KEY MAN 1", false},
		{"9d", "Retired X.509 Certificate for Key Management 1", false},
		{"9e", "CARD AUTH pubkey", true},
		{"9e", "Public key for Card Authentication", true},
		{"82", "Retired KEY MAN 1", true},
		{"82", "Retired KEY MAN 11", false},
		{"82", "Retired X.509 Certificate for Key Management 1", true},
		{"8c", "Retired KEY MAN 11", true},
		{"8c", "Public key for Retired Key 11", true},
		{"95", "Public key for Retired Key 20", true},
		{"f9", "X.509 Certificate for PIV Attestation", true},
		{"*", "anything", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char *slots[] = {table[i].slot, NULL};
		const struct offer_rule rule = {.slots = slots};
		const struct ks_key key = {.label = table[i].label};
		const char *refusal = offer_rule_refusal(&rule, &key, table[i].label);

		assert_true(offer_rule_slot_fits(table[i].slot));
		if ((refusal == NULL) != table[i].offered)
			fail_msg("row %zu: %s", i, table[i].label);
	}
}

static void what_is_no_slot_and_no_usage_is_known_as_that(void **state)
{
	static const char *const slots[] = {"", "9b", "9A", "81", "96", "f8", "9a ", "09a"};
	static const char *const usages[] = {
		"", ".", "1", "1.", ".1.2", "1..2", "clientauth", "1.2 ", "**", "1.2,1.3"};

	(void)state;
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
		assert_false(offer_rule_slot_fits(slots[i]));
	for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++)
		assert_false(key_usage_fits(usages[i]));
	assert_true(key_usage_fits("clientAuth"));
	assert_true(key_usage_fits("1.3.6.1.5.5.7.3.21"));
	assert_true(key_usage_fits("any"));
}

static void a_usage_is_compared_as_a_whole(void **state)
{
	(void)state;
	assert_true(key_usage_among(LOGIN, "clientAuth"));
	assert_true(key_usage_among(LOGIN, "smartcardLogon"));
	assert_true(key_usage_among(LOGIN, "1.3.6.1.5.5.7.3.2"));
	assert_false(key_usage_among(LOGIN, "1.3.6.1.5.5.7.3"));
	assert_false(key_usage_among(LOGIN, "1.3.6.1.5.5.7.3.21"));
	assert_false(key_usage_among("1.3.6.1.5.5.7.3.21", "clientAuth"));
	assert_false(key_usage_among(LOGIN, "any"));
	assert_true(key_usage_among("", "any"));
	assert_true(key_usage_among("2.5.29.37.0", "any"));
	assert_false(key_usage_among("", "clientAuth"));
	assert_true(key_usage_among("", "*"));
}

static void every_option_has_to_match_and_the_first_that_does_not_is_named(void **state)
{
	char *login[] = {WORD("clientAuth"), NULL}, *ours[] = {WORD("*"), WORD("!Other*"), NULL},
	     *one[] = {WORD("01"), NULL};
	char *not_staff[] = {WORD("*"), WORD("!Staff*"), NULL},
	     *excludes_alone[] = {WORD("!02"), NULL};
	const struct ks_key certified = {.label = "a", .id = "01", .certificate = &staff};
	const struct ks_key bare = {.label = "b", .id = "02"};
	const struct ks_key nameless = {.label = "c"};
	struct offer_rule rule = {.usages = login, .issuers = ours, .ids = one};

	(void)state;
	assert_null(offer_rule_refusal(&rule, &certified, "a"));
	assert_string_equal(offer_rule_refusal(&rule, &bare, "b"), "ids");
	rule.ids = NULL;
	assert_string_equal(offer_rule_refusal(&rule, &bare, "b"), "usages");
	rule.usages = NULL;
	assert_null(offer_rule_refusal(&rule, &bare, "b"));
	rule.issuers = not_staff;
	assert_string_equal(offer_rule_refusal(&rule, &certified, "a"), "issuers");
	assert_null(offer_rule_refusal(&rule, &nameless, "c"));
	rule = (struct offer_rule){.ids = excludes_alone};
	assert_string_equal(offer_rule_refusal(&rule, &certified, "a"), "ids");
	rule = (struct offer_rule){0};
	assert_false(offer_rule_speaks(&rule));
	assert_null(offer_rule_refusal(&rule, &nameless, "c"));
}

static void rules_are_compared_and_copied_list_by_list(void **state)
{
	char *one[] = {WORD("a"), NULL}, *other[] = {WORD("a"), WORD("b"), NULL};
	struct offer_rule rule = {.slots = one, .issuers = other}, copy, swapped = rule;

	(void)state;
	assert_true(offer_rule_copy(&rule, &copy));
	assert_true(offer_rule_same(&rule, &copy));
	assert_true(offer_rule_speaks(&copy));
	swapped.slots = NULL;
	swapped.ids = one;
	assert_false(offer_rule_same(&swapped, &copy));
	swapped = rule;
	swapped.issuers = one;
	assert_false(offer_rule_same(&swapped, &copy));
	offer_rule_deinit(&copy);
	assert_false(offer_rule_speaks(&copy));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_told_from_labels),
		cmocka_unit_test(what_is_no_slot_and_no_usage_is_known_as_that),
		cmocka_unit_test(a_usage_is_compared_as_a_whole),
		cmocka_unit_test(every_option_has_to_match_and_the_first_that_does_not_is_named),
		cmocka_unit_test(rules_are_compared_and_copied_list_by_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
