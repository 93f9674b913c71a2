/*
 * Reads the keys of a token into a list without doubles: a key that has a public-key object and a
 * certificate stands in it once.
 */
#include "key_list.h"

#include <stdlib.h>
#include <time.h>

#include <keystile/cleanup.h>
#include <keystile/frame.h>
#include <keystile/log.h>

#include "key_blob.h"

#define LABEL_MAX 1024
#define ID_MAX 256 /* longer ones are taken for none */
/* CKA_CERTIFICATE_CATEGORY and its value for authorities, PKCS#11 2.40 section 4.6.3. */
#define CATEGORY_AUTHORITY 2UL

static void token_key_deinit(struct token_key *key)
{
	buf_deinit(&key->blob);
	buf_deinit(&key->id);
	free(key->label);
	free(key->certificate);
	*key = (struct token_key){0};
}

void key_list_deinit(struct key_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		token_key_deinit(&list->keys[i]);
	free(list->keys);
	*list = (struct key_list){0};
}

struct token_key *key_list_find(const struct key_list *list, struct bytes blob)
{
	for (size_t i = 0; i < list->count; i++)
		if (bytes_equal(buf_bytes(&list->keys[i].blob), blob))
			return &list->keys[i];
	return NULL;
}

/* Takes over what key holds, whether it works or not. */
static enum ks_error append(struct key_list *list, struct token_key *key)
{
	struct token_key *grown;

	if (list->count >= FRAME_KEYS_MAX) {
		token_key_deinit(key);
		return KS_OK;
	}
	grown = reallocarray(list->keys, list->count + 1, sizeof(*grown));
	if (!grown) {
		token_key_deinit(key);
		return KS_NO_MEMORY;
	}
	list->keys = grown;
	list->keys[list->count++] = *key;
	*key = (struct token_key){0};
	return KS_OK;
}

/* A key that is known: its other object may have a label or an id where the first had none. */
static void complete(struct token_key *known, struct token_key *other)
{
	if (known->label && !*known->label && other->label) {
		free(known->label);
		known->label = other->label;
		other->label = NULL;
	}
	if (!known->id.len)
		buf_put(&known->id, buf_bytes(&other->id));
	if (known->certificate && other->certificate)
		log_info("there are several certificates for one key of the token: the one that is "
			 "valid for longest counts");
	known->certificate =
		certificate_choose(known->certificate, other->certificate, (uint64_t)time(NULL));
	other->certificate = NULL;
	token_key_deinit(other);
}

/* Through a buffer of its own, as reading takes much more room than an id needs. */
static void read_id(const struct object *object, struct buf *out)
{
	AUTO(buf) id = {0};

	if (attribute_read(object, CKA_ID, &id) && id.len <= ID_MAX)
		buf_put(out, buf_bytes(&id));
}

static bool read_key(const struct object *object, CK_OBJECT_CLASS class, struct token_key *key)
{
	if (class == CKO_CERTIFICATE)
		return key_blob_from_certificate(object, &key->blob, &key->certificate);
	return key_blob_from_object(object, &key->blob);
}

static enum ks_error add_object(
	struct key_list *list, const struct object *object, CK_OBJECT_CLASS class)
{
	struct token_key key = {0}, *known;

	if (!read_key(object, class, &key)) {
		token_key_deinit(&key);
		return KS_OK;
	}
	read_id(object, &key.id);
	key.label = attribute_text(object, CKA_LABEL, LABEL_MAX);
	if (!key.label || buf_status(&key.id) != KS_OK) {
		token_key_deinit(&key);
		return KS_NO_MEMORY;
	}
	known = key_list_find(list, buf_bytes(&key.blob));
	if (!known)
		return append(list, &key);
	complete(known, &key);
	return KS_OK;
}

/* Certificates of authorities lie on cards too; nobody signs with those. */
static bool certificate_of_person(const struct object *object)
{
	return attribute_number(object, CKA_CERTIFICATE_TYPE, CKC_X_509) == CKC_X_509 &&
	       attribute_number(object, CKA_CERTIFICATE_CATEGORY, 0) != CATEGORY_AUTHORITY;
}

static CK_RV read_class(struct key_list *list, struct object object, CK_OBJECT_CLASS class)
{
	CK_ATTRIBUTE wanted = {CKA_CLASS, &class, sizeof(class)};
	AUTO(buf)
	handles = {0};
	CK_RV value;

	value = object_find(object.module, object.session, &wanted, 1, &handles);
	if (value != CKR_OK)
		return value;
	for (size_t i = 0; i < object_count(&handles); i++) {
		object.handle = object_at(&handles, i);
		if (class == CKO_CERTIFICATE && !certificate_of_person(&object))
			continue;
		if (add_object(list, &object, class) != KS_OK)
			return CKR_HOST_MEMORY;
	}
	return CKR_OK;
}

CK_RV key_list_read(struct module *module, CK_SESSION_HANDLE session, struct key_list *list)
{
	struct object object = {.module = module, .session = session};
	CK_RV value = read_class(list, object, CKO_PUBLIC_KEY);

	return value == CKR_OK ? read_class(list, object, CKO_CERTIFICATE) : value;
}

enum ks_error key_list_keep(struct key_list *list, struct key_list *older)
{
	enum ks_error error = KS_OK;

	for (size_t i = 0; i < older->count && error == KS_OK; i++)
		if (!key_list_find(list, buf_bytes(&older->keys[i].blob)))
			error = append(list, &older->keys[i]);
	key_list_deinit(older);
	return error;
}

void key_list_forget_handles(struct key_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		list->keys[i].private = CK_INVALID_HANDLE;
}
