/*
 * Policy without rules as a table: what matters is written down with its verdict, and what must
 * hold whatever the facts are is checked over all of them. Rules: test_policy_rules.c.
 */
#include <string.h>

#include <keystile/backend.h>

#include "policy.h"
#include "test.h"

#define LOGIN .subject = SUBJECT_LOGIN
#define SSHSIG .subject = SUBJECT_SSHSIG
#define CERTIFICATE .subject = SUBJECT_CERTIFICATE
#define UNRECOGNISED .subject = SUBJECT_UNRECOGNISED
#define REMOTE .remote = true
#define PIN .provable = KS_PRESENCE_PIN
#define TOUCH .provable = KS_PRESENCE_TOUCH
#define EITHER .provable = (KS_PRESENCE_TOUCH | KS_PRESENCE_PIN)
#define CONFIRM .confirm = true
#define MEMORY .in_memory = true
#define LOWERED .allow_remote_without_presence = true
#define ASKS_FOR_MEMORY .confirm_remote_memory_keys = true
#define SHA1 .algorithm_sha1 = true
#define SHA1_ALLOWED .allow_rsa_sha1 = true

/* One request a line; what is demanded for it where there are no rules. */
/* clang-format off */
static const struct {
	struct policy_facts facts;
	const char *verdict;
} table[] = {
	/* Local: what the key demands, and nothing more. */
	{{LOGIN}, "none"},
	{{SSHSIG}, "none"},
	{{CERTIFICATE}, "none"},
	{{UNRECOGNISED}, "none"},
	{{LOGIN, EITHER}, "none"},
	{{LOGIN, CONFIRM}, "confirm"},
	{{UNRECOGNISED, PIN, CONFIRM}, "confirm"},
	/* Remote: what the token can prove, for this very request. */
	{{REMOTE, LOGIN, PIN}, "pin"},
	{{REMOTE, LOGIN, TOUCH}, "touch"},
	{{REMOTE, LOGIN, EITHER}, "touch-or-pin"},
	{{REMOTE, SSHSIG, PIN}, "pin"},
	{{REMOTE, CERTIFICATE, PIN}, "pin"},
	/* A PIN or a touch satisfies a confirmation: one prompt, not two. */
	{{REMOTE, LOGIN, PIN, CONFIRM}, "pin"},
	/* Remote and nothing provable: no. */
	{{REMOTE, LOGIN}, "refuse"},
	{{REMOTE, LOGIN, CONFIRM}, "refuse"},
	{{REMOTE, SSHSIG}, "refuse"},
	/* Remote and unrecognised: no, whatever the token proves and the configuration allows. */
	{{REMOTE, UNRECOGNISED, EITHER}, "refuse"},
	{{REMOTE, UNRECOGNISED, PIN, LOWERED}, "refuse"},
	/* The word of its own that lowers the floor; a confirmation stays. */
	{{REMOTE, LOGIN, LOWERED}, "none"},
	{{REMOTE, LOGIN, PIN, LOWERED}, "none"},
	{{REMOTE, LOGIN, CONFIRM, LOWERED}, "confirm"},
	/* Keys that were added with ssh-add: no token, so no to remote hosts unless configured. */
	{{LOGIN, MEMORY}, "none"},
	{{REMOTE, LOGIN, MEMORY}, "refuse"},
	{{REMOTE, LOGIN, MEMORY, ASKS_FOR_MEMORY}, "confirm"},
	{{REMOTE, UNRECOGNISED, MEMORY, ASKS_FOR_MEMORY}, "refuse"},
	{{REMOTE, UNRECOGNISED, MEMORY, LOWERED}, "none"},
	/* A security key signs the touch itself, wherever its handle is kept. */
	{{REMOTE, LOGIN, MEMORY, EITHER}, "touch-or-pin"},
	/* Destination constraints and their like. */
	{{LOGIN, .refusal = "elsewhere"}, "refuse"},
	{{REMOTE, LOGIN, .refusal = "elsewhere", PIN, LOWERED}, "refuse"},
	/* SHA-1. */
	{{LOGIN, SHA1}, "refuse"},
	{{LOGIN, SHA1, SHA1_ALLOWED}, "none"},
	{{REMOTE, LOGIN, PIN, SHA1}, "refuse"},
	{{REMOTE, LOGIN, PIN, SHA1, SHA1_ALLOWED}, "pin"},
};
/* clang-format on */

