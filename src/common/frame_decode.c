/*
 * Frames from bytes to structs, field by field, in the order in which frame_encode.c
 * writes them. The other end may be taken over by a hostile token: everything is
 * checked for its range here, once, and what is left over is an error.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/frame.h>
#include <keystile/log.h>

#define KEY_BYTES_MIN ((size_t)17) /* three empty strings, the flags, a bool */
#define PARALLEL_MAX 16
#define LANDLOCK_VERSION_MAX 1000
#define DEMAND_ALL (KS_PRESENCE_TOUCH | KS_PRESENCE_PIN)
#define PRESENCE_ALL (DEMAND_ALL | KS_PRESENCE_PIN_PAD)
#define TOKEN_FLAGS_ALL                                                                            \
	(KS_TOKEN_NEEDS_LOGIN | KS_TOKEN_LOGGED_IN | KS_TOKEN_PIN_PAD | KS_TOKEN_LAST_TRY |        \
		KS_TOKEN_PIN_BLOCKED | KS_TOKEN_NO_PIN | KS_TOKEN_SHARED)
#define KEY_FLAGS_ALL (KS_KEY_ALWAYS_PIN | KS_KEY_ALWAYS_TOUCH)

static uint32_t get_number(struct reader *in, uint32_t highest)
{
	uint32_t number = reader_u32(in);

	if (number <= highest)
		return number;
	in->failed = true;
	return 0;
}

static uint32_t get_timeout(struct reader *in)
{
	return get_number(in, INT_MAX);
}

static uint32_t get_bits(struct reader *in, uint32_t known)
{
	uint32_t bits = reader_u32(in);

	if ((bits & ~known) == 0)
		return bits;
	in->failed = true;
	return 0;
}

static bool get_bool(struct reader *in)
{
	uint8_t value = reader_u8(in);

	if (value > 1)
		in->failed = true;
	return value == 1;
}

static int32_t get_tries(struct reader *in)
{
	uint32_t raw = reader_u32(in);

	if (raw == (uint32_t)KS_TRIES_UNKNOWN)
		return KS_TRIES_UNKNOWN;
	if (raw <= INT32_MAX)
		return (int32_t)raw;
	in->failed = true;
	return KS_TRIES_UNKNOWN;
}

static struct bytes get_text(struct reader *in)
{
	struct bytes text = reader_string(in);

	if (text.len <= FRAME_TEXT_MAX && (text.len == 0 || !memchr(text.data, '\0', text.len)))
		return text;
	in->failed = true;
	return BYTES(NULL, 0);
}

/* The same as a copy; never NULL but on failure. */
static const char *get_owned_text(struct reader *in)
{
	struct bytes text = get_text(in);
	char *copy;

	if (in->failed)
		return NULL;
	copy = strndup(text.len > 0 ? (const char *)text.data : "", text.len);
	if (!copy)
		in->failed = true;
	return copy;
}

/* Never leaves one behind that is not whole, but on failure. */
static const struct ks_certificate *get_certificate(struct reader *in)
{
	struct ks_certificate *certificate = calloc(1, sizeof(*certificate));

	if (certificate == NULL) {
		in->failed = true;
		return NULL;
	}
	certificate->subject = get_owned_text(in);
	certificate->issuer = get_owned_text(in);
	certificate->issuer_name = get_owned_text(in);
	certificate->usages = get_owned_text(in);
	certificate->not_before = reader_u64(in);
	certificate->not_after = reader_u64(in);
	certificate->others = reader_u32(in);
	if (!in->failed && !frame_certificate_fits(certificate))
		in->failed = true;
	return certificate;
}

static void get_key(struct reader *in, struct ks_key *key)
{
	key->blob = reader_string(in);
	key->label = get_owned_text(in);
	key->flags = get_bits(in, KEY_FLAGS_ALL);
	key->id = get_owned_text(in);
	if (!in->failed && !frame_id_fits(key->id))
		in->failed = true;
	if (get_bool(in))
		key->certificate = get_certificate(in);
}

