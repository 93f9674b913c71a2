/*
 * A resident key, made of what a token tells or of what a file remembers of it.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "residents.h"

#define SK_FLAG_RESIDENT 0x20
/* The name that ssh-keygen gives every user who was not named. */
#define USUAL_USER "openssh"

void resident_free(struct resident *resident)
{
	if (resident == NULL)
		return;
	free(resident->user);
	free(resident->model);
	free(resident->comment);
	buf_deinit(&resident->blob);
	buf_deinit(&resident->key);
	free(resident);
}

/* Foreign bytes as text: what is none becomes question marks. NULL when out of memory. */
static char *plain_text(struct bytes bytes)
{
	char *text = strndup(bytes.len > 0 ? (const char *)bytes.data : "", bytes.len);

	if (text != NULL)
		text_make_plain(text);
	return text;
}

static char *comment_of(const struct private_key *key, const char *user)
{
	AUTO(text) application = plain_text(key->application);
	bool usual = *user == '\0' || strcmp(user, USUAL_USER) == 0;

	if (application == NULL)
		return NULL;
	return text_format("%s%s%s", application, usual ? "" : " ", usual ? "" : user);
}

static bool fill_in(struct resident *resident)
{
	struct reader in = reader_of(buf_bytes(&resident->key));
	struct private_key key;

	if (buf_status(&resident->key) != KS_OK || private_key_read(&in, &key) != KS_OK ||
		reader_end(&in) != KS_OK || key.key_handle.len == 0 ||
		private_key_put_public(&key, &resident->blob) != KS_OK)
		return false;
	resident->hidden = (key.sk_flags & SK_FLAG_USER_VERIFIED) != 0;
	resident->comment = comment_of(&key, resident->user);
	return resident->comment != NULL;
}

struct resident *resident_of_file(
	struct bytes key, const char *user, const char *model, const char *group)
{
	struct resident *resident = calloc(1, sizeof(*resident));

	if (resident == NULL || strlen(group) >= sizeof(resident->group)) {
		free(resident);
		return NULL;
	}
	strcpy(resident->group, group);
	resident->user = plain_text(bytes_of(user));
	resident->model = plain_text(bytes_of(model));
	buf_put(&resident->key, key);
	if (resident->user != NULL && resident->model != NULL && fill_in(resident))
		return resident;
	resident_free(resident);
	return NULL;
}

/* As ssh-keygen -K writes it. */
static void put_key(const struct token_credential *credential, struct buf *out)
{
	uint8_t flags = SK_FLAG_USER_PRESENT | SK_FLAG_RESIDENT;

	if (credential->ed25519) {
		buf_put_text(out, ks_algorithm_name(KS_ALGORITHM_SK_ED25519));
	} else {
		buf_put_text(out, ks_algorithm_name(KS_ALGORITHM_SK_ECDSA_P256));
		buf_put_text(out, "nistp256");
	}
	buf_put_string(out, credential->point);
	buf_put_string(out, credential->application);
	buf_put_u8(out, credential->hidden ? flags | SK_FLAG_USER_VERIFIED : flags);
	buf_put_string(out, credential->handle);
	buf_put_text(out, "");
}

struct resident *resident_of_token(
	const struct token_credential *credential, const char *model, const char *group)
{
	AUTO(text) user = plain_text(credential->user);
	AUTO(buf) key = {0};

	put_key(credential, &key);
	if (user == NULL || buf_status(&key) != KS_OK)
		return NULL;
	return resident_of_file(buf_bytes(&key), user, model, group);
}
