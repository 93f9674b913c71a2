/*
 * Frames between the agent and its workers: what one end writes the other reads, and
 * nothing else is taken.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>

#include "frame_specimens.h"
#include "test.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BODY 5 /* type and operation stand before it */

static void encode(const struct frame *frame, struct buf *out)
{
	frame_encode(frame, out);
	assert_int_equal(buf_status(out), KS_OK);
}

/* Without the length field, as frame_decode() takes it. */
static struct bytes behind_length(const struct buf *buf)
{
	return BYTES(buf->data + FRAME_HEADER, buf->len - FRAME_HEADER);
}

static const struct frame *specimen(enum frame_type type)
{
	for (size_t i = 0; i < FRAME_SPECIMEN_COUNT; i++)
		if (frame_specimens[i].type == type)
			return &frame_specimens[i];
	fail_msg("no specimen of %s", frame_type_name(type));
	return NULL;
}

/* Memory of the exact size, so that a sanitizer sees one byte too far. */
static enum ks_error decode_exact(struct bytes bytes)
{
	uint8_t *exact = malloc(bytes.len + !bytes.len);
	struct frame frame;
	enum ks_error error;

	assert_non_null(exact);
	if (bytes.len > 0)
		memcpy(exact, bytes.data, bytes.len);
	error = frame_decode(BYTES(exact, bytes.len), &frame);
	if (error == KS_OK)
		frame_deinit(&frame);
	free(exact);
	return error;
}

static void every_type_has_a_specimen(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++)
		if (frame_from_agent(type) || frame_from_worker(type))
			assert_int_equal(specimen(type)->type, type);
}

static void every_frame_comes_back_as_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < FRAME_SPECIMEN_COUNT; i++) {
		AUTO(buf) first = {0}, second = {0};
		struct frame frame;
		struct reader in;

		encode(&frame_specimens[i], &first);
		in = reader_of(buf_bytes(&first));
		assert_int_equal(reader_u32(&in), first.len - FRAME_HEADER);
		assert_int_equal(frame_decode(behind_length(&first), &frame), KS_OK);
		assert_int_equal(frame.type, frame_specimens[i].type);
		assert_true(frame.operation == frame_specimens[i].operation);
		encode(&frame, &second);
		assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
		frame_deinit(&frame);
	}
}

static void each_field_arrives_where_it_belongs(void **state)
{
	AUTO(buf) buf = {0};
	struct frame frame;

	(void)state;
	encode(specimen(FRAME_SIGN), &buf);
	assert_int_equal(frame_decode(behind_length(&buf), &frame), KS_OK);
	assert_int_equal(frame.sign.timeout_ms, 5000);
	assert_int_equal(frame.sign.token, 77);
	assert_int_equal(frame.sign.algorithm, KS_ALGORITHM_RSA_SHA512);
	assert_int_equal(frame.sign.demand, KS_PRESENCE_TOUCH | KS_PRESENCE_PIN);
	assert_true(frame.sign.remote);
	assert_true(bytes_equal(frame.sign.blob, BYTES((const uint8_t *)"a\0key", 5)));
	assert_true(bytes_equal(frame.sign.data, BYTES((const uint8_t *)"some\0data", 9)));
	frame_deinit(&frame);

	buf_clear(&buf);
	encode(specimen(FRAME_ASK_PIN), &buf);
	assert_int_equal(frame_decode(behind_length(&buf), &frame), KS_OK);
	assert_int_equal(frame.ask_pin.token, 81);
	assert_int_equal(frame.ask_pin.tries_left, KS_TRIES_UNKNOWN);
	assert_int_equal(frame.ask_pin.flags, KS_TOKEN_PIN_PAD);
	assert_true(frame.ask_pin.retry);
	frame_deinit(&frame);
}