static void get_keys(struct reader *in, struct frame *frame)
{
	uint32_t count = get_number(in, FRAME_KEYS_MAX);

	if (in->failed || count > in->left / KEY_BYTES_MIN) {
		in->failed = true;
		return;
	}
	if (count == 0)
		return;
	frame->token.keys = calloc(count, sizeof(*frame->token.keys));
	if (!frame->token.keys) {
		in->failed = true;
		return;
	}
	frame->token.count = count;
	for (uint32_t i = 0; i < count && !in->failed; i++)
		get_key(in, &frame->token.keys[i]);
}

static void get_token(struct reader *in, struct frame *frame)
{
	struct ks_token *token = &frame->token.token;

	token->id = reader_u32(in);
	token->label = get_owned_text(in);
	token->serial = get_owned_text(in);
	token->model = get_owned_text(in);
	token->location = get_owned_text(in);
	token->flags = get_bits(in, TOKEN_FLAGS_ALL);
	token->tries_left = get_tries(in);
	get_keys(in, frame);
}

static uint8_t get_small(struct reader *in, unsigned count)
{
	uint8_t value = reader_u8(in);

	if (value >= count)
		in->failed = true;
	return value;
}

static struct bytes get_attestation(struct reader *in)
{
	struct bytes der = reader_string(in);

	if (der.len > KS_ATTESTATION_MAX)
		in->failed = true;
	return der;
}

static void get_card(struct reader *in, struct frame_card *card)
{
	uint32_t count;

	card->token = reader_u32(in);
	card->firmware = get_text(in);
	card->serial = get_text(in);
	card->intermediate = get_attestation(in);
	count = get_number(in, KS_KEY_FACTS_MAX);
	if (in->failed || count == 0)
		return;
	card->keys = calloc(count, sizeof(*card->keys));
	in->failed |= card->keys == NULL;
	for (; card->count < count && !in->failed; card->count++) {
		struct ks_key_facts *key = &card->keys[card->count];

		key->blob = reader_string(in);
		key->slot = reader_u8(in);
		key->pin = get_small(in, KS_PIN_POLICY_COUNT);
		key->touch = get_small(in, KS_TOUCH_POLICY_COUNT);
		key->origin = get_small(in, KS_ORIGIN_COUNT);
		key->attestation = get_attestation(in);
	}
}

static void get_from_agent(struct reader *in, struct frame *frame)
{
	switch (frame->type) {
	case FRAME_LOCATE:
		frame->locate.timeout_ms = get_timeout(in);
		frame->locate.provider = get_text(in);
		return;
	case FRAME_OPEN:
		frame->open.timeout_ms = get_timeout(in);
		frame->open.grants = reader_string(in);
		return;
	case FRAME_LIST:
	case FRAME_LOGIN:
	case FRAME_ADD:
		frame->plain.timeout_ms = get_timeout(in);
		return;
	case FRAME_SIGN:
		frame->sign.timeout_ms = get_timeout(in);
		frame->sign.token = reader_u32(in);
		frame->sign.algorithm = get_number(in, KS_ALGORITHM_COUNT - 1);
		frame->sign.demand = get_bits(in, DEMAND_ALL);
		frame->sign.remote = get_bool(in);
		frame->sign.blob = reader_string(in);
		frame->sign.data = reader_string(in);
		return;
	case FRAME_RELEASE:
		frame->release.timeout_ms = get_timeout(in);
		frame->release.token = reader_u32(in);
		return;
	case FRAME_REMOVE:
		frame->remove.timeout_ms = get_timeout(in);
		frame->remove.blob = reader_string(in);
		return;
	case FRAME_ADMINISTER:
		frame->administer.timeout_ms = get_timeout(in);
		frame->administer.request = reader_string(in);
		frame->administer.with_secret = get_bool(in);
		return;
	case FRAME_PIN_ANSWER:
	case FRAME_TOUCH_ANSWER:
		frame->answer.verdict = get_number(in, KS_ERROR_COUNT - 1);
		return;
	case FRAME_CANCEL:
	case FRAME_QUIT:
		return;
	default:
		in->failed = true;
	}
}

