/*
 * Frames from structs to bytes: each body is written like a form, field by field, in
 * the order in which frame_decode.c reads it.
 */
#include <string.h>

#include <keystile/frame.h>

/*
 * Text that the other end acts on: too long or with a NUL inside, it would be refused
 * there, so the frame is not sent.
 */
static void put_exact_text(struct buf *out, struct bytes text)
{
	if (text.len > FRAME_TEXT_MAX || (text.len > 0 && memchr(text.data, '\0', text.len)))
		out->failed = true;
	buf_put_string(out, text);
}

/* Text that is only shown: cut where it is too long or ends early. */
static void put_shown_text(struct buf *out, struct bytes text)
{
	const uint8_t *nul = text.len > 0 ? memchr(text.data, '\0', text.len) : NULL;

	if (nul)
		text.len = (size_t)(nul - text.data);
	if (text.len > FRAME_TEXT_MAX)
		text.len = FRAME_TEXT_MAX;
	buf_put_string(out, text);
}

static void put_certificate(const struct ks_certificate *certificate, struct buf *out)
{
	if (!frame_certificate_fits(certificate)) {
		out->failed = true;
		return;
	}
	buf_put_text(out, certificate->subject);
	buf_put_text(out, certificate->issuer);
	buf_put_text(out, certificate->issuer_name);
	buf_put_text(out, certificate->usages);
	buf_put_u64(out, certificate->not_before);
	buf_put_u64(out, certificate->not_after);
	buf_put_u32(out, certificate->others);
}

static void put_key(const struct ks_key *key, struct buf *out)
{
	buf_put_string(out, key->blob);
	put_shown_text(out, bytes_of(key->label));
	buf_put_u32(out, key->flags);
	if (key->id != NULL && !frame_id_fits(key->id))
		out->failed = true;
	buf_put_text(out, key->id);
	buf_put_bool(out, key->certificate != NULL);
	if (key->certificate != NULL)
		put_certificate(key->certificate, out);
}

static void put_token(const struct frame *frame, struct buf *out)
{
	const struct ks_token *token = &frame->token.token;

	if (frame->token.count > FRAME_KEYS_MAX) {
		out->failed = true;
		return;
	}
	buf_put_u32(out, token->id);
	put_shown_text(out, bytes_of(token->label));
	put_shown_text(out, bytes_of(token->serial));
	put_shown_text(out, bytes_of(token->model));
	put_shown_text(out, bytes_of(token->location));
	buf_put_u32(out, token->flags);
	buf_put_u32(out, (uint32_t)token->tries_left);
	buf_put_u32(out, (uint32_t)frame->token.count);
	for (size_t i = 0; i < frame->token.count; i++)
		put_key(&frame->token.keys[i], out);
}

static void put_card(const struct frame_card *card, struct buf *out)
{
	if (card->count > KS_KEY_FACTS_MAX) {
		out->failed = true;
		return;
	}
	buf_put_u32(out, card->token);
	put_shown_text(out, card->firmware);
	put_shown_text(out, card->serial);
	buf_put_string(out, card->intermediate);
	buf_put_u32(out, (uint32_t)card->count);
	for (size_t i = 0; i < card->count; i++) {
		const struct ks_key_facts *key = &card->keys[i];

		buf_put_string(out, key->blob);
		buf_put_u8(out, key->slot);
		buf_put_u8(out, key->pin);
		buf_put_u8(out, key->touch);
		buf_put_u8(out, key->origin);
		buf_put_string(out, key->attestation);
	}
}

