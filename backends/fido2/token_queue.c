/*
 * Who has which token, and who has it next: first come, first served, but who sits here before who
 * asks from afar. An operation that wants several, so that a person can choose, gets them all at
 * once or none: nobody waits for a token because of another one.
 */
#include "tokens.h"

/* How soon an operation that waits notices that nobody waits for it any more. */
#define LOOK_MS 50

/* An operation that waits; in the order in which they are served. */
struct token_claim {
	struct token_claim *next;
	struct fido_token *const *wanted;
	size_t count;
	bool remote;
};

static bool all_free(const struct token_claim *claim)
{
	for (size_t i = 0; i < claim->count; i++)
		if (claim->wanted[i]->busy)
			return false;
	return true;
}

static bool any_gone(const struct token_claim *claim)
{
	for (size_t i = 0; i < claim->count; i++)
		if (claim->wanted[i]->gone)
			return true;
	return false;
}

static bool wants(const struct token_claim *claim, const struct fido_token *token)
{
	for (size_t i = 0; i < claim->count; i++)
		if (claim->wanted[i] == token)
			return true;
	return false;
}

static bool overlap(const struct token_claim *a, const struct token_claim *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (wants(a, b->wanted[i]))
			return true;
	return false;
}

/* Nobody before it could have one of its tokens now. */
static bool is_next(const struct tokens *tokens, const struct token_claim *claim)
{
	const struct token_claim *other = tokens->claims;

	for (; other != NULL && other != claim; other = other->next)
		if (overlap(other, claim) && all_free(other))
			return false;
	return all_free(claim);
}

static void insert(struct tokens *tokens, struct token_claim *claim)
{
	struct token_claim **at = &tokens->claims;

	while (*at != NULL && (claim->remote || !(*at)->remote))
		at = &(*at)->next;
	claim->next = *at;
	*at = claim;
}

static void take_out(struct tokens *tokens, const struct token_claim *claim)
{
	struct token_claim **at = &tokens->claims;

	while (*at != claim)
		at = &(*at)->next;
	*at = claim->next;
}

/* The one that keeps it from going on. */
static uint32_t first_busy(const struct token_claim *claim)
{
	for (size_t i = 0; i < claim->count; i++)
		if (claim->wanted[i]->busy)
			return claim->wanted[i]->id;
	return claim->wanted[0]->id;
}

/* Under the lock, which is let go of meanwhile. */
static void await_turn(
	struct tokens *tokens, struct ks_operation *operation, struct token_claim *claim)
{
	uint32_t told = 0;

	insert(tokens, claim);
	while (!is_next(tokens, claim) && !any_gone(claim) && !ks_cancelled(operation)) {
		uint32_t busy = first_busy(claim);

		if (busy != told)
			ks_waits_for(operation, busy);
		told = busy;
		tokens_wait_ms(tokens, LOOK_MS);
	}
	if (told != 0)
		ks_waits_for(operation, 0);
}

enum ks_error tokens_take(struct tokens *tokens, struct ks_operation *operation, bool remote,
	struct fido_token *const *wanted, size_t count)
{
	struct token_claim claim = {.wanted = wanted, .count = count, .remote = remote};
	enum ks_error error = KS_OK;

	pthread_mutex_lock(&tokens->lock);
	await_turn(tokens, operation, &claim);
	if (any_gone(&claim)) {
		ks_explain(operation, "token removed: the security key was pulled out");
		error = KS_NO_TOKEN;
	} else if (!is_next(tokens, &claim))
		error = KS_CANCELLED;
	take_out(tokens, &claim);
	for (size_t i = 0; i < count && error == KS_OK; i++)
		wanted[i]->busy = true;
	/* Those behind it may be next now. */
	pthread_cond_broadcast(&tokens->freed);
	pthread_mutex_unlock(&tokens->lock);
	return error;
}

enum ks_error token_take_at_once(struct tokens *tokens, struct fido_token *token)
{
	struct token_claim claim = {.wanted = &token, .count = 1};
	enum ks_error error = KS_OK;

	pthread_mutex_lock(&tokens->lock);
	if (token->gone)
		error = KS_NO_TOKEN;
	else if (!is_next(tokens, &claim))
		error = KS_BUSY;
	else
		token->busy = true;
	pthread_mutex_unlock(&tokens->lock);
	return error;
}