static void get_from_worker(struct reader *in, struct frame *frame)
{
	switch (frame->type) {
	case FRAME_DONE:
		frame->done.error = get_number(in, KS_ERROR_COUNT - 1);
		frame->done.words = get_text(in);
		frame->done.result = reader_string(in);
		return;
	case FRAME_TOKEN:
		get_token(in, frame);
		return;
	case FRAME_CARD:
		get_card(in, &frame->card);
		return;
	case FRAME_TOKEN_GONE:
	case FRAME_TOUCH_AWAITED:
	case FRAME_WAITS:
		frame->gone.token = reader_u32(in);
		return;
	case FRAME_ASK_PIN:
		frame->ask_pin.token = reader_u32(in);
		frame->ask_pin.tries_left = get_tries(in);
		frame->ask_pin.flags = get_bits(in, TOKEN_FLAGS_ALL);
		frame->ask_pin.retry = get_bool(in);
		return;
	case FRAME_PRESENCE:
		frame->presence.presence = get_bits(in, PRESENCE_ALL);
		return;
	case FRAME_PROGRESS:
		frame->text.text = get_text(in);
		return;
	case FRAME_LOG:
		frame->text.level = get_number(in, LOG_LEVEL_DEBUG);
		frame->text.text = get_text(in);
		return;
	case FRAME_CONFINED:
		frame->confined.landlock = get_number(in, LANDLOCK_VERSION_MAX);
		frame->confined.filtered = get_bool(in);
		frame->confined.brokered = get_bool(in);
		frame->confined.lacking = get_text(in);
		return;
	case FRAME_DENIED:
		frame->denied.writes = get_bool(in);
		frame->denied.path = get_text(in);
		return;
	case FRAME_TOUCH_OVER:
	case FRAME_MEMORY:
		return;
	default:
		in->failed = true;
	}
}

/*
 * Of a hello in another version nothing but the version is understood; it is for the
 * receiver to say that the two programs do not belong together.
 */
static void get_hello(struct reader *in, struct frame *frame)
{
	frame->hello.version = reader_u32(in);
	if (!in->failed && frame->hello.version != FRAME_VERSION) {
		reader_raw(in, in->left);
		return;
	}
	frame->hello.name = get_text(in);
	frame->hello.parallel = get_number(in, PARALLEL_MAX);
	frame->hello.log_level = get_number(in, LOG_LEVEL_DEBUG);
}

/* Hello and quit belong to no operation; what a worker says of itself may belong to none. */
static bool operation_fits(const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_HELLO:
	case FRAME_QUIT:
		return frame->operation == 0;
	case FRAME_TOKEN:
	case FRAME_TOKEN_GONE:
	case FRAME_CARD:
	case FRAME_LOG:
	case FRAME_DENIED:
		return true;
	default:
		return frame->operation != 0;
	}
}

enum ks_error frame_decode(struct bytes body, struct frame *frame)
{
	struct reader in = reader_of(body);
	enum ks_error error;

	*frame = (struct frame){0};
	if (body.len > FRAME_MAX)
		return KS_BAD_INPUT;
	frame->type = reader_u8(&in);
	frame->operation = reader_u32(&in);
	if (!operation_fits(frame))
		in.failed = true;
	else if (frame->type == FRAME_HELLO)
		get_hello(&in, frame);
	else if (frame_from_agent(frame->type))
		get_from_agent(&in, frame);
	else
		get_from_worker(&in, frame);
	error = reader_end(&in);
	if (error != KS_OK)
		frame_deinit(frame);
	return error;
}
