/* authenticatorCredentialManagement (CTAP 2.1, section 6.8), also under its older number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

#define LISTED_MAX 64

enum management {
	METADATA = 1,
	APPLICATIONS = 2,
	NEXT_APPLICATION = 3,
	CREDENTIALS = 4,
	NEXT_CREDENTIAL = 5,
	DELETE = 6,
	UPDATE = 7,
};

/* An enumeration that goes on; any other command ends it. */
struct listing {
	enum management kind;
	struct credential *list[LISTED_MAX];
	size_t count;
	size_t done;
};

static struct listing *listing_of(struct token *token, enum management kind)
{
	if (token->listing == NULL)
		token->listing = calloc(1, sizeof(*token->listing));
	if (token->listing == NULL) {
		fprintf(stderr, "authenticator: no memory\n");
		abort();
	}
	*token->listing = (struct listing){.kind = kind};
	return token->listing;
}

void credential_management_forget(struct token *token)
{
	if (token->listing != NULL)
		token->listing->count = token->listing->done = 0;
}

static struct credential *meant(const struct token *token, const cbor_item_t *inner)
{
	struct span id = {0};

	if (!item_bytes(item_named(item_numbered(inner, 2), "id"), &id))
		return NULL;
	return store_find_resident(&token->store, id);
}

/* ---- The PIN ---- */

/* The application that a subcommand is about; NULL: about no single one, or one that is unknown. */
static const uint8_t *application(
	const struct token *token, const cbor_item_t *inner, int64_t subcommand)
{
	const struct credential *one = meant(token, inner);
	struct span hash = {0};

	if (subcommand == CREDENTIALS && item_bytes(item_numbered(inner, 1), &hash))
		return hash.len == KEY_HASH_LEN ? hash.data : NULL;
	return subcommand >= DELETE && one != NULL ? one->rp_hash : NULL;
}

/* The proof is over the subcommand, and for some over its parameters as they came. */
static enum ctap_status authorise(
	struct token *token, const cbor_item_t *parameters, int64_t subcommand)
{
	const cbor_item_t *inner = item_numbered(parameters, 2);
	uint8_t message[1024] = {(uint8_t)subcommand};
	struct span signed_part = {.data = message, .len = 1};
	struct pin_proof proof = {0};
	enum ctap_status status = pin_proof_read(parameters, 4, 3, &proof);

	if (status != CTAP_OK)
		return status;
	if (!proof.there)
		return CTAP_PUAT_REQUIRED;
	if (inner != NULL && subcommand >= CREDENTIALS)
		signed_part.len += item_write(inner, message + 1, sizeof(message) - 1);
	return pin_proof_check(
		token, &proof, signed_part, PERMIT_MANAGE, application(token, inner, subcommand));
}

/* ---- Answers ---- */

static enum ctap_status metadata(struct token *token, cbor_item_t **answer)
{
	unsigned used = store_residents(&token->store);
	unsigned most = token->settings.resident_max;

	*answer = item_new_map(2);
	item_put(*answer, 1, item_new_number(used));
	item_put(*answer, 2, item_new_number(most > used ? most - used : 0));
	return CTAP_OK;
}

static bool listed(const struct listing *listing, const struct credential *credential)
{
	for (size_t i = 0; i < listing->count; i++) {
		if (memcmp(listing->list[i]->rp_hash, credential->rp_hash, KEY_HASH_LEN) == 0)
			return true;
	}
	return false;
}

static enum ctap_status next_application(struct token *token, cbor_item_t **answer)
{
	struct listing *listing = token->listing;
	bool first = listing != NULL && listing->done == 0;
	const struct credential *one = NULL;
	cbor_item_t *rp = NULL;

	if (listing == NULL || listing->kind != APPLICATIONS || listing->done >= listing->count)
		return first ? CTAP_NO_CREDENTIALS : CTAP_NOT_ALLOWED;
	one = listing->list[listing->done++];
	rp = item_new_map(1);
	item_put_named(rp, "id",
		item_new_text((struct span){.data = (const uint8_t *)one->rp, .len = one->rp_len}));
	*answer = item_new_map(3);
	item_put(*answer, 3, rp);
	item_put(*answer, 4, item_new_bytes(one->rp_hash, KEY_HASH_LEN));
	if (first)
		item_put(*answer, 5, item_new_number((int64_t)listing->count));
	return CTAP_OK;
}

static enum ctap_status applications(struct token *token, cbor_item_t **answer)
{
	struct listing *listing = listing_of(token, APPLICATIONS);

	for (struct credential *one = token->store.newest; one != NULL; one = one->older) {
		if (one->resident && !listed(listing, one) && listing->count < LISTED_MAX)
			listing->list[listing->count++] = one;
	}
	return next_application(token, answer);
}