/* "refuse", "confirm", or what is demanded. */
static const char *in_words(const struct policy_verdict *verdict)
{
	if (!verdict->allowed)
		return "refuse";
	if (verdict->demand == KS_PRESENCE_NONE && verdict->confirm)
		return "confirm";
	return verdict->confirm ? "both" : policy_demand_name(verdict->demand);
}

static void every_row_of_the_table_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct policy_verdict verdict = policy_decide(&table[i].facts, NULL);

		if (strcmp(in_words(&verdict), table[i].verdict) != 0)
			fail_msg("row %zu: %s, not %s: %s", i, in_words(&verdict), table[i].verdict,
				verdict.reason);
	}
}

typedef void facts_check(const struct policy_facts *facts, const struct policy_verdict *verdict);

/* All 2 * 4 * 4 * 2^7 combinations. */
static void over_all_facts(facts_check *check)
{
	for (unsigned i = 0; i < 4096; i++) {
		struct policy_facts facts = {.remote = i & 1,
			.subject = (enum subject_kind)(i >> 1 & 3),
			.provable = i >> 3 & 3,
			.confirm = i >> 5 & 1,
			.algorithm_sha1 = i >> 6 & 1,
			.allow_remote_without_presence = i >> 7 & 1,
			.allow_rsa_sha1 = i >> 8 & 1,
			.in_memory = i >> 9 & 1,
			.confirm_remote_memory_keys = i >> 10 & 1,
			.refusal = (i >> 11 & 1) != 0 ? "broken" : NULL};
		struct policy_verdict verdict = policy_decide(&facts, NULL);

		check(&facts, &verdict);
	}
}

static void check_floor(const struct policy_facts *facts, const struct policy_verdict *verdict)
{
	if (!facts->remote || facts->allow_remote_without_presence || !verdict->allowed)
		return;
	/* The other word that lowers it, for keys that can prove nothing: a person says yes each
	 * time. */
	if (facts->in_memory && facts->confirm_remote_memory_keys &&
		facts->provable == KS_PRESENCE_NONE) {
		assert_true(verdict->confirm);
		return;
	}
	assert_int_not_equal(verdict->demand, KS_PRESENCE_NONE);
	assert_int_equal(verdict->demand & ~facts->provable, 0);
}

static void nothing_gets_a_remote_signature_without_presence(void **state)
{
	(void)state;
	over_all_facts(check_floor);
}

static void check_unrecognised(
	const struct policy_facts *facts, const struct policy_verdict *verdict)
{
	bool as_in_ssh_agent = facts->in_memory && facts->allow_remote_without_presence;

	if (facts->refusal != NULL ||
		(facts->remote && facts->subject == SUBJECT_UNRECOGNISED && !as_in_ssh_agent))
		assert_false(verdict->allowed);
}

static void what_breaks_a_constraint_or_is_remote_and_unrecognised_is_never_signed(void **state)
{
	(void)state;
	over_all_facts(check_unrecognised);
}

static void check_confirm(const struct policy_facts *facts, const struct policy_verdict *verdict)
{
	if (facts->confirm && verdict->allowed)
		assert_true(verdict->confirm || verdict->demand != KS_PRESENCE_NONE);
}

static void a_key_that_is_confirmed_is_never_used_in_silence(void **state)
{
	(void)state;
	over_all_facts(check_confirm);
}

static void check_words(const struct policy_facts *facts, const struct policy_verdict *verdict)
{
	(void)facts;
	assert_non_null(verdict->reason);
	assert_true(strlen(verdict->reason) > 0);
	if (!verdict->allowed)
		assert_non_null(verdict->remedy);
}

static void every_refusal_has_a_reason_and_a_remedy(void **state)
{
	(void)state;
	over_all_facts(check_words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_table_holds),
		cmocka_unit_test(nothing_gets_a_remote_signature_without_presence),
		cmocka_unit_test(
			what_breaks_a_constraint_or_is_remote_and_unrecognised_is_never_signed),
		cmocka_unit_test(a_key_that_is_confirmed_is_never_used_in_silence),
		cmocka_unit_test(every_refusal_has_a_reason_and_a_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
