/*
 * The configuration from memory: never crashes, leaks, prints or half-applies, and every refusal
 * has words with a line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/backend.h>
#include <keystile/backends.h>

#include "config.h"
#include "policy.h"

/* In place of those of the build, so that the corpus means the same in each. */
static const struct ks_needs fake = {.name = "fake"};
static const struct ks_needs pkcs11 = {.name = "pkcs11"};
const struct ks_needs *const ks_backends[] = {&fake, &pkcs11, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Whatever the rules are, nothing remote is signed without what its token can prove. */
static void decide(const struct policy_rules *rules)
{
	for (int kind = SUBJECT_UNRECOGNISED; kind <= SUBJECT_CERTIFICATE; kind++) {
		struct policy_facts facts = {.remote = true,
			.subject = (enum subject_kind)kind,
			.provable = KS_PRESENCE_PIN,
			.key_fingerprint = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN+/0",
			.key_comment = "work a",
			.token_label = "Card",
			.token_serial = "1",
			.sign_namespace = kind == SUBJECT_SSHSIG ? "git" : NULL,
			.listener = "agent",
			.executable = "/usr/bin/ssh",
			.destination_proven = true,
			.destination_names = (const char *const[]){"a.example", NULL}};
		struct policy_verdict verdict = policy_decide(&facts, rules);

		if (verdict.allowed && verdict.demand != KS_PRESENCE_PIN)
			abort();
		facts.remote = false;
		verdict = policy_decide(&facts, rules);
		if (verdict.reason == NULL || (verdict.demand & ~(unsigned)KS_PRESENCE_PIN) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config config = {0};
	char *error = NULL;
	enum ks_error outcome = config_parse(BYTES(data, len), "fuzz.conf", &config, &error);

	if (outcome == KS_BAD_INPUT &&
		(strncmp(error, "fuzz.conf:", 10) != 0 || error[10] < '1' || error[10] > '9'))
		abort();
	if (outcome == KS_BAD_INPUT &&
		(config.relays != NULL || config.worker_count > 0 || config.rules.count > 0))
		abort();
	if (outcome == KS_OK)
		decide(&config.rules);
	if (outcome == KS_OK && (error != NULL || config.relays == NULL))
		abort();
	free(error);
	config_deinit(&config);
	return 0;
}
