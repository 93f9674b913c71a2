/*
 * Tokens and log lines on their way to the agent. A module that floods the log costs
 * lines, not the agent's time; a token with too many keys shows what fits into a frame.
 */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/log.h>

/* ---- Log ---- */

void report_init(struct ks_worker *worker)
{
	pthread_mutex_init(&worker->log.lock, NULL);
}

/* Under the budget's lock: begins a new second; the result is what the one before dropped. */
static unsigned budget_renew(struct log_budget *budget)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec == budget->second)
		return 0;
	unsigned dropped = budget->dropped;
	budget->second = now.tv_sec;
	budget->lines = 0;
	budget->dropped = 0;
	return dropped;
}

/* A line that can't be sent can't be complained of either. */
static void send_line(struct ks_worker *worker, enum log_level level, const char *line)
{
	const struct frame frame = {
		.type = FRAME_LOG, .text = {.level = level, .text = bytes_of(line)}};

	if (channel_send(&worker->channel, &frame) != KS_OK)
		return;
}

static void send_dropped(struct ks_worker *worker, unsigned dropped)
{
	char line[64];

	if (dropped == 0)
		return;
	snprintf(line, sizeof(line), "%u more lines of this worker were dropped", dropped);
	send_line(worker, LOG_LEVEL_WARNING, line);
}

void report_dropped(struct ks_worker *worker)
{
	pthread_mutex_lock(&worker->log.lock);
	unsigned dropped = worker->log.dropped > 0 ? budget_renew(&worker->log) : 0;
	pthread_mutex_unlock(&worker->log.lock);
	send_dropped(worker, dropped);
}

void report_log(enum log_level level, const char *line, void *context)
{
	struct ks_worker *worker = context;
	struct log_budget *budget = &worker->log;

	pthread_mutex_lock(&budget->lock);
	unsigned dropped = budget_renew(budget);
	bool fits = budget->lines < LOG_LINES_PER_SECOND;
	if (fits)
		budget->lines++;
	else
		budget->dropped++;
	pthread_mutex_unlock(&budget->lock);
	send_dropped(worker, dropped);
	if (fits)
		send_line(worker, level, line);
}

/* ---- Files that stayed closed ---- */

/* Who calls open() has no channel to hand over: the one exception to having no globals. */
static struct {
	_Atomic(struct channel *) channel;
	atomic_uint told;
} denials;

void report_denials(struct channel *channel)
{
	atomic_store(&denials.channel, channel);
}

void report_denial(const char *path, bool writes)
{
	struct channel *channel = atomic_load(&denials.channel);
	const struct frame frame = {
		.type = FRAME_DENIED, .denied = {.writes = writes, .path = bytes_of(path)}};

	if (channel == NULL || atomic_fetch_add(&denials.told, 1) >= REPORT_DENIALS_MAX)
		return;
	/* One that can't be told is refused all the same. */
	if (channel_send(channel, &frame) != KS_OK)
		return;
}

enum ks_error report_for_program(struct ks_operation *operation, const struct frame *frame, int fd)
{
	struct frame ours = *frame;

	ours.operation = operation->id;
	return channel_send_with(&operation->worker->channel, &ours, fd);
}

/* ---- Tokens ---- */

/* Bytes that a key without certificate takes in FRAME_TOKEN; lengths, flags and bool are 17. */
static size_t key_size(const struct ks_key *key)
{
	size_t label = key->label != NULL ? strlen(key->label) : 0;
	size_t id = key->id != NULL ? strlen(key->id) : 0;

	return 17 + key->blob.len + id + (label < FRAME_TEXT_MAX ? label : FRAME_TEXT_MAX);
}

/* What a certificate adds to that: four lengths, two times and a number are 36. */
static size_t certificate_size(const struct ks_certificate *certificate)
{
	return 36 + strlen(certificate->subject) + strlen(certificate->issuer) +
	       strlen(certificate->issuer_name) + strlen(certificate->usages);
}

/* Copies the keys that can be told, as far as they fit; the result is how many. */
static size_t take_keys(
	struct ks_key *fitting, const struct ks_key *keys, size_t count, size_t *room)
{
	size_t taken = 0;

