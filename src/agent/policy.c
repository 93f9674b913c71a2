/*
 * The verdict over a signature. Refusals come first; then what the key asks for; the floor for
 * remote requests is laid last, so that nothing above can lower it (DESIGN invariant 5).
 */
#include "policy.h"

#include <stddef.h>

#include <keystile/backend.h>

static struct policy_verdict refuse(const char *reason, const char *remedy)
{
	return (struct policy_verdict){.reason = reason, .remedy = remedy};
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
		verdict.reason = "remote, and allow-remote-without-presence is set";
		return verdict;
	}
	if (facts->in_memory && facts->provable == KS_PRESENCE_NONE)
		return remote_memory_key(facts, verdict);
	if (facts->provable == KS_PRESENCE_NONE)
		return refuse("a remote request needs a touch or a PIN, and this key's token can "
			      "prove neither",
			"use a key with a PIN or a touch for forwarded connections");
	verdict.demand = facts->provable;
	/* The person who gives the PIN or the touch has read what it is for. */
	verdict.confirm = false;
	verdict.reason = "remote: a touch or a PIN for this very request";
	return verdict;
}

/* Keys that ssh-add gave, under an option that says they are to behave as they did there. */
static bool as_in_ssh_agent(const struct policy_facts *facts)
{
	return facts->in_memory && facts->allow_remote_without_presence;
}

struct policy_verdict policy_decide(const struct policy_facts *facts)
{
	struct policy_verdict verdict = {
		.allowed = true, .confirm = facts->confirm, .reason = "as the key demands"};

	if (facts->refusal != NULL)
		return refuse(facts->refusal, "ssh-add -h said where the key may be used: add it "
					      "again for this place too");
	if (facts->algorithm_sha1 && !facts->allow_rsa_sha1)
		return refuse("the client asked for a signature with SHA-1",
			"update the client, or set allow-rsa-sha1 = true");
	if (facts->remote && facts->subject == SUBJECT_UNRECOGNISED && !as_in_ssh_agent(facts))
		return refuse("a remote request to sign data that is neither a login nor an "
			      "SSH signature: it could be a login to something else",
			"sign it on this machine");
	return facts->remote ? remote_floor(facts, verdict) : verdict;
}