static cbor_item_t *describe_id(const struct credential *credential)
{
	cbor_item_t *map = item_new_map(2);

	item_put_named(map, "id", item_new_bytes(credential->id, credential->id_len));
	item_put_named(map, "type", cbor_build_string("public-key"));
	return map;
}

static cbor_item_t *describe_user(const struct user *user)
{
	cbor_item_t *map = item_new_map(3);

	item_put_named(map, "id", item_new_bytes(user->id, user->id_len));
	item_put_named(map, "name",
		item_new_text((struct span){
			.data = (const uint8_t *)user->name.data, .len = user->name.len}));
	item_put_named(map, "displayName",
		item_new_text((struct span){.data = (const uint8_t *)user->display_name.data,
			.len = user->display_name.len}));
	return map;
}

static enum ctap_status next_credential(struct token *token, cbor_item_t **answer)
{
	struct listing *listing = token->listing;
	bool first = listing != NULL && listing->done == 0;
	const struct credential *one = NULL;

	if (listing == NULL || listing->kind != CREDENTIALS || listing->done >= listing->count)
		return first ? CTAP_NO_CREDENTIALS : CTAP_NOT_ALLOWED;
	one = listing->list[listing->done++];
	*answer = item_new_map(5);
	item_put(*answer, 6, describe_user(&one->user));
	item_put(*answer, 7, describe_id(one));
	item_put(*answer, 8, key_cose(one->key, one->algorithm));
	if (first)
		item_put(*answer, 9, item_new_number((int64_t)listing->count));
	item_put(*answer, 10, item_new_number(one->protect));
	return CTAP_OK;
}

static enum ctap_status credentials(
	struct token *token, const cbor_item_t *inner, cbor_item_t **answer)
{
	struct listing *listing = listing_of(token, CREDENTIALS);
	struct span rp_hash = {0};

	if (!item_bytes(item_numbered(inner, 1), &rp_hash) || rp_hash.len != KEY_HASH_LEN)
		return CTAP_MISSING_PARAMETER;
	for (struct credential *one = token->store.newest; one != NULL; one = one->older) {
		if (one->resident && memcmp(one->rp_hash, rp_hash.data, KEY_HASH_LEN) == 0 &&
			listing->count < LISTED_MAX)
			listing->list[listing->count++] = one;
	}
	return next_credential(token, answer);
}

static enum ctap_status delete_one(struct token *token, const cbor_item_t *inner)
{
	struct credential *one = meant(token, inner);

	if (one == NULL)
		return CTAP_NO_CREDENTIALS;
	command_forget(token);
	store_remove(&token->store, one);
	return CTAP_OK;
}

static void replace(struct text *text, const cbor_item_t *item)
{
	struct span found = {0};

	text->len = 0;
	if (item_text(item, &found) && found.len > 0) {
		text->len = found.len < sizeof(text->data) ? found.len : sizeof(text->data);
		memcpy(text->data, found.data, text->len);
	}
}

static enum ctap_status update_user(struct token *token, const cbor_item_t *inner)
{
	const cbor_item_t *user = item_numbered(inner, 3);
	struct credential *one = meant(token, inner);
	struct span id = {0};

	if (one == NULL)
		return CTAP_NO_CREDENTIALS;
	if (!item_bytes(item_named(user, "id"), &id) || id.len != one->user.id_len ||
		memcmp(id.data, one->user.id, id.len) != 0)
		return CTAP_INVALID_PARAMETER;
	replace(&one->user.name, item_named(user, "name"));
	replace(&one->user.display_name, item_named(user, "displayName"));
	return CTAP_OK;
}

enum ctap_status credential_management(
	struct token *token, const cbor_item_t *parameters, cbor_item_t **answer)
{
	const cbor_item_t *inner = item_numbered(parameters, 2);
	int64_t subcommand = 0;
	enum ctap_status status = CTAP_OK;

	if (!item_number(item_numbered(parameters, 1), &subcommand))
		return CTAP_MISSING_PARAMETER;
	if (subcommand == NEXT_APPLICATION)
		return next_application(token, answer);
	if (subcommand == NEXT_CREDENTIAL)
		return next_credential(token, answer);
	if (subcommand < METADATA || subcommand > UPDATE)
		return CTAP_INVALID_SUBCOMMAND;
	status = authorise(token, parameters, subcommand);
	if (status != CTAP_OK)
		return status;
	if (subcommand == METADATA)
		return metadata(token, answer);
	if (subcommand == APPLICATIONS)
		return applications(token, answer);
	if (subcommand == CREDENTIALS)
		return credentials(token, inner, answer);
	return subcommand == DELETE ? delete_one(token, inner) : update_user(token, inner);
}
