/*
 * What is decided about a signature before anybody is asked for it.
 */
#include "sign_check.h"

#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "key_rules.h"
#include "known_hosts.h"
#include "listener.h"
#include "prompt_text.h"
#include "provider.h"
#include "websafe.h"

enum ks_algorithm sign_algorithm(enum key_kind kind, uint32_t flags)
{
	static const enum ks_algorithm algorithms[KEY_KIND_COUNT] = {
		[KEY_ED25519] = KS_ALGORITHM_ED25519,
		[KEY_ECDSA_P256] = KS_ALGORITHM_ECDSA_P256,
		[KEY_ECDSA_P384] = KS_ALGORITHM_ECDSA_P384,
		[KEY_ECDSA_P521] = KS_ALGORITHM_ECDSA_P521,
		[KEY_SK_ED25519] = KS_ALGORITHM_SK_ED25519,
		[KEY_SK_ECDSA_P256] = KS_ALGORITHM_SK_ECDSA_P256,
		[KEY_DSS] = KS_ALGORITHM_DSS,
	};

	if (kind != KEY_RSA)
		return algorithms[kind];
	if ((flags & MESSAGE_SIGN_RSA_SHA256) != 0)
		return KS_ALGORITHM_RSA_SHA256;
	return (flags & MESSAGE_SIGN_RSA_SHA512) != 0 ? KS_ALGORITHM_RSA_SHA512
						      : KS_ALGORITHM_RSA_SHA1;
}

void sign_check_ssh(struct connection *connection, const struct subject *subject)
{
	const struct session_bind *bind = session_binds_last(&connection->binds);

	if (!origin_peer_is_ssh(&connection->peer) ||
		(bind == NULL && !connection->agent->config.unbound_ssh_remote))
		return;
	if (bind == NULL || subject->kind != SUBJECT_LOGIN ||
		!bytes_equal(subject->session_id, buf_bytes(&bind->session_id)))
		origin_worsen(&connection->origin, ORIGIN_SSH_OTHER_DATA);
}

/*
 * A module's own word about a touch is worth nothing (DESIGN: presence), its PIN is one that
 * we asked for. A security key signs the touch. Keys in memory can prove nothing.
 */
static uint32_t provable(const struct key *key)
{
	const struct ks_needs *needs = key_source(key)->token->provider->needs;

	if (key_is_security_key(key))
		return KS_PRESENCE_PIN | KS_PRESENCE_TOUCH;
	if (needs->takes_keys)
		return KS_PRESENCE_NONE;
	return needs->foreign_code ? KS_PRESENCE_PIN : KS_PRESENCE_PIN | KS_PRESENCE_TOUCH;
}

/* Texts that rules are compared with and that have to be made. */
struct rule_texts {
	char *fingerprint;
	char *plain_fingerprint;
	char *sign_namespace;
};

static void rule_texts_deinit(struct rule_texts *texts)
{
	free(texts->fingerprint);
	free(texts->plain_fingerprint);
	free(texts->sign_namespace);
}

/* False: out of memory. */
static bool rule_texts_init(
	struct rule_texts *texts, struct key *key, const struct subject *subject)
{
	const struct public_key *parsed = key_public(key);
	struct bytes signed_for = subject->sign_namespace;

	*texts = (struct rule_texts){.fingerprint = public_key_fingerprint(buf_bytes(&key->blob))};
	if (parsed == NULL || texts->fingerprint == NULL)
		return false;
	if (parsed->certificate) {
		texts->plain_fingerprint = public_key_fingerprint(buf_bytes(&parsed->plain));
		if (texts->plain_fingerprint == NULL)
			return false;
	}
	if (subject->kind != SUBJECT_SSHSIG)
		return true;
	texts->sign_namespace = strndup((const char *)signed_for.data, signed_for.len);
	return texts->sign_namespace != NULL;
}

/* The names of the proven destination: a revoked key proves none. */
static struct host_names destination_names(
	const struct policy_facts *facts, const struct connection *connection)
{
	struct host_names names = {0};

	if (facts->destination_proven)
		names = known_hosts_names(connection->agent->known_hosts,
			session_binds_last(&connection->binds), NULL);
	if (names.revoked)
		host_names_deinit(&names);
	return names;
}

/* By the rules of the configuration; texts are made only where there are any. */
static struct policy_verdict decide(struct policy_facts *facts, const struct connection *connection,
	struct key *key, const struct subject *subject)
{
	const struct policy_rules *rules = &connection->agent->config.rules;
	const struct token *token = key_source(key)->token;
	struct rule_texts texts = {0};
	struct host_names names;
	struct policy_verdict verdict = {.reason = "out of memory"};

	facts->destination_proven = destination_proven(subject, &connection->binds);
	if (rules->count == 0)
		return policy_decide(facts, NULL);
	names = destination_names(facts, connection);
	if (rule_texts_init(&texts, key, subject) && !names.failed) {
		facts->key_fingerprint = texts.fingerprint;
		facts->key_plain_fingerprint = texts.plain_fingerprint;
		facts->key_comment = key->comment;
		facts->token_label = facts->in_memory ? NULL : token->label;
		facts->token_serial = facts->in_memory ? NULL : token->serial;
		facts->sign_namespace = texts.sign_namespace;
		facts->listener = connection->listener->name;
		facts->executable = connection->peer.executable;
		facts->destination_names = (const char *const *)names.names;
		verdict = policy_decide(facts, rules);
	}
	host_names_deinit(&names);
	rule_texts_deinit(&texts);
	return verdict;
}

/* Of the key as it is held now, and of the configuration: no request comes into it. */
struct policy_facts sign_facts(const struct agent *agent, const struct key *key)
{
	const struct config *config = &agent->config;

	return (struct policy_facts){.provable = provable(key),
		.in_memory = key_source(key)->token->provider->needs->takes_keys,
		.confirm = key_wants_confirmation(key),
		.allow_remote_without_presence = config->allow_remote_without_presence,
		.confirm_remote_memory_keys = config->remote_memory_keys_confirm,
		.allow_rsa_sha1 = config->allow_rsa_sha1};
}

struct policy_verdict sign_decide(const struct connection *connection, struct key *key,
	const struct subject *subject, enum ks_algorithm algorithm)
{
	struct policy_facts facts = sign_facts(connection->agent, key);

	facts.remote = origin_remote(&connection->origin);
	facts.subject = subject->kind;
	facts.refusal = key_destination_refusal(key, &connection->binds, subject);
	facts.algorithm_sha1 = algorithm == KS_ALGORITHM_RSA_SHA1;
	if (!websafe_permits(key->public_key->application,
		    connection->agent->settings.websafe_allow, subject))
		return (struct policy_verdict){
			.reason = "a security key made for a web site signs logins and SSH "
				  "signatures only",
			.remedy = "-O websafe-allow is in keystile-agent(1)"};
	return decide(&facts, connection, key, subject);
}
