/*
 * See offer.h.
 */
#include "offer.h"

#include <stdlib.h>

#include <keystile/log.h>

#include "agent.h"
#include "associated.h"
#include "certificates.h"
#include "certificates_look.h"
#include "configured.h"
#include "provider.h"
#include "token_report.h"

/* A worker that starts anew does not know yet which of them its tokens hold. */
static bool brings_keys(const struct provider *provider, const struct token *token)
{
	if (!provider->needs->takes_keys)
		return true;
	return provider->named && provider->state != PROVIDER_OPENING && !token_takes_keys(token);
}

/* Those that came with ssh-add -C -s, and those in files. Room for as many is for free(). */
static size_t gather(const struct provider *provider, struct bytes **out)
{
	const struct constraints *given = provider->certificates;
	size_t count = given != NULL ? given->certificate_count : 0;

	*out = calloc(count + CERTIFICATE_FILES_MAX, sizeof(**out));
	if (*out == NULL)
		return 0;
	for (size_t i = 0; i < count; i++)
		(*out)[i] = buf_bytes(&given->certificates[i]);
	return count + certificates_wanted(provider, *out + count);
}

static void offer_with_certificates(
	struct provider *provider, struct token *token, const struct ks_key *keys, size_t count)
{
	struct keyring *keyring = &provider->agent->keyring;
	struct bytes *certificates = NULL;
	size_t certificate_count = gather(provider, &certificates);
	const struct associated associated = {.blobs = certificates,
		.count = certificate_count,
		.only = provider->certificates != NULL &&
			provider->certificates->certificates_only};
	struct ks_key *expanded = NULL;
	size_t expanded_count;

	if (certificates != NULL && associated_expand(&associated, keys, count, PROVIDER_KEYS_MAX,
					    &expanded, &expanded_count) == KS_OK)
		keyring_token_is(keyring, token, expanded, expanded_count);
	else
		log_error("no memory for the certificates of a token's keys");
	free(expanded);
	free(certificates);
}

/* The option that keeps a key back, NULL: none does. */
static const char *refusal(
	const struct provider *provider, const struct ks_key *key, const char **section)
{
	return provider->keys_ruled ? configured_refusal(provider, key, section) : NULL;
}

void offer_token(struct token *token)
{
	struct provider *provider = token->provider;
	const struct token_report *report = token->report;
	struct ks_key *wanted;
	const char *section;
	size_t left = 0;

	if (report == NULL || !brings_keys(provider, token))
		return;
	wanted = calloc(report->count + 1, sizeof(*wanted));
	for (size_t i = 0; wanted != NULL && i < report->count; i++)
		if (refusal(provider, &report->keys[i], &section) == NULL)
			wanted[left++] = report->keys[i];
	if (wanted != NULL)
		offer_with_certificates(provider, token, wanted, left);
	else
		log_error("no memory for the keys of a token: they are left out");
	free(wanted);
}

void offer_provider(struct provider *provider)
{
	for (struct token *token = provider->tokens; token != NULL; token = token->next)
		offer_token(token);
}

/* ---- What is not offered ---- */

const char *offer_refusal(const struct token *token, const struct ks_key *key, const char **section)
{
	if (!token->provider->established || !brings_keys(token->provider, token))
		return NULL;
	return refusal(token->provider, key, section);
}

size_t offer_withheld(const struct provider *provider)
{
	const char *section;
	size_t count = 0;

	for (const struct token *token = provider->tokens; token != NULL; token = token->next)
		for (size_t i = 0; token->report != NULL && i < token->report->count; i++)
			count += offer_refusal(token, &token->report->keys[i], &section) != NULL;
	return count;
}
