/*
 * Looks through the slots of a module and matches what is in them with the tokens that are known.
 * A token is known by its label, manufacturer, model and serial number; the slot tells apart
 * those that nobody gave a serial number.
 */
#include "slots.h"

#include <string.h>

#include <keystile/log.h>
#include <keystile/text.h>

#include "reader_trouble.h"
#include "return_value.h"

/* C_GetSlotList may find more than it announced a moment ago. */
#define LIST_ATTEMPTS 4

struct sighting {
	CK_SLOT_ID slot;
	CK_FLAGS flags;
	struct token_identity identity;
	char location[65];
};

static CK_RV list_slots(struct module *module, CK_SLOT_ID *slots, CK_ULONG *count)
{
	CK_RV value = CKR_OK;

	for (int i = 0; i < LIST_ATTEMPTS; i++) {
		/* Asked for the number first: that is when modules look at their readers. */
		*count = 0;
		value = CALL(module, C_GetSlotList, CK_TRUE, NULL, count);
		if (value != CKR_OK || !*count)
			return value;
		*count = PROVIDER_TOKENS_MAX;
		value = CALL(module, C_GetSlotList, CK_TRUE, slots, count);
		if (value != CKR_BUFFER_TOO_SMALL)
			break;
	}
	if (value == CKR_OK && *count > PROVIDER_TOKENS_MAX)
		return CKR_GENERAL_ERROR;
	return value;
}

/* False for slots whose token can't be used: none in it, unknown, not set up yet, not meant. */
static bool look(const struct provider *provider, struct module *module, CK_SLOT_ID slot,
	struct sighting *sighting)
{
	CK_SLOT_INFO slot_info = {0};
	CK_TOKEN_INFO info;
	char name[32];
	CK_RV value;

	value = token_info(module, slot, &info, &sighting->identity);
	if (value != CKR_OK) {
		log_info("slot %lu: C_GetTokenInfo: %s", slot, return_value_name(value, name));
		return false;
	}
	if (!(info.flags & CKF_TOKEN_INITIALIZED) || !uri_means(provider->uri, &info))
		return false;
	sighting->slot = slot;
	sighting->flags = info.flags;
	sighting->location[0] = '\0';
	if (CALL(module, C_GetSlotInfo, slot, &slot_info) == CKR_OK)
		token_text(sighting->location, slot_info.slotDescription,
			sizeof(slot_info.slotDescription));
	return true;
}

/* The token seen: the known one in the same slot, else the known one wherever it was. */
static struct token *match(
	struct provider *provider, const struct sighting *sighting, const bool *seen)
{
	struct token *elsewhere = NULL;

	for (size_t i = 0; i < provider->count; i++) {
		struct token *token = provider->tokens[i];

		if (seen[i] || !token_identity_equal(&token->identity, &sighting->identity))
			continue;
		if (token->slot == sighting->slot)
			return token;
		if (!elsewhere)
			elsewhere = token;
	}
	return elsewhere;
}

static struct token *add(struct provider *provider, const struct sighting *sighting)
{
	struct token *token;
	uint32_t id = (uint32_t)provider->count + 1;
	char quoted[TEXT_QUOTED_MAX];

	if (provider->count >= PROVIDER_TOKENS_MAX) {
		log_warning("the module has shown too many tokens: a new one is left out");
		return NULL;
	}
	token = token_new(&provider->module, id, &sighting->identity);
	if (!token)
		return NULL;
	log_debug("token %s in slot %lu", text_quote(bytes_of(sighting->identity.label), quoted),
		sighting->slot);
	pthread_mutex_lock(&provider->lock);
	provider->tokens[provider->count++] = token;
	pthread_mutex_unlock(&provider->lock);
	return token;
}

static void appear(struct token *token, const struct sighting *sighting)
{
	unsigned generation = token_generation(token);
	bool moved;

	pthread_mutex_lock(&token->lock);
	moved = !token->present || token->slot != sighting->slot;
	pthread_mutex_unlock(&token->lock);
	if (moved)
		token_drop_sessions(token, generation);
	pthread_mutex_lock(&token->lock);
	token->slot = sighting->slot;
	token->flags = sighting->flags;
	memcpy(token->location, sighting->location, sizeof(token->location));
	if (moved) {
		token->present = true;
		token->unread = true;
		pthread_cond_broadcast(&token->session_given);
	}
	pthread_mutex_unlock(&token->lock);
}

static size_t index_of(const struct provider *provider, const struct token *token)
{
	size_t i = 0;

	while (i < provider->count && provider->tokens[i] != token)
		i++;
	return i;
}

/* Its reader is another program's for now, which shows no card to anybody else: it did not go. */
static bool is_held(struct token *token)
{
	char location[sizeof(token->location)];
	bool present;

	pthread_mutex_lock(&token->lock);
	present = token->present;
	memcpy(location, token->location, sizeof(location));
	pthread_mutex_unlock(&token->lock);
	return present && reader_trouble_at(location) == READER_HELD;
}

enum ks_error slots_scan(struct provider *provider, struct ks_operation *operation)
{
	CK_SLOT_ID slots[PROVIDER_TOKENS_MAX];
	bool seen[PROVIDER_TOKENS_MAX] = {false};
	struct sighting sighting = {0};
	CK_ULONG count = 0;
	CK_RV value;

	value = list_slots(&provider->module, slots, &count);
	if (value != CKR_OK)
		return return_value_failed(operation, "C_GetSlotList", value);
	for (CK_ULONG i = 0; i < count; i++) {
		struct token *token;

		if (!look(provider, &provider->module, slots[i], &sighting))
			continue;
		token = match(provider, &sighting, seen);
		if (!token)
			token = add(provider, &sighting);
		if (!token)
			continue;
		seen[index_of(provider, token)] = true;
		appear(token, &sighting);
	}
	for (size_t i = 0; i < provider->count; i++)
		if (!seen[i] && !is_held(provider->tokens[i]))
			provider_token_gone(provider, provider->tokens[i]);
	return KS_OK;
}