static void a_decoded_token_owns_its_texts(void **state)
{
	AUTO(buf) buf = {0};
	struct frame frame;

	(void)state;
	encode(specimen(FRAME_TOKEN), &buf);
	assert_int_equal(frame_decode(behind_length(&buf), &frame), KS_OK);
	assert_int_equal(frame.token.count, 2);
	assert_true(bytes_equal(frame.token.keys[0].blob, specimen_keys[0].blob));
	assert_int_equal(frame.token.keys[0].flags, KS_KEY_ALWAYS_PIN);
	memset(buf.data, 'x', buf.len);
	assert_string_equal(frame.token.token.label, "label");
	assert_string_equal(frame.token.token.serial, "serial");
	assert_string_equal(frame.token.token.model, "model");
	assert_string_equal(frame.token.token.location, "reader 0");
	assert_string_equal(frame.token.keys[0].label, "first key");
	assert_string_equal(frame.token.keys[0].id, "01af");
	assert_string_equal(frame.token.keys[0].certificate->subject, "ada@example.org");
	assert_string_equal(frame.token.keys[0].certificate->issuer, "CN=Cards,O=Example");
	assert_string_equal(frame.token.keys[0].certificate->issuer_name, "Cards");
	assert_string_equal(frame.token.keys[0].certificate->usages, specimen_certificate.usages);
	assert_int_equal(frame.token.keys[0].certificate->not_before, 1700000000);
	assert_int_equal(frame.token.keys[0].certificate->not_after, KS_TIME_MAX);
	assert_int_equal(frame.token.keys[0].certificate->others, 1);
	assert_string_equal(frame.token.keys[1].label, "");
	assert_string_equal(frame.token.keys[1].id, "");
	assert_null(frame.token.keys[1].certificate);
	assert_int_equal(frame.token.token.tries_left, 1);
	frame_deinit(&frame);
	assert_null(frame.token.keys);
}

static void the_bytes_are_those_of_the_protocol(void **state)
{
	static const char ask[] = "\0\0\0\x12\x23\0\0\0\x0d\0\0\0\x51\xff\xff\xff\xff\0\0\0\4\1";
	AUTO(buf) buf = {0};

	(void)state;
	encode(specimen(FRAME_ASK_PIN), &buf);
	assert_int_equal(buf.len, sizeof(ask) - 1);
	assert_memory_equal(buf.data, ask, sizeof(ask) - 1);
}

static void no_frame_is_taken_that_ends_early(void **state)
{
	(void)state;
	for (size_t i = 0; i < FRAME_SPECIMEN_COUNT; i++) {
		AUTO(buf) buf = {0};
		struct bytes whole;

		encode(&frame_specimens[i], &buf);
		whole = behind_length(&buf);
		for (size_t len = 0; len < whole.len; len++)
			assert_int_equal(decode_exact(BYTES(whole.data, len)), KS_BAD_INPUT);
		assert_int_equal(decode_exact(whole), KS_OK);
	}
}

static void no_frame_is_taken_with_something_left_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < FRAME_SPECIMEN_COUNT; i++) {
		AUTO(buf) buf = {0};

		encode(&frame_specimens[i], &buf);
		buf_put_u8(&buf, 0);
		assert_int_equal(decode_exact(behind_length(&buf)), KS_BAD_INPUT);
	}
}

static void no_field_is_taken_out_of_its_range(void **state)
{
	static const struct {
		enum frame_type type;
		size_t offset; /* in the body */
		uint32_t highest, too_much;
	} table[] = {
		{FRAME_HELLO, 8, 16, 17},		  /* parallel */
		{FRAME_HELLO, 12, 3, 4},		  /* log level */
		{FRAME_LOCATE, 0, INT32_MAX, 0x80000000}, /* time-out */
		{FRAME_OPEN, 0, INT32_MAX, 0x80000000},	  /* time-out */
		{FRAME_LIST, 0, INT32_MAX, 0xffffffff},	  /* time-out */
		{FRAME_LOGIN, 0, INT32_MAX, 0x80000000},  /* time-out */
		{FRAME_SIGN, 0, INT32_MAX, 0x80000000},	  /* time-out */
		{FRAME_SIGN, 8, KS_ALGORITHM_COUNT - 1, KS_ALGORITHM_COUNT},
		{FRAME_SIGN, 12, 3, 4},			   /* demand */
		{FRAME_RELEASE, 0, INT32_MAX, 0x80000000}, /* time-out */
		{FRAME_ADMINISTER, 0, INT32_MAX, 0x80000000}, {FRAME_ADD, 0, INT32_MAX, 0x80000000},
		{FRAME_REMOVE, 0, INT32_MAX, 0x80000000},
		{FRAME_PIN_ANSWER, 0, KS_ERROR_COUNT - 1, KS_ERROR_COUNT},
		{FRAME_TOUCH_ANSWER, 0, KS_ERROR_COUNT - 1, 0xffffffff},
		{FRAME_DONE, 0, KS_ERROR_COUNT - 1, KS_ERROR_COUNT},
		{FRAME_TOKEN, 44, 127, 128},			 /* flags */
		{FRAME_TOKEN, 48, INT32_MAX, 0x80000000},	 /* tries left */
		{FRAME_TOKEN, 48, 0xffffffff, 0xfffffffe},	 /* -1, -2 */
		{FRAME_TOKEN, 52, 2, 3},			 /* number of keys */
		{FRAME_CARD, 36, 2, 25},			 /* number of keys */
		{FRAME_TOKEN, 83, 3, 4},			 /* flags of the first key */
		{FRAME_ASK_PIN, 4, 0xffffffff, 0xfffffffe},	 /* tries left */
		{FRAME_ASK_PIN, 8, 127, 128},			 /* flags */
		{FRAME_PRESENCE, 0, 7, 8}, {FRAME_LOG, 0, 3, 4}, /* level */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		AUTO(buf) buf = {0}, number = {0};
		uint8_t *field;

		encode(specimen(table[i].type), &buf);
		field = buf.data + FRAME_HEADER + BODY + table[i].offset;
		buf_put_u32(&number, table[i].highest);
		buf_put_u32(&number, table[i].too_much);
		memcpy(field, number.data, 4);
		assert_int_equal(decode_exact(behind_length(&buf)), KS_OK);
		memcpy(field, number.data + 4, 4);
		assert_int_equal(decode_exact(behind_length(&buf)), KS_BAD_INPUT);
	}
}

