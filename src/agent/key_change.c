/*
 * The queue of a provider's changes; the first one is with the worker. See key_change.h for why one
 * at a time.
 */
#include "key_change.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/log.h>

#include "agent.h"
#include "constraints.h"
#include "expiry.h"
#include "provider.h"

struct key_change {
	struct key_change *next;
	struct provider *provider;
	bool remove;
	bool yields; /* a removal that nobody asked for: not of a key that came again meanwhile */
	int fd;
	struct buf blob;
	enum key_kind kind;
	char *comment;
	struct constraints *constraints;
	uint64_t expires_ms;
	bool from_afar;
	struct operation *operation; /* while it is with the worker */
	key_changed *changed;	     /* NULL: nobody waits */
	void *owner;
};

static void change_free(struct key_change *change)
{
	if (change->fd >= 0)
		close(change->fd);
	buf_deinit(&change->blob);
	free(change->comment);
	constraints_release(&change->constraints);
	free(change);
}

static struct key_change *remove_source(
	struct key *key, struct key_source *source, key_changed *changed, void *owner);

static void answer(struct key_change *change, enum ks_error error, struct bytes words)
{
	if (change->changed != NULL)
		change->changed(change->owner, error, words);
	change_free(change);
}

/* A security key may have been with another worker before. */
static void forget_elsewhere(struct provider *provider, struct bytes blob)
{
	struct key *key = keyring_find(&provider->agent->keyring, blob);
	struct key_source *source = key == NULL ? NULL : key->sources;

	while (source != NULL &&
		(!token_takes_keys(source->token) || source->token->provider == provider))
		source = source->next;
	if (source != NULL && remove_source(key, source, NULL, NULL) == NULL)
		log_debug("a key went together with all others of its old worker");
}

/* What the keyring says of the key in that worker, or NULL. */
static struct key_source *source_now(const struct key_change *change)
{
	struct key *key = keyring_find(&change->provider->agent->keyring, buf_bytes(&change->blob));
	struct key_source *source = key == NULL ? NULL : key->sources;

	while (source != NULL &&
		(source->token->provider != change->provider || !token_takes_keys(source->token)))
		source = source->next;
	return source;
}

/* It was added again while the removal waited, and has gone with it all the same. */
static void drop_again(const struct key_change *change)
{
	const struct key_source *source = source_now(change);

	if (source != NULL)
		keyring_drop(
			&change->provider->agent->keyring, source->token, buf_bytes(&change->blob));
}

/* The worker has taken it: now it is offered. blob is the worker's word for what it took. */
static enum ks_error install(struct key_change *change, struct bytes blob)
{
	struct provider *provider = change->provider;
	struct agent *agent = provider->agent;
	const struct key_addition addition = {.blob = buf_bytes(&change->blob),
		.kind = change->kind,
		.comment = change->comment,
		.constraints = change->constraints,
		.expires_ms = change->expires_ms,
		.from_afar = change->from_afar};
	enum ks_error error = KS_DEVICE_FAILED;

	if (provider->tokens != NULL && bytes_equal(blob, addition.blob))
		error = keyring_add(&agent->keyring, provider->tokens, &addition);
	if (error != KS_OK)
		return error;
	provider->established = true;
	expiry_at(agent, change->expires_ms);
	forget_elsewhere(provider, addition.blob);
	return KS_OK;
}

static void begin_next(struct provider *provider);
static void close_doubtful(struct provider *provider);

/*
 * The worker has taken a key that can't be listed: that it must not keep. The addition becomes its
 * own removal, before all that wait; this takes no memory that could lack again.
 */
static void undo(struct key_change *change, struct bytes blob)
{
	struct provider *provider = change->provider;

	change->remove = true;
	change->yields = true;
	change->from_afar = false;
	change->changed = NULL;
	buf_clear(&change->blob);
	buf_put(&change->blob, blob);
	if (buf_status(&change->blob) != KS_OK) {
		change_free(change);
		close_doubtful(provider);
		return;
	}
	change->next = provider->changes;
	provider->changes = change;
	begin_next(provider);
}

static void go_on(struct provider *provider)
{
	begin_next(provider);
	provider_let_go(provider);
}

/* A worker that may still hold a key which is not listed any more. */
static void close_doubtful(struct provider *provider)
{
	log_error("a key could not be removed: all keys of %s go with its worker", provider->name);
	provider_close(provider);
}

/* Installs the key; true when that failed and is being undone, which ends the change later. */
static bool undoing(struct key_change *change, enum ks_error *error, struct bytes blob)
{
	struct provider *provider = change->provider;

	*error = install(change, blob);
	if (*error == KS_OK)
		return false;
	if (change->changed != NULL)
		change->changed(change->owner, *error, bytes_of(NULL));
	if (provider->state == PROVIDER_CLOSED)
		change_free(change);
	else
		undo(change, blob);
	return true;
}

