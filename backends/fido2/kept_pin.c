/*
 * Keeping and forgetting, under the lock of the tokens. The clock runs while the machine sleeps.
 */
#include "kept_pin.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VARIABLE "KEYSTILE_FIDO2_PIN_MINUTES"
#define MINUTES_MOST (24 * 60)

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum ks_error kept_pin_seconds(struct ks_operation *operation, uint32_t *out)
{
	const char *text = getenv(VARIABLE);
	char *end = NULL;
	unsigned long minutes;

	*out = 0;
	if (text == NULL)
		return KS_OK;
	errno = 0;
	minutes = strtoul(text, &end, 10);
	if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' &&
		minutes <= MINUTES_MOST) {
		*out = (uint32_t)minutes * 60;
		return KS_OK;
	}
	ks_explain(operation, VARIABLE " must be a number from 0 to %d", MINUTES_MOST);
	return KS_BAD_INPUT;
}

static enum ks_error copy(const struct secret *from, struct secret *to)
{
	if (secret_init(to, KS_PIN_MAX) != KS_OK)
		return KS_NO_MEMORY;
	memcpy(to->data, from->data, from->len);
	to->len = from->len;
	return KS_OK;
}

enum ks_error kept_pin_get(struct tokens *tokens, struct fido_token *token, struct secret *out)
{
	enum ks_error error = KS_PIN_NEEDED;

	*out = (struct secret){0};
	pthread_mutex_lock(&tokens->lock);
	if (token->kept.len > 0 && token->kept_until_ms <= now_ms())
		secret_deinit(&token->kept);
	if (token->kept.len > 0)
		error = copy(&token->kept, out);
	pthread_mutex_unlock(&tokens->lock);
	return error;
}

void kept_pin_put(struct tokens *tokens, struct fido_token *token, const struct secret *pin)
{
	if (tokens->pin_seconds == 0)
		return;
	pthread_mutex_lock(&tokens->lock);
	secret_deinit(&token->kept);
	/* One that is out already takes it along. */
	if (!token->gone && copy(pin, &token->kept) == KS_OK)
		token->kept_until_ms = now_ms() + (int64_t)tokens->pin_seconds * 1000;
	pthread_mutex_unlock(&tokens->lock);
}

void kept_pin_drop(struct tokens *tokens, struct fido_token *token)
{
	pthread_mutex_lock(&tokens->lock);
	secret_deinit(&token->kept);
	pthread_mutex_unlock(&tokens->lock);
}

int kept_pins_expire(struct tokens *tokens)
{
	int64_t now = now_ms();
	int64_t next = -1;

	pthread_mutex_lock(&tokens->lock);
	for (struct fido_token *token = tokens->first; token != NULL; token = token->next) {
		int64_t left = token->kept_until_ms - now;

		if (token->kept.len == 0)
			continue;
		if (left <= 0)
			secret_deinit(&token->kept);
		else if (next < 0 || left < next)
			next = left;
	}
	pthread_mutex_unlock(&tokens->lock);
	return next > INT_MAX ? INT_MAX : (int)next;
}
