/*
 * Keeps keys of security keys, after it has found that they hang together.
 */
#include <keystile/key_handles.h>

#include <stdlib.h>
#include <string.h>

static void key_handle_free(struct key_handle *kept)
{
	if (kept == NULL)
		return;
	buf_deinit(&kept->blob);
	secret_deinit(&kept->secret);
	free(kept->application);
	free(kept);
}

static enum ks_error refuse(struct ks_operation *operation, enum ks_error error, const char *words)
{
	ks_explain(operation, "%s", words);
	return error;
}

/*
 * An authenticator signs for the application it is told, the agent decides and verifies by the one
 * in the public key, which may be a certificate's: they must be the same.
 */
static enum ks_error check_application(const struct key_handle *kept)
{
	struct public_key *public;
	enum ks_error error = public_key_parse(buf_bytes(&kept->blob), &public);

	if (error != KS_OK)
		return error;
	if (public->kind != kept->key.kind || strcmp(public->application, kept->application) != 0)
		error = KS_BAD_INPUT;
	public_key_free(&public);
	return error;
}

static enum ks_error check_kind(struct ks_operation *operation, const struct private_key *key)
{
	if (key->kind != KEY_SK_ED25519 && key->kind != KEY_SK_ECDSA_P256)
		return refuse(
			operation, KS_UNSUPPORTED, "only keys of security keys are kept here");
	if (key->key_handle.len == 0 || key->key_handle.len > KEY_HANDLE_MAX)
		return refuse(operation, KS_BAD_INPUT,
			"its key handle is empty or longer than any security key makes it");
	return KS_OK;
}

/* It holds no NUL. */
static char *copy_text(struct bytes text)
{
	return strndup(text.len > 0 ? (const char *)text.data : "", text.len);
}

/* kept->secret holds the copy. */
static enum ks_error read_key(struct key_handle *kept, struct ks_operation *operation)
{
	struct reader in = reader_of(BYTES(kept->secret.data, kept->secret.len));
	enum ks_error error = private_key_read(&in, &kept->key);

	if (error == KS_OK)
		error = reader_end(&in);
	if (error == KS_OK)
		error = check_kind(operation, &kept->key);
	if (error == KS_OK)
		error = private_key_put_public(&kept->key, &kept->blob);
	if (error != KS_OK)
		return error;
	kept->application = copy_text(kept->key.application);
	if (kept->application == NULL)
		return KS_NO_MEMORY;
	error = check_application(kept);
	if (error == KS_BAD_INPUT)
		ks_explain(operation, "its private and its public part are of different keys");
	return error;
}

static enum ks_error key_handle_new(
	struct ks_operation *operation, const struct secret *secret, struct key_handle **out)
{
	struct key_handle *kept = calloc(1, sizeof(*kept));
	enum ks_error error;

	*out = NULL;
	if (kept == NULL)
		return KS_NO_MEMORY;
	kept->references = 1;
	error = secret_init(&kept->secret, secret->len);
	if (error == KS_OK) {
		memcpy(kept->secret.data, secret->data, secret->len);
		kept->secret.len = secret->len;
		error = read_key(kept, operation);
	}
	if (error != KS_OK) {
		key_handle_free(kept);
		return error;
	}
	*out = kept;
	return KS_OK;
}

void key_handles_init(struct key_handles *keys)
{
	pthread_mutex_init(&keys->lock, NULL);
}

/* Under the lock; NULL is fine. */
static void release(struct key_handle *kept)
{
	if (kept != NULL && --kept->references == 0)
		key_handle_free(kept);
}

/* Under the lock: out of the list, and the caller's; NULL when it is not in there. */
static struct key_handle *take_out(struct key_handles *keys, struct bytes blob)
{
	for (struct key_handle **link = &keys->first; *link != NULL; link = &(*link)->next) {
		struct key_handle *kept = *link;

		if (!bytes_equal(buf_bytes(&kept->blob), blob))
			continue;
		*link = kept->next;
		keys->count--;
		return kept;
	}
	return NULL;
}

/* Takes the caller's reference; false when there is no place. */
static bool put_in(struct key_handles *keys, struct key_handle *kept)
{
	bool room;

	pthread_mutex_lock(&keys->lock);
	release(take_out(keys, buf_bytes(&kept->blob)));
	room = keys->count < KEY_HANDLES_MAX;
	if (room) {
		kept->next = keys->first;
		keys->first = kept;
		keys->count++;
	} else {
		release(kept);
	}
	pthread_mutex_unlock(&keys->lock);
	return room;
}

enum ks_error key_handles_add(struct key_handles *keys, struct ks_operation *operation,
	const struct secret *secret, struct buf *blob)
{
	struct key_handle *kept;
	enum ks_error error = key_handle_new(operation, secret, &kept);

	if (error != KS_OK)
		return error;
	buf_put(blob, buf_bytes(&kept->blob));
	if (!put_in(keys, kept))
		return refuse(operation, KS_NO_MEMORY, "too many keys");
	return buf_status(blob);
}

enum ks_error key_handles_remove(struct key_handles *keys, struct bytes blob)
{
	struct key_handle *kept;

	pthread_mutex_lock(&keys->lock);
	kept = take_out(keys, blob);
	release(kept);
	pthread_mutex_unlock(&keys->lock);
	return kept != NULL ? KS_OK : KS_NO_KEY;
}

struct key_handle *key_handles_find(struct key_handles *keys, struct bytes blob)
{
	struct key_handle *kept;

	pthread_mutex_lock(&keys->lock);
	kept = keys->first;
	while (kept != NULL && !bytes_equal(buf_bytes(&kept->blob), blob))
		kept = kept->next;
	if (kept != NULL)
		kept->references++;
	pthread_mutex_unlock(&keys->lock);
	return kept;
}

void key_handles_release(struct key_handles *keys, struct key_handle *kept)
{
	pthread_mutex_lock(&keys->lock);
	release(kept);
	pthread_mutex_unlock(&keys->lock);
}

void key_handles_deinit(struct key_handles *keys)
{
	while (keys->first != NULL) {
		struct key_handle *kept = keys->first;

		keys->first = kept->next;
		release(kept);
	}
	keys->count = 0;
	pthread_mutex_destroy(&keys->lock);
}