static void a_bool_is_nothing_but_zero_or_one(void **state)
{
	AUTO(buf) buf = {0};

	(void)state;
	encode(specimen(FRAME_ASK_PIN), &buf);
	for (unsigned value = 0; value < 256; value++) {
		buf.data[buf.len - 1] = (uint8_t)value;
		assert_int_equal(
			decode_exact(behind_length(&buf)), value <= 1 ? KS_OK : KS_BAD_INPUT);
	}
}

static void types_that_nobody_knows_are_refused(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		uint8_t body[BODY] = {(uint8_t)type, 0, 0, 0, 1};
		struct frame frame = {.type = type, .operation = 1};
		AUTO(buf) buf = {0};

		if (frame_from_agent(type) || frame_from_worker(type))
			continue;
		assert_int_equal(decode_exact(BYTES(body, sizeof(body))), KS_BAD_INPUT);
		assert_string_equal(frame_type_name(type), "unknown");
		frame_encode(&frame, &buf);
		assert_int_equal(buf_status(&buf), KS_NO_MEMORY);
	}
}

static void only_frames_of_no_operation_have_number_zero(void **state)
{
	(void)state;
	for (size_t i = 0; i < FRAME_SPECIMEN_COUNT; i++) {
		enum frame_type type = frame_specimens[i].type;
		bool other = type != FRAME_HELLO && type != FRAME_QUIT;
		bool zero = !other || type == FRAME_TOKEN || type == FRAME_TOKEN_GONE ||
			    type == FRAME_CARD || type == FRAME_LOG || type == FRAME_DENIED;
		struct frame frame = frame_specimens[i];
		AUTO(buf) with_zero = {0}, with_other = {0};

		frame.operation = 0;
		encode(&frame, &with_zero);
		frame.operation = 1;
		encode(&frame, &with_other);
		assert_int_equal(
			decode_exact(behind_length(&with_zero)), zero ? KS_OK : KS_BAD_INPUT);
		assert_int_equal(
			decode_exact(behind_length(&with_other)), other ? KS_OK : KS_BAD_INPUT);
	}
}

static void texts_hold_no_nul_and_are_bounded(void **state)
{
	static const struct {
		enum frame_type type;
		size_t offset; /* of the text's length, in the body */
	} table[] = {
		{FRAME_HELLO, 4},
		{FRAME_LOCATE, 4},
		{FRAME_DONE, 4},
		{FRAME_TOKEN, 4},
		{FRAME_TOKEN, 13},
		{FRAME_TOKEN, 23},
		{FRAME_TOKEN, 32},
		{FRAME_TOKEN, 70},
		{FRAME_CARD, 4},
		{FRAME_CARD, 13},
		{FRAME_PROGRESS, 0},
		{FRAME_LOG, 4},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		for (uint32_t len = FRAME_TEXT_MAX; len <= FRAME_TEXT_MAX + 1; len++) {
			AUTO(buf) whole = {0}, changed = {0};
			struct bytes body;
			struct reader tail;
			size_t before = BODY + table[i].offset;
			uint8_t *text;

			encode(specimen(table[i].type), &whole);
			body = behind_length(&whole);
			tail = reader_of(BYTES(body.data + before, body.len - before));
			reader_string(&tail);
			assert_false(tail.failed);
			buf_put(&changed, BYTES(body.data, before));
			buf_put_u32(&changed, len);
			text = buf_reserve(&changed, len);
			assert_non_null(text);
			memset(text, 'x', len);
			changed.len += len;
			buf_put(&changed, BYTES(tail.data, tail.left));
			assert_int_equal(decode_exact(buf_bytes(&changed)),
				len <= FRAME_TEXT_MAX ? KS_OK : KS_BAD_INPUT);
			changed.data[before + 4 + 7] = '\0';
			assert_int_equal(decode_exact(buf_bytes(&changed)), KS_BAD_INPUT);
		}
	}
}

