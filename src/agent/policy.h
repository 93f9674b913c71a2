/*
 * Policy is a pure function: facts and rules in, verdict and reason out. It reads no clock, no file
 * and no table but its arguments; tests/unit/test_policy.c is a table of it.
 */
#ifndef AGENT_POLICY_H
#define AGENT_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "policy_rule.h"
#include "subject.h"

struct policy_facts {
	bool remote;
	enum subject_kind subject;
	/* Presence that this key's token can prove for a single request; bits of enum ks_presence.
	 */
	uint32_t provable;
	bool in_memory;	     /* added with ssh-add: no token stands behind it */
	bool confirm;	     /* a constraint of the key */
	const char *refusal; /* another constraint of the key is broken: static words, else NULL */
	bool algorithm_sha1;
	/* configuration */
	bool allow_remote_without_presence;
	bool confirm_remote_memory_keys;
	bool allow_rsa_sha1;
	/* What rules ask for; NULL: there is none, and no condition about it holds. */
	const char *key_fingerprint;
	const char *key_plain_fingerprint; /* of the key in a certificate */
	const char *key_comment;
	const char *token_label;
	const char *token_serial;
	const char *sign_namespace; /* of an SSH signature */
	const char *listener;
	const char *executable; /* whole path */
	bool destination_proven;
	const char *const *destination_names; /* ended by NULL; NULL: none is known */
};

struct policy_verdict {
	bool allowed;
	uint32_t demand; /* any one of these bits of enum ks_presence for this very request; 0: none
			  */
	bool confirm;	 /* ask yes or no first; a PIN asked for by demand satisfies it */
	uint32_t remember_s; /* for how long a yes counts; 0: for this request */
	const char *reason;  /* why refused, or why the demand; static words */
	const char *remedy;  /* what a person can do about a refusal; static, may be NULL */
	char rule[POLICY_NAME_MAX + 1]; /* the rule that matched, "" where none did */
};

/* rules may be NULL. */
struct policy_verdict policy_decide(
	const struct policy_facts *facts, const struct policy_rules *rules);

/* "touch-or-pin" and the like for the bits of a demand; static. */
const char *policy_demand_name(uint32_t demand);

#endif
