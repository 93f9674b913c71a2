/*
 * The list of tokens: coming, going, and being used by one operation at a time.
 */
#include "tokens.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <keystile/log.h>

#include "assertion.h"

/* A browser may want the token too. */
#define IDLE_MS 3000

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void signal_event(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		log_debug("an event was signalled already");
}

enum ks_error tokens_init(struct tokens *tokens, struct ks_worker *worker)
{
	pthread_condattr_t monotonic;

	*tokens = (struct tokens){.worker = worker,
		.last_id = TOKEN_FIRST_ID - 1,
		.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	pthread_mutex_init(&tokens->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&tokens->freed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return tokens->wake >= 0 ? KS_OK : KS_NO_MEMORY;
}

static void token_free(struct fido_token *token)
{
	session_end(&token->session);
	secret_deinit(&token->kept);
	if (token->removed >= 0)
		close(token->removed);
	free(token->path);
	free(token->product);
	free(token->manufacturer);
	free(token->serial);
	free(token);
}

/* Under the lock. */
static void unreference(struct fido_token *token)
{
	if (--token->references == 0)
		token_free(token);
}

void token_unreference(struct tokens *tokens, struct fido_token *token)
{
	pthread_mutex_lock(&tokens->lock);
	unreference(token);
	pthread_mutex_unlock(&tokens->lock);
}

/* Under the lock: the one at *link. */
static void take_out(struct tokens *tokens, struct fido_token **link)
{
	struct fido_token *token = *link;

	*link = token->next;
	token->gone = true;
	secret_deinit(&token->kept);
	signal_event(token->removed);
	ks_token_gone(tokens->worker, token->id);
	pthread_cond_broadcast(&tokens->freed);
	unreference(token);
}

void tokens_deinit(struct tokens *tokens)
{
	while (tokens->first != NULL) {
		struct fido_token *token = tokens->first;

		tokens->first = token->next;
		unreference(token);
	}
	if (tokens->wake >= 0)
		close(tokens->wake);
	pthread_cond_destroy(&tokens->freed);
	pthread_mutex_destroy(&tokens->lock);
}

/* ---- For the finder ---- */

struct ks_token token_view(const struct fido_token *token)
{
	return (struct ks_token){.id = token->id,
		.label = token->product,
		.serial = token->serial,
		.model = token->manufacturer,
		.location = token->path,
		.tries_left = KS_TRIES_UNKNOWN};
}

bool token_is_called(const struct fido_token *token, const char *name)
{
	return name == NULL || strcmp(token->path, name) == 0 ||
	       (*name != '\0' && strcmp(token->serial, name) == 0);
}

static struct fido_token *token_new(const struct hid_found *found)
{
	struct fido_token *token = calloc(1, sizeof(*token));

	if (token == NULL)
		return NULL;
	token->references = 1;
	token->removed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	token->path = strdup(found->path);
	token->node = found->node;
	token->product = strdup(found->product);
	token->manufacturer = strdup(found->manufacturer);
	token->serial = strdup(found->serial);
	if (token->removed >= 0 && token->path != NULL && token->product != NULL &&
		token->manufacturer != NULL && token->serial != NULL)
		return token;
	token_free(token);
	return NULL;
}

void tokens_appeared(struct tokens *tokens, const struct hid_found *found)
{
	struct fido_token **end = &tokens->first;
	struct fido_token *token = NULL;

	pthread_mutex_lock(&tokens->lock);
	while (*end != NULL && strcmp((*end)->path, found->path) != 0)
		end = &(*end)->next;
	if (*end == NULL)
		token = token_new(found);
	if (token != NULL) {
		token->id = ++tokens->last_id;
		*end = token;
		tokens->report(tokens->report_owner, token);
		pthread_cond_broadcast(&tokens->freed);
	}
	pthread_mutex_unlock(&tokens->lock);
}

void tokens_report(struct tokens *tokens)
{
	pthread_mutex_lock(&tokens->lock);
	for (struct fido_token *token = tokens->first; token != NULL; token = token->next)
		tokens->report(tokens->report_owner, token);
	pthread_mutex_unlock(&tokens->lock);
}

bool tokens_know(struct tokens *tokens, const char *path)
{
	struct fido_token *token;

	pthread_mutex_lock(&tokens->lock);
	token = tokens->first;
	while (token != NULL && strcmp(token->path, path) != 0)
		token = token->next;
	pthread_mutex_unlock(&tokens->lock);
	return token != NULL;
}

static bool among(const char *path, const char *const *paths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(path, paths[i]) == 0)
			return true;
	return false;
}

void tokens_keep_only(struct tokens *tokens, const char *const *paths, size_t count)
{
	struct fido_token **link = &tokens->first;

	pthread_mutex_lock(&tokens->lock);
	while (*link != NULL)
		if (among((*link)->path, paths, count))
			link = &(*link)->next;
		else
			take_out(tokens, link);
	pthread_mutex_unlock(&tokens->lock);
}

void tokens_removed(struct tokens *tokens, const char *path)
{
	struct fido_token **link = &tokens->first;
	struct hid_node now;

	pthread_mutex_lock(&tokens->lock);
	while (*link != NULL && strcmp((*link)->path, path) != 0)
		link = &(*link)->next;
	/* One that was put back may be known before it is heard that it was pulled. */
	if (*link != NULL && !(hid_node_at(path, &now) && hid_node_untouched(&now, &(*link)->node)))
		take_out(tokens, link);
	pthread_mutex_unlock(&tokens->lock);
}

int tokens_close_idle(struct tokens *tokens)
{
	int64_t now = now_ms();
	int next = -1;

	pthread_mutex_lock(&tokens->lock);
	for (struct fido_token *token = tokens->first; token != NULL; token = token->next) {
		int64_t left = token->idle_since_ms + IDLE_MS - now;

		if (token->busy || token->session.pid == 0)
			continue;
		if (left <= 0)
			session_end(&token->session);
		else if (next < 0 || left < next)
			next = (int)left;
	}
	pthread_mutex_unlock(&tokens->lock);
	return next;
}

void tokens_interrupt(struct tokens *tokens)
{
	pthread_mutex_lock(&tokens->lock);
	for (struct fido_token *token = tokens->first; token != NULL; token = token->next)
		signal_event(token->removed);
	pthread_mutex_unlock(&tokens->lock);
}

/* ---- For operations ---- */

/* Under the lock; NULL: it is not known to hold that key. */
static struct known_key *find_known(struct fido_token *token, struct bytes blob)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	static const uint8_t none[TOKEN_HASH_BYTES];