static void a_token_has_at_most_4096_keys(void **state)
{
	struct ks_key *keys = calloc(FRAME_KEYS_MAX + 1, sizeof(*keys));
	struct frame frame = *specimen(FRAME_TOKEN);
	AUTO(buf) buf = {0};

	(void)state;
	assert_non_null(keys);
	frame.token.keys = keys;
	frame.token.count = FRAME_KEYS_MAX;
	encode(&frame, &buf);
	assert_int_equal(decode_exact(behind_length(&buf)), KS_OK);
	buf.data[FRAME_HEADER + BODY + 55]++; /* the count's last byte */
	buf_put(&buf, BYTES((const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17));
	assert_int_equal(decode_exact(behind_length(&buf)), KS_BAD_INPUT);
	buf_clear(&buf);
	frame.token.count = FRAME_KEYS_MAX + 1;
	frame_encode(&frame, &buf);
	assert_int_equal(buf_status(&buf), KS_NO_MEMORY);
	free(keys);
}

static void a_number_of_keys_that_are_not_there_takes_no_memory(void **state)
{
	AUTO(buf) buf = {0};
	uint8_t *count;

	(void)state;
	encode(specimen(FRAME_TOKEN), &buf);
	count = buf.data + FRAME_HEADER + BODY + 52;
	memcpy(count, "\0\0\x10\0", 4);
	assert_int_equal(decode_exact(behind_length(&buf)), KS_BAD_INPUT);
	memcpy(count, "\xff\xff\xff\xff", 4);
	assert_int_equal(decode_exact(behind_length(&buf)), KS_BAD_INPUT);
}

static void a_hello_of_another_version_is_read_for_its_version(void **state)
{
	static const uint8_t body[] = "\1\0\0\0\0\0\0\0\2whatever version 2 says";
	struct frame frame;

	(void)state;
	assert_int_equal(frame_decode(BYTES(body, sizeof(body)), &frame), KS_OK);
	assert_int_equal(frame.hello.version, 2);
	assert_int_equal(frame.hello.name.len, 0);
	frame_deinit(&frame);
}

static void frames_are_at_most_512_kib(void **state)
{
	size_t room = FRAME_MAX - BODY - 9; /* type, operation, time-out, length, bool */
	uint8_t *much = calloc(1, room + 1);
	struct frame frame = {.type = FRAME_ADMINISTER, .operation = 1};
	AUTO(buf) buf = {0}, more = {0};

	(void)state;
	assert_non_null(much);
	frame.administer.request = BYTES(much, room);
	encode(&frame, &buf);
	assert_int_equal(decode_exact(behind_length(&buf)), KS_OK);
	frame.administer.request.len++;
	frame_encode(&frame, &more);
	assert_int_equal(buf_status(&more), KS_NO_MEMORY);
	free(much);
}

static void a_body_over_512_kib_is_not_even_read(void **state)
{
	AUTO(buf) buf = {0};

	(void)state;
	buf_put_u8(&buf, FRAME_ADMINISTER);
	buf_put_u32(&buf, 1);
	buf_put_u32(&buf, 1);
	buf_put_u32(&buf, FRAME_MAX - BODY - 7);
	assert_non_null(buf_reserve(&buf, FRAME_MAX));
	memset(buf.data + buf.len, 0, FRAME_MAX - BODY - 7);
	buf.len += FRAME_MAX - BODY - 7;
	assert_int_equal(buf.len, FRAME_MAX + 1);
	assert_int_equal(decode_exact(buf_bytes(&buf)), KS_BAD_INPUT);
}

static void texts_that_are_only_shown_are_cut(void **state)
{
	char label[FRAME_TEXT_MAX + 10];
	struct ks_key key = {.label = label};
	struct frame frame = {.type = FRAME_TOKEN}, log = *specimen(FRAME_LOG), decoded;
	AUTO(buf) buf = {0};

	(void)state;
	memset(label, 'l', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	frame.token.token.label = label;
	frame.token.keys = &key;
	frame.token.count = 1;
	encode(&frame, &buf);
	assert_int_equal(frame_decode(behind_length(&buf), &decoded), KS_OK);
	assert_int_equal(strlen(decoded.token.token.label), FRAME_TEXT_MAX);
	assert_int_equal(strlen(decoded.token.keys[0].label), FRAME_TEXT_MAX);
	assert_string_equal(decoded.token.token.serial, "");
	frame_deinit(&decoded);

	buf_clear(&buf);
	log.text.text = BYTES((const uint8_t *)"seen\0not", 8);
	encode(&log, &buf);
	assert_int_equal(frame_decode(behind_length(&buf), &decoded), KS_OK);
	assert_true(bytes_equal_text(decoded.text.text, "seen"));
	frame_deinit(&decoded);
}

static void names_that_are_acted_on_are_never_cut(void **state)
{
	static const uint8_t long_name[FRAME_TEXT_MAX + 1] = {'/'};
	struct frame frame = *specimen(FRAME_LOCATE);
	AUTO(buf) with_nul = {0}, too_long = {0};

	(void)state;
	frame.locate.provider = BYTES((const uint8_t *)"/usr\0/lib", 9);
	frame_encode(&frame, &with_nul);
	assert_int_equal(buf_status(&with_nul), KS_NO_MEMORY);
	frame.locate.provider = BYTES(long_name, sizeof(long_name));
	frame_encode(&frame, &too_long);
	assert_int_equal(buf_status(&too_long), KS_NO_MEMORY);
}

static void each_type_has_its_direction(void **state)
{
	(void)state;
	for (size_t i = 0; i < FRAME_SPECIMEN_COUNT; i++) {
		enum frame_type type = frame_specimens[i].type;

		assert_int_equal(frame_from_agent(type), type <= FRAME_REMOVE);
		assert_int_equal(
			frame_from_worker(type), type >= FRAME_DONE || type == FRAME_HELLO);
		assert_string_not_equal(frame_type_name(type), "unknown");
	}
	assert_string_equal(frame_type_name(FRAME_SIGN), "sign");
}

static void descriptors_come_where_the_protocol_says(void **state)
{
	struct frame granted = {.type = FRAME_PIN_ANSWER, .answer = {.verdict = KS_OK}};
	struct frame alone = {.type = FRAME_CONFINED, .confined = {.brokered = false}};

	(void)state;
	assert_true(frame_has_fd(&granted));
	assert_false(frame_has_fd(&alone));
	for (size_t i = 0; i < FRAME_SPECIMEN_COUNT; i++)
		assert_int_equal(frame_has_fd(&frame_specimens[i]),
			frame_specimens[i].type == FRAME_LOGIN ||
				frame_specimens[i].type == FRAME_ADD ||
				frame_specimens[i].type == FRAME_MEMORY ||
				frame_specimens[i].type == FRAME_CONFINED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_a_specimen),
		cmocka_unit_test(every_frame_comes_back_as_it_was),
		cmocka_unit_test(each_field_arrives_where_it_belongs),
		cmocka_unit_test(a_decoded_token_owns_its_texts),
		cmocka_unit_test(the_bytes_are_those_of_the_protocol),
		cmocka_unit_test(no_frame_is_taken_that_ends_early),
		cmocka_unit_test(no_frame_is_taken_with_something_left_over),
		cmocka_unit_test(no_field_is_taken_out_of_its_range),
		cmocka_unit_test(a_bool_is_nothing_but_zero_or_one),
		cmocka_unit_test(types_that_nobody_knows_are_refused),
		cmocka_unit_test(only_frames_of_no_operation_have_number_zero),
		cmocka_unit_test(texts_hold_no_nul_and_are_bounded),
		cmocka_unit_test(a_token_has_at_most_4096_keys),
		cmocka_unit_test(a_number_of_keys_that_are_not_there_takes_no_memory),
		cmocka_unit_test(a_hello_of_another_version_is_read_for_its_version),
		cmocka_unit_test(frames_are_at_most_512_kib),
		cmocka_unit_test(a_body_over_512_kib_is_not_even_read),
		cmocka_unit_test(texts_that_are_only_shown_are_cut),
		cmocka_unit_test(names_that_are_acted_on_are_never_cut),
		cmocka_unit_test(each_type_has_its_direction),
		cmocka_unit_test(descriptors_come_where_the_protocol_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
