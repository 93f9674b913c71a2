/*
 * What is decided about a signature before anybody is asked for it.
 */
#include "sign_check.h"

#include "agent.h"
#include "key_rules.h"
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

struct policy_verdict sign_decide(const struct connection *connection, const struct key *key,
	const struct subject *subject, enum ks_algorithm algorithm)
{
	const struct config *config = &connection->agent->config;
	struct policy_facts facts = {.remote = origin_remote(&connection->origin),
		.subject = subject->kind,
		.provable = provable(key),
		.in_memory = key_source(key)->token->provider->needs->takes_keys,
		.refusal = key_destination_refusal(key, &connection->binds, subject),
		.confirm = key_wants_confirmation(key),
		.algorithm_sha1 = algorithm == KS_ALGORITHM_RSA_SHA1,
		.allow_remote_without_presence = config->allow_remote_without_presence,
		.confirm_remote_memory_keys = config->remote_memory_keys_confirm,
		.allow_rsa_sha1 = config->allow_rsa_sha1};

	if (!websafe_permits(key->public_key->application,
		    connection->agent->settings.websafe_allow, subject))
		return (struct policy_verdict){
			.reason = "a security key made for a web site signs logins and SSH "
				  "signatures only",
			.remedy = "-O websafe-allow is in keystile-agent(1)"};
	return policy_decide(&facts);
}
