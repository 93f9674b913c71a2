/*
 * What is decided about a signature before anybody is asked for it.
 */
#include "sign_check.h"

#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "key_rules.h"
#include "known_hosts.h"
#include "listed.h"
#include "listener.h"
#include "prompt_text.h"
#include "provider.h"
#include "token_card.h"
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
		[KEY_MLDSA44_ED25519] = KS_ALGORITHM_MLDSA44_ED25519,
		[KEY_MLDSA44_ED25519_EARLY] = KS_ALGORITHM_MLDSA44_ED25519_EARLY,
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
 * A module's own word about a touch is worth nothing (DESIGN: presence) but where its card attests
 * that the key wants one each time; its PIN is one that we asked for. A security key signs the
 * touch. Keys in memory can prove nothing.
 */
uint32_t sign_provable(const struct key *key)
{
	const struct ks_needs *needs = key_source(key)->token->provider->needs;

	if (key_is_security_key(key))
		return KS_PRESENCE_PIN | KS_PRESENCE_TOUCH;
	if (needs->takes_keys)
		return KS_PRESENCE_NONE;
	if (needs->foreign_code && !token_card_proves_touch(key))
		return KS_PRESENCE_PIN;
	return KS_PRESENCE_PIN | KS_PRESENCE_TOUCH;
}

void rule_texts_deinit(struct rule_texts *texts)
{
	free(texts->fingerprint);
	free(texts->plain_fingerprint);
	free(texts->sign_namespace);
	*texts = (struct rule_texts){0};
}

static bool make_texts(struct rule_texts *texts, struct key *key, const struct subject *subject)
{
	const struct public_key *parsed = key_public(key);
	struct bytes signed_for = subject->sign_namespace;

	texts->fingerprint = public_key_fingerprint(buf_bytes(&key->blob));
	if (parsed == NULL || texts->fingerprint == NULL)
		return false;
	if (parsed->certificate) {
		texts->plain_fingerprint = public_key_fingerprint(buf_bytes(&parsed->plain));
		if (texts->plain_fingerprint == NULL)
			return false;
	}
	if (subject->kind != SUBJECT_SSHSIG || signed_for.len == 0)
		return true;
	texts->sign_namespace = strndup((const char *)signed_for.data, signed_for.len);
	return texts->sign_namespace != NULL;
}

bool rule_texts_init(struct rule_texts *texts, struct key *key, const struct subject *subject)
{
	*texts = (struct rule_texts){0};
	if (make_texts(texts, key, subject))
		return true;
	rule_texts_deinit(texts);
	return false;
}

void sign_facts_of_key(const struct agent *agent, const struct key *key,
	const struct rule_texts *texts, struct policy_facts *facts)
{
	const struct config *config = &agent->config;
	const struct token *token = key_source(key)->token;

	facts->provable = sign_provable(key);
	facts->in_memory = token_takes_keys(token);
	facts->confirm = key_wants_confirmation(key);
	facts->allow_remote_without_presence = config->allow_remote_without_presence;
	facts->confirm_remote_memory_keys = config->remote_memory_keys_confirm;
	facts->allow_rsa_sha1 = config->allow_rsa_sha1;
	facts->key_fingerprint = texts->fingerprint;
	facts->key_plain_fingerprint = texts->plain_fingerprint;
	facts->key_comment = key->comment;
	facts->token_label = facts->in_memory ? NULL : token->label;
	facts->token_serial = facts->in_memory ? NULL : token->serial;
	facts->sign_namespace = texts->sign_namespace;
}

/* What known_hosts files say of the host that the request proved to be for. */
static struct host_names names_for(
	const struct connection *connection, const struct policy_facts *facts)
{
	const struct policy_rules *rules = &connection->agent->config.rules;

	if (!facts->destination_proven || rules->count == 0)
		return (struct host_names){0};
	return known_hosts_names(connection->agent->known_hosts,
		session_binds_last(&connection->binds), (const char *const *)rules->hosts);
}

static struct policy_verdict decide(const struct connection *connection, const struct key *key,
	const struct subject *subject, const struct rule_texts *texts, bool sha1)
{
	struct policy_facts facts = {.remote = origin_remote(&connection->origin),
		.subject = subject->kind,
		.refusal = key_destination_refusal(key, &connection->binds, subject),
		.algorithm_sha1 = sha1,
		.listener = connection->listener->name,
		.executable = connection->peer.executable,
		.destination_proven = destination_proven(subject, &connection->binds)};
	struct host_names names = names_for(connection, &facts);
	struct policy_verdict verdict = {.reason = "out of memory"};

	/* Anybody may have a key that was revoked. */
	facts.destination_proven &= !names.revoked;
	facts.destination_names = (const char *const *)names.names;
	sign_facts_of_key(connection->agent, key, texts, &facts);
	if (!names.failed)
		verdict = policy_decide(&facts, &connection->agent->config.rules);
	host_names_deinit(&names);
	return verdict;
}

struct policy_verdict sign_decide(const struct connection *connection, struct key *key,
	const struct subject *subject, enum ks_algorithm algorithm)
{
	const struct agent *agent = connection->agent;
	struct rule_texts texts = {0};
	struct policy_verdict verdict = {.reason = "out of memory"};

	if (!listed_here(connection, key))
		return (struct policy_verdict){
			.reason = "the key is not among those of the listener it was asked on",
			.remedy = "keys of a listener is in keystile.conf(5)"};
	if (!websafe_permits(key->public_key->application, agent->settings.websafe_allow, subject))
		return (struct policy_verdict){
			.reason = "a security key made for a web site signs logins and SSH "
				  "signatures only",
			.remedy = "-O websafe-allow is in keystile-agent(1)"};
	/* They take time to make, and most people have no rules. */
	if (agent->config.rules.count == 0 || rule_texts_init(&texts, key, subject))
		verdict = decide(
			connection, key, subject, &texts, algorithm == KS_ALGORITHM_RSA_SHA1);
	rule_texts_deinit(&texts);
	return verdict;
}
