/*
 * Policy is a pure function: facts in, verdict and reason out. It reads no clock, no file and
 * no table but its arguments; tests/unit/test_policy.c is a table of it.
 */
#ifndef AGENT_POLICY_H
#define AGENT_POLICY_H

#include <stdbool.h>
#include <stdint.h>

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
};

struct policy_verdict {
	bool allowed;
	uint32_t demand; /* any one of these bits of enum ks_presence for this very request; 0: none
			  */
	bool confirm;	 /* ask yes or no first; a PIN asked for by demand satisfies it */
	const char *reason; /* why refused, or why the demand; static words */
	const char *remedy; /* what a person can do about a refusal; static, may be NULL */
};

struct policy_verdict policy_decide(const struct policy_facts *facts);

#endif
