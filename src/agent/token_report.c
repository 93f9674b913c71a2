/*
 * See token_report.h. Keys, certificates, blobs and texts lie in one piece of memory behind the
 * report.
 */
#include "token_report.h"

#include <stdlib.h>
#include <string.h>

#include "provider.h"

/* What is left of that memory for blobs and texts; when it is counted, at is NULL. */
struct room {
	char *at;
	size_t len;
};

static const char *put(struct room *room, const void *data, size_t len)
{
	char *copy = room->at;

	room->len += len + 1;
	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, data, len);
	copy[len] = '\0';
	room->at += len + 1;
	return copy;
}

static const char *put_text(struct room *room, const char *text)
{
	return put(room, text, text != NULL ? strlen(text) : 0);
}

static void put_certificate(
	struct room *room, const struct ks_certificate *from, struct ks_certificate *copy)
{
	*copy = *from;
	copy->subject = put_text(room, from->subject);
	copy->issuer = put_text(room, from->issuer);
	copy->issuer_name = put_text(room, from->issuer_name);
	copy->usages = put_text(room, from->usages);
}

static void put_key(struct room *room, const struct ks_key *from, struct ks_key *copy,
	struct ks_certificate *certificate)
{
	*copy = *from;
	copy->blob.data = (const uint8_t *)put(room, from->blob.data, from->blob.len);
	copy->label = put_text(room, from->label);
	copy->id = put_text(room, from->id);
	if (from->certificate == NULL)
		return;
	put_certificate(room, from->certificate, certificate);
	copy->certificate = certificate;
}

static size_t text_room(const struct ks_key *keys, size_t count)
{
	struct ks_certificate certificate;
	struct room room = {0};
	struct ks_key key;

	for (size_t i = 0; i < count; i++)
		put_key(&room, &keys[i], &key, &certificate);
	return room.len;
}

struct token_report *token_report_new(const struct ks_key *keys, size_t count)
{
	struct token_report *report;
	struct ks_certificate *certificates;
	struct room room;
	size_t left_out = count > PROVIDER_KEYS_MAX ? count - PROVIDER_KEYS_MAX : 0;

	count -= left_out;
	report = calloc(1, sizeof(*report) +
				   count * (sizeof(struct ks_key) + sizeof(*certificates)) +
				   text_room(keys, count));
	if (report == NULL)
		return NULL;
	report->keys = (struct ks_key *)(report + 1);
	report->count = count;
	report->left_out = left_out;
	certificates = (struct ks_certificate *)(report->keys + count);
	room = (struct room){.at = (char *)(certificates + count)};
	for (size_t i = 0; i < count; i++)
		put_key(&room, &keys[i], &report->keys[i], &certificates[i]);
	return report;
}

void token_report_free(struct token_report **report)
{
	free(*report);
	*report = NULL;
}

const struct ks_key *token_report_find(const struct token_report *report, struct bytes blob)
{
	for (size_t i = 0; report != NULL && i < report->count; i++)
		if (bytes_equal(report->keys[i].blob, blob))
			return &report->keys[i];
	return NULL;
}