	if (assertion_hash(blob, hash) != KS_OK)
		return NULL;
	for (unsigned i = 0; i < TOKEN_KNOWN_MAX; i++)
		if (memcmp(token->known[i].hash, hash, sizeof(hash)) == 0 &&
			memcmp(hash, none, sizeof(none)) != 0)
			return &token->known[i];
	return NULL;
}

bool token_knows(struct tokens *tokens, struct fido_token *token, struct bytes blob)
{
	pthread_mutex_lock(&tokens->lock);
	bool known = find_known(token, blob) != NULL;
	pthread_mutex_unlock(&tokens->lock);
	return known;
}

bool token_proved(struct tokens *tokens, struct fido_token *token, struct bytes blob)
{
	pthread_mutex_lock(&tokens->lock);
	const struct known_key *known = find_known(token, blob);
	bool proved = known != NULL && known->proved;
	pthread_mutex_unlock(&tokens->lock);
	return proved;
}

void token_learn(struct tokens *tokens, struct fido_token *token, struct bytes blob)
{
	struct known_key *known;

	pthread_mutex_lock(&tokens->lock);
	known = find_known(token, blob);
	if (known == NULL) {
		known = &token->known[token->known_next++ % TOKEN_KNOWN_MAX];
		*known = (struct known_key){0};
		if (assertion_hash(blob, known->hash) != KS_OK)
			known = NULL;
	}
	if (known != NULL)
		known->proved = true;
	pthread_mutex_unlock(&tokens->lock);
}

void token_forget(struct tokens *tokens, struct fido_token *token, struct bytes blob)
{
	struct known_key *known;

	pthread_mutex_lock(&tokens->lock);
	known = find_known(token, blob);
	if (known != NULL)
		*known = (struct known_key){0};
	pthread_mutex_unlock(&tokens->lock);
}

/* Under the lock. */
static void lose(struct tokens *tokens, const struct fido_token *token)
{
	struct fido_token **link = &tokens->first;

	while (*link != NULL && *link != token)
		link = &(*link)->next;
	if (*link != NULL)
		take_out(tokens, link);
}

/* Under the lock: it may be there for somebody else now, or be another one. */
static void doubt(struct fido_token *token)
{
	for (unsigned i = 0; i < TOKEN_KNOWN_MAX; i++)
		token->known[i].proved = false;
	secret_deinit(&token->kept);
}

enum ks_error token_check_node(struct tokens *tokens, struct fido_token *token, int device)
{
	struct hid_node now = {0};
	bool same = hid_node_of(device, &now) && hid_node_same(&now, &token->node);

	pthread_mutex_lock(&tokens->lock);
	if (!same)
		lose(tokens, token);
	else if (!hid_node_untouched(&now, &token->node))
		doubt(token);
	token->node = now;
	pthread_mutex_unlock(&tokens->lock);
	return same ? KS_OK : KS_NO_TOKEN;
}

size_t tokens_present(
	struct tokens *tokens, struct bytes blob, struct fido_token *out[static TOKENS_MAX])
{
	size_t count = 0;

	pthread_mutex_lock(&tokens->lock);
	for (int known = 1; known >= 0; known--)
		for (struct fido_token *token = tokens->first; token != NULL && count < TOKENS_MAX;
			token = token->next)
			if ((find_known(token, blob) != NULL) == (known != 0)) {
				token->references++;
				out[count++] = token;
			}
	pthread_mutex_unlock(&tokens->lock);
	return count;
}

void tokens_wait_ms(struct tokens *tokens, int patience_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)patience_ms * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&tokens->freed, &tokens->lock, &until);
}

void token_give_back(struct tokens *tokens, struct fido_token *token)
{
	pthread_mutex_lock(&tokens->lock);
	token->busy = false;
	token->idle_since_ms = now_ms();
	pthread_cond_broadcast(&tokens->freed);
	pthread_mutex_unlock(&tokens->lock);
	signal_event(tokens->wake);
}
