/*
 * The verdict over a signature. Refusals come first; then what the key asks for and what the first
 * rule that matches adds; the floor for remote requests is laid last, so that nothing above can
 * lower it (DESIGN invariant 5).
 */
#include "policy.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <keystile/backend.h>

#define TOUCH_OR_PIN (KS_PRESENCE_TOUCH | KS_PRESENCE_PIN)
#define RULE_REMEDY "the rules are in keystile.conf(5), and `keystile policy show` lists them"

static struct policy_verdict refuse(const char *reason, const char *remedy)
{
	return (struct policy_verdict){.reason = reason, .remedy = remedy};
}

const char *policy_demand_name(uint32_t demand)
{
	static const char *const names[] = {
		[KS_PRESENCE_NONE] = "none",
		[KS_PRESENCE_TOUCH] = "touch",
		[KS_PRESENCE_PIN] = "pin",
		[TOUCH_OR_PIN] = "touch-or-pin",
	};

	return names[demand & TOUCH_OR_PIN];
}

/* The one thing that who comes from ssh-agent must be told (DESIGN: presence). */
static struct policy_verdict remote_memory_key(
	const struct policy_facts *facts, struct policy_verdict verdict)
{
	if (!facts->confirm_remote_memory_keys)
		return refuse(
			"keys that were added with ssh-add are not for remote hosts: there is "
			"no token that could prove a touch or take a PIN",
			"set remote-memory-keys = \"confirm\" in keystile.conf(5), or use a key on "
			"a "
			"token for forwarded connections");
	verdict.confirm = true;
	verdict.reason = "remote, and remote-memory-keys asks for a confirmation";
	return verdict;
}

static struct policy_verdict remote_floor(
	const struct policy_facts *facts, struct policy_verdict verdict)
{
	if (facts->allow_remote_without_presence) {
		if (verdict.demand == KS_PRESENCE_NONE)
			verdict.reason = "remote, and allow-remote-without-presence is set";
		return verdict;
	}
	if (facts->in_memory && facts->provable == KS_PRESENCE_NONE)
		return remote_memory_key(facts, verdict);
	if (facts->provable == KS_PRESENCE_NONE)
		return refuse("a remote request needs a touch or a PIN, and this key's token can "
			      "prove neither",
			"use a key with a PIN or a touch for forwarded connections");
	/* A rule may choose one of the two, and has seen that the token can prove it. */
	if (verdict.demand == KS_PRESENCE_NONE) {
		verdict.demand = facts->provable;
		verdict.reason = "remote: a touch or a PIN for this very request";
	}
	/* The person who gives the PIN or the touch has read what it is for. */
	verdict.confirm = false;
	return verdict;
}

/* Keys that ssh-add gave, under an option that says they are to behave as they did there. */
static bool as_in_ssh_agent(const struct policy_facts *facts)
{
	return facts->in_memory && facts->allow_remote_without_presence;
}

/* Never weaker in silence: what the token can't prove is refused. */
static struct policy_verdict demand_presence(
	const struct policy_facts *facts, struct policy_verdict verdict, uint32_t demand)
{
	static const char *const unproven[] = {
		[KS_PRESENCE_TOUCH] = "a rule demands a touch, which this key's token can't prove",
		[KS_PRESENCE_PIN] = "a rule demands a PIN, which this key's token can't take for "
				    "a single request",
		[TOUCH_OR_PIN] = "a rule demands a touch or a PIN, and this key's token can prove "
				 "neither",
	};

	verdict.demand = demand & facts->provable;
	if (verdict.demand == KS_PRESENCE_NONE)
		return refuse(unproven[demand], RULE_REMEDY);
	verdict.confirm = false;
	verdict.reason = "as a rule demands";
	return verdict;
}

static struct policy_verdict demand_confirmation(const struct policy_facts *facts,
	struct policy_verdict verdict, const struct policy_rule *rule)
{
	verdict.confirm = true;
	verdict.reason = "as a rule demands";
	/* ssh-add -c asks for each use, and what is remote or unproven is never remembered. */
	if (!facts->confirm && !facts->remote && facts->destination_proven)
		verdict.remember_s = rule->remember_s;
	return verdict;
}

static struct policy_verdict apply(const struct policy_facts *facts, struct policy_verdict verdict,
	const struct policy_rule *rule)
{
	switch (rule->then) {
	case POLICY_THEN_NONE:
		return verdict;
	case POLICY_THEN_CONFIRM:
		return demand_confirmation(facts, verdict, rule);
	case POLICY_THEN_TOUCH:
		return demand_presence(facts, verdict, KS_PRESENCE_TOUCH);
	case POLICY_THEN_PIN:
		return demand_presence(facts, verdict, KS_PRESENCE_PIN);
	case POLICY_THEN_TOUCH_OR_PIN:
		return demand_presence(facts, verdict, TOUCH_OR_PIN);
	case POLICY_THEN_REFUSE:
	case POLICY_THEN_COUNT:
		break;
	}
	return refuse("a rule refuses it", RULE_REMEDY);
}

static bool too_long(const char *text)
{
	return text != NULL && strlen(text) > POLICY_TEXT_MAX;
}

/* With the rule that matched, or without one. */
static struct policy_verdict decide(
	const struct policy_facts *facts, const struct policy_rule *rule)
{
	struct policy_verdict verdict = {
		.allowed = true, .confirm = facts->confirm, .reason = "as the key demands"};

	if (rule != NULL && rule->then == POLICY_THEN_REFUSE)
		return apply(facts, verdict, rule);
	if (facts->remote && facts->subject == SUBJECT_UNRECOGNISED && !as_in_ssh_agent(facts) &&
		(rule == NULL || !policy_rule_names_unrecognised(rule, facts)))
		return refuse("a remote request to sign data that is neither a login nor an "
			      "SSH signature: it could be a login to something else",
			"sign it on this machine; a rule that names the key is in "
			"keystile.conf(5)");
	if (rule != NULL)
		verdict = apply(facts, verdict, rule);
	return verdict.allowed && facts->remote ? remote_floor(facts, verdict) : verdict;
}

struct policy_verdict policy_decide(
	const struct policy_facts *facts, const struct policy_rules *rules)
{
	const struct policy_rule *rule;
	struct policy_verdict verdict;

	if (facts->refusal != NULL)
		return refuse(facts->refusal, "ssh-add -h said where the key may be used: add it "
					      "again for this place too");
	if (facts->algorithm_sha1 && !facts->allow_rsa_sha1)
		return refuse("the client asked for a signature with SHA-1",
			"update the client, or set allow-rsa-sha1 = true");
	if (rules != NULL && rules->count > 0 &&
		(too_long(facts->sign_namespace) || too_long(facts->key_comment)))
		return refuse("a namespace or comment that is too long to be compared with rules",
			RULE_REMEDY);
	rule = policy_rules_first(rules, facts);
	verdict = decide(facts, rule);
	if (rule != NULL)
		snprintf(verdict.rule, sizeof(verdict.rule), "%s", rule->name);
	return verdict;
}