static void on_done(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct key_change *change = operation->owner;
	struct provider *provider = change->provider;
	bool doubtful;

	/* Its provider has been closed: it was taken out of the queue. */
	if (provider == NULL) {
		answer(change, KS_NO_TOKEN, words);
		return;
	}
	provider->changes = change->next;
	change->operation = NULL;
	if (error == KS_OK && !change->remove && undoing(change, &error, result))
		return;
	doubtful = change->remove && error != KS_OK && error != KS_NO_KEY;
	if (change->remove && !doubtful)
		drop_again(change);
	answer(change, error, words);
	if (provider->state == PROVIDER_CLOSED)
		return;
	if (doubtful)
		close_doubtful(provider);
	else
		go_on(provider);
}

static const struct operation_events events = {.done = on_done};

static enum ks_error begin(struct key_change *change)
{
	struct frame frame = {.type = change->remove ? FRAME_REMOVE : FRAME_ADD};
	struct operation_wish wish = {.frame = &frame,
		.fd = change->fd,
		.urgent = true,
		.events = &events,
		.owner = change};

	/* A key may have come meanwhile, and with constraints that this one would replace. */
	if (change->from_afar &&
		keyring_find(&change->provider->agent->keyring, buf_bytes(&change->blob)) != NULL)
		return KS_NOT_ALLOWED;
	change->fd = -1;
	if (change->remove)
		frame.remove.blob = buf_bytes(&change->blob);
	return worker_operate(change->provider->worker, &wish, &change->operation);
}

/* Those that can't or need not even begin are answered, so that the queue moves on. */
static void begin_next(struct provider *provider)
{
	while (provider->changes != NULL && provider->changes->operation == NULL) {
		struct key_change *change = provider->changes;
		bool overtaken = change->yields && source_now(change) != NULL;
		enum ks_error error = overtaken ? KS_OK : begin(change);

		if (error == KS_OK && !overtaken)
			return;
		bool doubtful = change->remove && error != KS_OK;
		provider->changes = change->next;
		answer(change, error, bytes_of(NULL));
		if (doubtful) {
			close_doubtful(provider);
			return;
		}
		provider_let_go(provider);
	}
}

/* It is with the worker, or waits behind others. */
static bool enqueue(struct key_change *change)
{
	struct provider *provider = change->provider;
	struct key_change **end = &provider->changes;

	if (*end == NULL && begin(change) != KS_OK)
		return false;
	while (*end != NULL)
		end = &(*end)->next;
	*end = change;
	provider_hold(provider);
	return true;
}

static struct key_change *change_new(
	struct provider *provider, struct bytes blob, key_changed *changed, void *owner)
{
	struct key_change *change = calloc(1, sizeof(*change));

	if (change == NULL)
		return NULL;
	*change = (struct key_change){
		.provider = provider, .fd = -1, .changed = changed, .owner = owner};
	buf_put(&change->blob, blob);
	if (buf_status(&change->blob) == KS_OK)
		return change;
	change_free(change);
	return NULL;
}

struct key_change *key_change_add(struct provider *provider, int fd,
	const struct key_addition *addition, key_changed *changed, void *owner)
{
	struct key_change *change = change_new(provider, addition->blob, changed, owner);

	if (change == NULL) {
		close(fd);
		return NULL;
	}
	change->fd = fd;
	change->kind = addition->kind;
	change->comment = strdup(addition->comment);
	change->constraints = constraints_reference(addition->constraints);
	change->expires_ms = addition->expires_ms;
	change->from_afar = addition->from_afar;
	if (change->comment != NULL && enqueue(change))
		return change;
	change_free(change);
	return NULL;
}

unsigned key_changes_count_from_afar(const struct agent *agent)
{
	unsigned count = keyring_count_from_afar(&agent->keyring);

	for (const struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		for (const struct key_change *change = provider->changes; change != NULL;
			change = change->next)
			count += change->from_afar;
	return count;
}

static struct key_change *remove_source(
	struct key *key, struct key_source *source, key_changed *changed, void *owner)
{
	struct token *token = source->token;
	struct provider *provider = token->provider;
	struct key_change *change = change_new(provider, buf_bytes(&key->blob), changed, owner);

	if (change != NULL) {
		change->remove = true;
		change->yields = changed == NULL;
	}
	if (change == NULL || !enqueue(change)) {
		if (change != NULL)
			change_free(change);
		log_error("a key can't be removed alone: all keys of %s go", provider->name);
		provider_close(provider);
		return NULL;
	}
	keyring_drop(&provider->agent->keyring, token, buf_bytes(&change->blob));
	return change;
}

struct key_change *key_change_remove(struct key *key, key_changed *changed, void *owner)
{
	return remove_source(key, key_added_source(key), changed, owner);
}

void key_change_forget(struct key *key)
{
	if (key_change_remove(key, NULL, NULL) == NULL)
		log_debug("a key went together with all others of its worker");
}

void key_change_abandon(struct key_change *change)
{
	change->changed = NULL;
}

void key_changes_drop(struct provider *provider)
{
	struct key_change *change = provider->changes;

	provider->changes = NULL;
	while (change != NULL) {
		struct key_change *next = change->next;

		change->provider = NULL;
		/* The one that is with the worker is answered when that has let go of it. */
		if (change->operation == NULL)
			answer(change, KS_NO_TOKEN, bytes_of("all keys were removed"));
		change = next;
	}
}