	for (size_t i = 0; i < count && taken < FRAME_KEYS_MAX; i++) {
		struct ks_key *key = &fitting[taken];

		*key = keys[i];
		if (key->id != NULL && !frame_id_fits(key->id))
			key->id = NULL;
		if (key->blob.len == 0 || key->blob.len > FRAME_MAX || key_size(key) > *room)
			continue;
		*room -= key_size(key);
		key->flags &= KEY_FLAGS_KNOWN;
		taken++;
	}
	return taken;
}

/* Keys go before what is said of them: certificates take the room that is left. */
static size_t take_fitting(struct ks_key *fitting, const struct ks_key *keys, size_t count)
{
	size_t room = FRAME_MAX - (size_t)5 * FRAME_TEXT_MAX; /* the token's own texts */
	size_t taken = take_keys(fitting, keys, count, &room);
	size_t without = 0;

	for (size_t i = 0; i < taken; i++) {
		const struct ks_certificate *certificate = fitting[i].certificate;

		if (certificate == NULL)
			continue;
		if (frame_certificate_fits(certificate) && certificate_size(certificate) <= room) {
			room -= certificate_size(certificate);
			continue;
		}
		fitting[i].certificate = NULL;
		without++;
	}
	if (without > 0)
		log_warning("what the certificates of %zu keys say can't be told to the agent",
			without);
	return taken;
}

static bool too_long(const char *text)
{
	return text != NULL && strnlen(text, FRAME_TEXT_MAX + 1) > FRAME_TEXT_MAX;
}

static void complain_of_token(const struct ks_token *token)
{
	if (too_long(token->label) || too_long(token->serial) || too_long(token->model) ||
		too_long(token->location))
		log_warning("token %u: a text of over %d bytes is cut", token->id, FRAME_TEXT_MAX);
	if ((token->flags & ~(uint32_t)TOKEN_FLAGS_KNOWN) != 0)
		log_warning("token %u: flags that are not known here are left out", token->id);
}

void ks_token_is(struct ks_worker *worker, const struct ks_token *token, const struct ks_key *keys,
	size_t count)
{
	size_t most = count < FRAME_KEYS_MAX ? count : FRAME_KEYS_MAX;
	struct frame frame = {.type = FRAME_TOKEN, .token = {.token = *token}};

	complain_of_token(token);
	frame.token.token.flags &= TOKEN_FLAGS_KNOWN;
	if (token->tries_left < 0)
		frame.token.token.tries_left = KS_TRIES_UNKNOWN;
	frame.token.keys = calloc(most + 1, sizeof(*frame.token.keys));
	if (frame.token.keys != NULL)
		frame.token.count = take_fitting(frame.token.keys, keys, count);
	if (frame.token.count < count)
		log_warning("token %u: only %zu of its %zu keys can be told to the agent",
			token->id, frame.token.count, count);
	if (channel_send(&worker->channel, &frame) != KS_OK)
		log_error("no memory to tell the agent of token %u", token->id);
	free(frame.token.keys);
}

/* What is too long to be told is left out. */
static struct bytes attestation(struct bytes der)
{
	return der.len <= KS_ATTESTATION_MAX ? der : BYTES(NULL, 0);
}

void ks_card_is(struct ks_worker *worker, uint32_t token, const struct ks_card *card)
{
	struct ks_key_facts keys[KS_KEY_FACTS_MAX];
	struct frame frame = {.type = FRAME_CARD,
		.card = {.token = token,
			.firmware = bytes_of(card->firmware),
			.serial = bytes_of(card->serial),
			.intermediate = attestation(card->intermediate),
			.keys = keys}};

	for (size_t i = 0; i < card->count && i < KS_KEY_FACTS_MAX; i++) {
		keys[i] = card->keys[i];
		keys[i].attestation = attestation(keys[i].attestation);
		frame.card.count++;
	}
	if (channel_send(&worker->channel, &frame) != KS_OK)
		log_error("no memory to tell the agent of the card of token %u", token);
}

void ks_token_gone(struct ks_worker *worker, uint32_t token)
{
	const struct frame frame = {.type = FRAME_TOKEN_GONE, .gone = {.token = token}};

	if (channel_send(&worker->channel, &frame) != KS_OK)
		log_error("no memory to tell the agent that token %u has gone", token);
}
