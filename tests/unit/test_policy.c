/*
 * Policy as a table: every combination of what matters is written down with its verdict, and
 * what must hold whatever the facts are is checked over all of them.
 */
#include <string.h>

#include <keystile/backend.h>

#include "policy.h"
#include "test.h"

enum { NONE = KS_PRESENCE_NONE, TOUCH = KS_PRESENCE_TOUCH, PIN = KS_PRESENCE_PIN };
#define EITHER (KS_PRESENCE_TOUCH | KS_PRESENCE_PIN)

static const struct {
	struct policy_facts facts;
	bool allowed;
	uint32_t demand;
	bool confirm;
} table[] = {
	/* Local: what the key demands, and nothing more. */
	{{.subject = SUBJECT_LOGIN}, true, NONE, false},
	{{.subject = SUBJECT_SSHSIG}, true, NONE, false},
	{{.subject = SUBJECT_CERTIFICATE}, true, NONE, false},
	{{.subject = SUBJECT_UNRECOGNISED}, true, NONE, false},
	{{.subject = SUBJECT_LOGIN, .provable = EITHER}, true, NONE, false},
	{{.subject = SUBJECT_LOGIN, .confirm = true}, true, NONE, true},
	{{.subject = SUBJECT_UNRECOGNISED, .provable = PIN, .confirm = true}, true, NONE, true},
	/* Remote: what the token can prove, for this very request. */
	{{.remote = true, .subject = SUBJECT_LOGIN, .provable = PIN}, true, PIN, false},
	{{.remote = true, .subject = SUBJECT_LOGIN, .provable = TOUCH}, true, TOUCH, false},
	{{.remote = true, .subject = SUBJECT_LOGIN, .provable = EITHER}, true, EITHER, false},
	{{.remote = true, .subject = SUBJECT_SSHSIG, .provable = PIN}, true, PIN, false},
	{{.remote = true, .subject = SUBJECT_CERTIFICATE, .provable = PIN}, true, PIN, false},
	/* A PIN or a touch satisfies a confirmation: one prompt, not two. */
	{{.remote = true, .subject = SUBJECT_LOGIN, .provable = PIN, .confirm = true}, true, PIN,
		false},
	/* Remote and nothing provable: no. */
	{{.remote = true, .subject = SUBJECT_LOGIN}, false, NONE, false},
	{{.remote = true, .subject = SUBJECT_LOGIN, .confirm = true}, false, NONE, false},
	{{.remote = true, .subject = SUBJECT_SSHSIG}, false, NONE, false},
	/* Remote and unrecognised: no, whatever the token proves and the configuration allows. */
	{{.remote = true, .subject = SUBJECT_UNRECOGNISED, .provable = EITHER}, false, NONE, false},
	{{.remote = true,
		 .subject = SUBJECT_UNRECOGNISED,
		 .provable = PIN,
		 .allow_remote_without_presence = true},
		false, NONE, false},
	/* The word of its own that lowers the floor; a confirmation stays. */
	{{.remote = true, .subject = SUBJECT_LOGIN, .allow_remote_without_presence = true}, true,
		NONE, false},
	{{.remote = true,
		 .subject = SUBJECT_LOGIN,
		 .provable = PIN,
		 .allow_remote_without_presence = true},
		true, NONE, false},
	{{.remote = true,
		 .subject = SUBJECT_LOGIN,
		 .confirm = true,
		 .allow_remote_without_presence = true},
		true, NONE, true},
	/* Keys that were added with ssh-add: no token, so no to remote hosts unless configured. */
	{{.subject = SUBJECT_LOGIN, .in_memory = true}, true, NONE, false},
	{{.remote = true, .subject = SUBJECT_LOGIN, .in_memory = true}, false, NONE, false},
	{{.remote = true,
		 .subject = SUBJECT_LOGIN,
		 .in_memory = true,
		 .confirm_remote_memory_keys = true},
		true, NONE, true},
	{{.remote = true,
		 .subject = SUBJECT_UNRECOGNISED,
		 .in_memory = true,
		 .confirm_remote_memory_keys = true},
		false, NONE, false},
	{{.remote = true,
		 .subject = SUBJECT_UNRECOGNISED,
		 .in_memory = true,
		 .allow_remote_without_presence = true},
		true, NONE, false},
	/* A security key signs the touch itself, wherever its handle is kept. */
	{{.remote = true, .subject = SUBJECT_LOGIN, .in_memory = true, .provable = EITHER}, true,
		EITHER, false},
	/* Destination constraints and their like. */
	{{.subject = SUBJECT_LOGIN, .refusal = "elsewhere"}, false, NONE, false},
	{{.remote = true,
		 .subject = SUBJECT_LOGIN,
		 .refusal = "elsewhere",
		 .provable = PIN,
		 .allow_remote_without_presence = true},
		false, NONE, false},
	/* SHA-1. */
	{{.subject = SUBJECT_LOGIN, .algorithm_sha1 = true}, false, NONE, false},
	{{.subject = SUBJECT_LOGIN, .algorithm_sha1 = true, .allow_rsa_sha1 = true}, true, NONE,
		false},
	{{.remote = true, .subject = SUBJECT_LOGIN, .provable = PIN, .algorithm_sha1 = true}, false,
		NONE, false},
	{{.remote = true,
		 .subject = SUBJECT_LOGIN,
		 .provable = PIN,
		 .algorithm_sha1 = true,
		 .allow_rsa_sha1 = true},
		true, PIN, false},
};

static void every_row_of_the_table_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct policy_verdict verdict = policy_decide(&table[i].facts, NULL);

		if (verdict.allowed != table[i].allowed || verdict.demand != table[i].demand ||
			verdict.confirm != table[i].confirm)
			fail_msg("row %zu: allowed %d, demand %u, confirm %d: %s", i,
				verdict.allowed, verdict.demand, verdict.confirm, verdict.reason);
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
