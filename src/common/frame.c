/*
 * What is known of a frame besides its bytes: its name, who may send it, whether a
 * descriptor comes with it, and what a decoded one owns.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/frame.h>

enum direction { FROM_AGENT = 1, FROM_WORKER = 2 };

struct frame_kind {
	const char *name;
	unsigned directions; /* 0: no such type */
};

static struct frame_kind frame_kind(enum frame_type type)
{
	static const struct frame_kind kinds[] = {
		[FRAME_HELLO] = {"hello", FROM_AGENT | FROM_WORKER},
		[FRAME_LOCATE] = {"locate", FROM_AGENT},
		[FRAME_OPEN] = {"open", FROM_AGENT},
		[FRAME_LIST] = {"list", FROM_AGENT},
		[FRAME_LOGIN] = {"login", FROM_AGENT},
		[FRAME_SIGN] = {"sign", FROM_AGENT},
		[FRAME_RELEASE] = {"release", FROM_AGENT},
		[FRAME_ADMINISTER] = {"administer", FROM_AGENT},
		[FRAME_CANCEL] = {"cancel", FROM_AGENT},
		[FRAME_PIN_ANSWER] = {"pin answer", FROM_AGENT},
		[FRAME_TOUCH_ANSWER] = {"touch answer", FROM_AGENT},
		[FRAME_QUIT] = {"quit", FROM_AGENT},
		[FRAME_ADD] = {"add", FROM_AGENT},
		[FRAME_REMOVE] = {"remove", FROM_AGENT},
		[FRAME_DONE] = {"done", FROM_WORKER},
		[FRAME_TOKEN] = {"token", FROM_WORKER},
		[FRAME_TOKEN_GONE] = {"token gone", FROM_WORKER},
		[FRAME_ASK_PIN] = {"ask pin", FROM_WORKER},
		[FRAME_TOUCH_AWAITED] = {"touch awaited", FROM_WORKER},
		[FRAME_TOUCH_OVER] = {"touch over", FROM_WORKER},
		[FRAME_PRESENCE] = {"presence", FROM_WORKER},
		[FRAME_PROGRESS] = {"progress", FROM_WORKER},
		[FRAME_LOG] = {"log", FROM_WORKER},
		[FRAME_CONFINED] = {"confined", FROM_WORKER},
		[FRAME_MEMORY] = {"memory", FROM_WORKER},
		[FRAME_DENIED] = {"denied", FROM_WORKER},
		[FRAME_WAITS] = {"waits", FROM_WORKER},
		[FRAME_CARD] = {"card", FROM_WORKER},
	};

	if ((size_t)type >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[type].name)
		return (struct frame_kind){.name = "unknown"};
	return kinds[type];
}

const char *frame_type_name(enum frame_type type)
{
	return frame_kind(type).name;
}

bool frame_from_worker(enum frame_type type)
{
	return frame_kind(type).directions & FROM_WORKER;
}

bool frame_from_agent(enum frame_type type)
{
	return frame_kind(type).directions & FROM_AGENT;
}

bool frame_has_fd(const struct frame *frame)
{
	return frame->type == FRAME_LOGIN || frame->type == FRAME_ADD ||
	       (frame->type == FRAME_ADMINISTER && frame->administer.with_secret) ||
	       frame->type == FRAME_MEMORY ||
	       (frame->type == FRAME_CONFINED && frame->confined.brokered) ||
	       (frame->type == FRAME_PIN_ANSWER && frame->answer.verdict == KS_OK);
}

bool frame_id_fits(const char *id)
{
	return strlen(id) <= KS_ID_MAX && id[strspn(id, "0123456789abcdef")] == '\0';
}

static bool is_shown_text(const char *text)
{
	size_t len = 0;

	for (; text[len] != '\0'; len++)
		if ((unsigned char)text[len] < ' ' || text[len] == 0x7f ||
			len == KS_CERTIFICATE_TEXT_MAX)
			return false;
	return true;
}

bool frame_certificate_fits(const struct ks_certificate *certificate)
{
	const char *usages = certificate->usages;

	return is_shown_text(certificate->subject) && is_shown_text(certificate->issuer) &&
	       is_shown_text(certificate->issuer_name) && strlen(usages) <= KS_USAGES_MAX &&
	       usages[strspn(usages, "0123456789.,")] == '\0' &&
	       certificate->not_before <= KS_TIME_MAX && certificate->not_after <= KS_TIME_MAX;
}

/* The structs of backend.h borrow their texts; those of a decoded frame are its own. */
static void free_owned(const char *text)
{
	union {
		const char *borrowed;
		char *owned;
	} same = {.borrowed = text};

	free(same.owned);
}

static void free_certificate(const struct ks_certificate *certificate)
{
	union {
		const struct ks_certificate *borrowed;
		struct ks_certificate *owned;
	} same = {.borrowed = certificate};

	if (certificate == NULL)
		return;
	free_owned(certificate->subject);
	free_owned(certificate->issuer);
	free_owned(certificate->issuer_name);
	free_owned(certificate->usages);
	free(same.owned);
}

static void free_key(const struct ks_key *key)
{
	free_owned(key->label);
	free_owned(key->id);
	free_certificate(key->certificate);
}

void frame_deinit(struct frame *frame)
{
	if (frame->type == FRAME_TOKEN) {
		free_owned(frame->token.token.label);
		free_owned(frame->token.token.serial);
		free_owned(frame->token.token.model);
		free_owned(frame->token.token.location);
		for (size_t i = 0; i < frame->token.count; i++)
			free_key(&frame->token.keys[i]);
		free(frame->token.keys);
	}
	if (frame->type == FRAME_CARD)
		free(frame->card.keys);
	*frame = (struct frame){0};
}