static void put_from_agent(const struct frame *frame, struct buf *out)
{
	switch (frame->type) {
	case FRAME_LOCATE:
		buf_put_u32(out, frame->locate.timeout_ms);
		put_exact_text(out, frame->locate.provider);
		return;
	case FRAME_OPEN:
		buf_put_u32(out, frame->open.timeout_ms);
		buf_put_string(out, frame->open.grants);
		return;
	case FRAME_LIST:
	case FRAME_LOGIN:
	case FRAME_ADD:
		buf_put_u32(out, frame->plain.timeout_ms);
		return;
	case FRAME_SIGN:
		buf_put_u32(out, frame->sign.timeout_ms);
		buf_put_u32(out, frame->sign.token);
		buf_put_u32(out, frame->sign.algorithm);
		buf_put_u32(out, frame->sign.demand);
		buf_put_bool(out, frame->sign.remote);
		buf_put_string(out, frame->sign.blob);
		buf_put_string(out, frame->sign.data);
		return;
	case FRAME_RELEASE:
		buf_put_u32(out, frame->release.timeout_ms);
		buf_put_u32(out, frame->release.token);
		return;
	case FRAME_REMOVE:
		buf_put_u32(out, frame->remove.timeout_ms);
		buf_put_string(out, frame->remove.blob);
		return;
	case FRAME_ADMINISTER:
		buf_put_u32(out, frame->administer.timeout_ms);
		buf_put_string(out, frame->administer.request);
		buf_put_bool(out, frame->administer.with_secret);
		return;
	case FRAME_PIN_ANSWER:
	case FRAME_TOUCH_ANSWER:
		buf_put_u32(out, frame->answer.verdict);
		return;
	case FRAME_CANCEL:
	case FRAME_QUIT:
		return;
	default:
		out->failed = true;
	}
}

static void put_from_worker(const struct frame *frame, struct buf *out)
{
	switch (frame->type) {
	case FRAME_DONE:
		buf_put_u32(out, frame->done.error);
		put_shown_text(out, frame->done.words);
		buf_put_string(out, frame->done.result);
		return;
	case FRAME_TOKEN:
		put_token(frame, out);
		return;
	case FRAME_CARD:
		put_card(&frame->card, out);
		return;
	case FRAME_TOKEN_GONE:
	case FRAME_TOUCH_AWAITED:
	case FRAME_WAITS:
		buf_put_u32(out, frame->gone.token);
		return;
	case FRAME_ASK_PIN:
		buf_put_u32(out, frame->ask_pin.token);
		buf_put_u32(out, (uint32_t)frame->ask_pin.tries_left);
		buf_put_u32(out, frame->ask_pin.flags);
		buf_put_bool(out, frame->ask_pin.retry);
		return;
	case FRAME_PRESENCE:
		buf_put_u32(out, frame->presence.presence);
		return;
	case FRAME_PROGRESS:
		put_shown_text(out, frame->text.text);
		return;
	case FRAME_LOG:
		buf_put_u32(out, frame->text.level);
		put_shown_text(out, frame->text.text);
		return;
	case FRAME_CONFINED:
		buf_put_u32(out, frame->confined.landlock);
		buf_put_bool(out, frame->confined.filtered);
		buf_put_bool(out, frame->confined.brokered);
		put_shown_text(out, frame->confined.lacking);
		return;
	case FRAME_DENIED:
		buf_put_bool(out, frame->denied.writes);
		put_shown_text(out, frame->denied.path);
		return;
	case FRAME_TOUCH_OVER:
	case FRAME_MEMORY:
		return;
	default:
		out->failed = true;
	}
}

static void put_hello(const struct frame *frame, struct buf *out)
{
	buf_put_u32(out, frame->hello.version);
	put_exact_text(out, frame->hello.name);
	buf_put_u32(out, frame->hello.parallel);
	buf_put_u32(out, frame->hello.log_level);
}

void frame_encode(const struct frame *frame, struct buf *out)
{
	size_t opened = buf_open_string(out);

	buf_put_u8(out, (uint8_t)frame->type);
	buf_put_u32(out, frame->operation);
	if (frame->type == FRAME_HELLO)
		put_hello(frame, out);
	else if (frame_from_agent(frame->type))
		put_from_agent(frame, out);
	else
		put_from_worker(frame, out);
	buf_close_string(out, opened);
	if (!out->failed && out->len - opened - FRAME_HEADER > FRAME_MAX)
		out->failed = true;
}
