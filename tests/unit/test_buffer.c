/*
 * Buffers and readers: the types of RFC 4251 section 5, bounds, and sticky failure.
 */
#include <string.h>

#include <keystile/cleanup.h>

#include "test.h"

static void assert_bytes(struct bytes got, const char *expected, size_t len)
{
	assert_int_equal(got.len, len);
	if (len > 0)
		assert_memory_equal(got.data, expected, len);
}

static void numbers_are_put_highest_byte_first(void **state)
{
	struct buf buf = {0};

	(void)state;
	buf_put_u8(&buf, 0x01);
	buf_put_u32(&buf, 0x02030405);
	buf_put_u64(&buf, 0x060708090a0b0c0d);
	buf_put_bool(&buf, true);
	buf_put_bool(&buf, false);
	assert_bytes(buf_bytes(&buf), "\1\2\3\4\5\6\7\10\11\12\13\14\15\1\0", 15);
	assert_int_equal(buf_status(&buf), KS_OK);
	buf_deinit(&buf);
}

static void what_was_put_is_read_again(void **state)
{
	struct buf buf = {0};
	struct reader in;
	AUTO(text) text = NULL;

	(void)state;
	buf_put_u8(&buf, 200);
	buf_put_u32(&buf, 4000000000U);
	buf_put_u64(&buf, 18000000000000000000ULL);
	buf_put_bool(&buf, true);
	buf_put_string(&buf, BYTES((const uint8_t *)"a\0b", 3));
	buf_put_text(&buf, "text");
	buf_put_text(&buf, NULL);
	in = reader_of(buf_bytes(&buf));
	assert_int_equal(reader_u8(&in), 200);
	assert_true(reader_u32(&in) == 4000000000U);
	assert_true(reader_u64(&in) == 18000000000000000000ULL);
	assert_true(reader_bool(&in));
	assert_bytes(reader_string(&in), "a\0b", 3);
	text = reader_text(&in, 4);
	assert_string_equal(text, "text");
	assert_int_equal(reader_status(&in), KS_OK);
	assert_int_equal(reader_end(&in), KS_BAD_INPUT);
	assert_int_equal(reader_string(&in).len, 0);
	assert_int_equal(reader_end(&in), KS_OK);
	buf_deinit(&buf);
}

static void a_bool_is_true_for_any_byte_but_zero(void **state)
{
	struct reader in = reader_of(BYTES((const uint8_t *)"\0\1\2\377", 4));

	(void)state;
	assert_false(reader_bool(&in));
	assert_true(reader_bool(&in));
	assert_true(reader_bool(&in));
	assert_true(reader_bool(&in));
}

static void mpints_are_written_as_rfc_4251_shows_them(void **state)
{
	static const struct {
		const char *magnitude;
		size_t len;
		const char *wire;
		size_t wire_len;
	} table[] = {
		{"", 0, "\0\0\0\0", 4},
		{"\0\0", 2, "\0\0\0\0", 4},
		{"\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 8,
			"\0\0\0\x08\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 12},
		{"\x80", 1, "\0\0\0\2\0\x80", 6},
		{"\0\0\x7f", 3, "\0\0\0\1\x7f", 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct buf buf = {0};

		buf_put_mpint(&buf, BYTES((const uint8_t *)table[i].magnitude, table[i].len));
		assert_bytes(buf_bytes(&buf), table[i].wire, table[i].wire_len);
		buf_deinit(&buf);
	}
}

static void mpints_are_read_without_their_sign_byte(void **state)
{
	static const struct {
		const char *wire;
		size_t wire_len;
		size_t max;
		bool taken;
		const char *magnitude;
		size_t len;
	} table[] = {
		{"\0\0\0\0", 4, 1, true, "", 0},
		{"\0\0\0\2\0\x80", 6, 1, true, "\x80", 1},
		{"\0\0\0\3\0\0\x80", 7, 1, true, "\x80", 1},
		{"\0\0\0\2\1\x80", 6, 2, true, "\1\x80", 2},
		{"\0\0\0\2\1\x80", 6, 1, false, "", 0},
		{"\0\0\0\1\x80", 5, 8, false, "", 0},
		{"\0\0\0\2\1", 5, 8, false, "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct reader in =
			reader_of(BYTES((const uint8_t *)table[i].wire, table[i].wire_len));

		assert_bytes(reader_mpint(&in, table[i].max), table[i].magnitude, table[i].len);
		assert_int_equal(in.failed, !table[i].taken);
	}
}

static void text_may_end_in_one_nul_and_hold_no_other(void **state)
{
	static const struct {
		const char *wire;
		size_t len;
		size_t max;
		const char *text;
	} table[] = {
		{"\0\0\0\0", 4, 9, ""},
		{"\0\0\0\3abc", 7, 3, "abc"},
		{"\0\0\0\4abc\0", 8, 3, "abc"},
		{"\0\0\0\1\0", 5, 9, ""},
		{"\0\0\0\2\0\0", 6, 9, NULL},
		{"\0\0\0\3a\0c", 7, 9, NULL},
		{"\0\0\0\4abcd", 8, 3, NULL},
		{"\0\0\0\4abc", 7, 9, NULL},
		{"\0\0\0", 3, 9, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct reader in = reader_of(BYTES((const uint8_t *)table[i].wire, table[i].len));
		AUTO(text) text = reader_text(&in, table[i].max);

		assert_int_equal(in.failed, table[i].text == NULL);
		if (table[i].text)
			assert_string_equal(text, table[i].text);
		else
			assert_null(text);
	}
}

static void a_reader_that_failed_reads_nothing_more(void **state)
{
	struct reader in = reader_of(BYTES((const uint8_t *)"\0\0\0\5abcd\1", 9));

	(void)state;
	assert_int_equal(reader_string(&in).len, 5);
	assert_int_equal(reader_u8(&in), 0);
	assert_int_equal(reader_status(&in), KS_BAD_INPUT);

	in = reader_of(BYTES((const uint8_t *)"\0\0\0\6abcd\1", 9));
	assert_int_equal(reader_string(&in).len, 0);
	assert_int_equal(reader_u8(&in), 0);
	assert_int_equal(reader_u32(&in), 0);
	assert_int_equal(reader_raw(&in, 1).len, 0);
	assert_null(reader_text(&in, 9));
	assert_int_equal(reader_end(&in), KS_BAD_INPUT);
}

static void lengths_near_the_end_of_the_number_range_are_refused(void **state)
{
	struct reader in = reader_of(BYTES((const uint8_t *)"\377\377\377\377abc", 7));

	(void)state;
	assert_int_equal(reader_string(&in).len, 0);
	assert_true(in.failed);
	in = reader_of(BYTES((const uint8_t *)"abc", 3));
	assert_int_equal(reader_raw(&in, SIZE_MAX).len, 0);
	assert_true(in.failed);
}

static void a_buffer_never_grows_beyond_its_bound(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 10);
	buf_put(&buf, bytes_of("0123456789"));
	assert_int_equal(buf_status(&buf), KS_OK);
	assert_true(buf.cap <= 10);
	buf_put_u8(&buf, 0);
	assert_int_equal(buf_status(&buf), KS_NO_MEMORY);
	assert_bytes(buf_bytes(&buf), "0123456789", 10);
	assert_null(buf_reserve(&buf, SIZE_MAX));
	buf_deinit(&buf);

	buf_init(&buf, 0);
	assert_non_null(buf_reserve(&buf, BUF_MAX_DEFAULT));
	assert_null(buf_reserve(&buf, BUF_MAX_DEFAULT + 1));
	assert_int_equal(buf_status(&buf), KS_NO_MEMORY);
	buf_deinit(&buf);
}

static void a_failure_is_sticky_until_the_buffer_is_cleared(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	buf_put_u64(&buf, 1);
	buf_put_u8(&buf, 1);
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf_status(&buf), KS_NO_MEMORY);
	buf_clear(&buf);
	buf_put_u32(&buf, 1);
	assert_int_equal(buf_status(&buf), KS_OK);
	assert_int_equal(buf.max, 4);
	buf_deinit(&buf);
}

static void bytes_are_dropped_from_the_front_and_wiped(void **state)
{
	struct buf buf = {0};

	(void)state;
	buf_put(&buf, bytes_of("secret rest"));
	buf_consume(&buf, 7);
	assert_bytes(buf_bytes(&buf), "rest", 4);
	assert_memory_equal(buf.data + 4, "\0\0\0\0\0\0\0", 7);
	buf_consume(&buf, 100);
	assert_int_equal(buf.len, 0);
	assert_memory_equal(buf.data, "\0\0\0\0", 4);
	buf_put(&buf, bytes_of("more"));
	buf_clear(&buf);
	assert_memory_equal(buf.data, "\0\0\0\0", 4);
	buf_deinit(&buf);
	assert_null(buf.data);
	buf_deinit(&buf);
}

static void growing_keeps_what_is_there(void **state)
{
	struct buf buf = {0};

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		buf_put_u32(&buf, i);
	assert_int_equal(buf_status(&buf), KS_OK);
	for (uint32_t i = 0; i < 10000; i++) {
		struct reader in = reader_of(BYTES(buf.data + (size_t)i * 4, 4));

		assert_int_equal(reader_u32(&in), i);
	}
	buf_deinit(&buf);
}

static void an_open_string_gets_its_length_when_it_is_closed(void **state)
{
	struct buf buf = {0};
	size_t outer, inner;

	(void)state;
	buf_put_u8(&buf, 9);
	outer = buf_open_string(&buf);
	inner = buf_open_string(&buf);
	buf_put(&buf, bytes_of("abc"));
	buf_close_string(&buf, inner);
	buf_put_u8(&buf, 7);
	buf_close_string(&buf, outer);
	assert_bytes(buf_bytes(&buf), "\11\0\0\0\10\0\0\0\3abc\7", 13);
	buf_close_string(&buf, buf.len - 3);
	assert_int_equal(buf_status(&buf), KS_NO_MEMORY);
	buf_deinit(&buf);
}

static void closing_a_string_that_never_opened_touches_nothing(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 3);
	buf_close_string(&buf, buf_open_string(&buf));
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf_status(&buf), KS_NO_MEMORY);
	buf_deinit(&buf);
}

static void bytes_compare_by_content_and_length(void **state)
{
	(void)state;
	assert_true(bytes_equal(bytes_of(NULL), bytes_of("")));
	assert_true(bytes_equal_text(bytes_of("abc"), "abc"));
	assert_false(bytes_equal_text(bytes_of("abc"), "abd"));
	assert_false(bytes_equal_text(bytes_of("abc"), "abcd"));
	assert_true(bytes_equal_text(BYTES(NULL, 0), NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_put_highest_byte_first),
		cmocka_unit_test(what_was_put_is_read_again),
		cmocka_unit_test(a_bool_is_true_for_any_byte_but_zero),
		cmocka_unit_test(mpints_are_written_as_rfc_4251_shows_them),
		cmocka_unit_test(mpints_are_read_without_their_sign_byte),
		cmocka_unit_test(text_may_end_in_one_nul_and_hold_no_other),
		cmocka_unit_test(a_reader_that_failed_reads_nothing_more),
		cmocka_unit_test(lengths_near_the_end_of_the_number_range_are_refused),
		cmocka_unit_test(a_buffer_never_grows_beyond_its_bound),
		cmocka_unit_test(a_failure_is_sticky_until_the_buffer_is_cleared),
		cmocka_unit_test(bytes_are_dropped_from_the_front_and_wiped),
		cmocka_unit_test(growing_keeps_what_is_there),
		cmocka_unit_test(an_open_string_gets_its_length_when_it_is_closed),
		cmocka_unit_test(closing_a_string_that_never_opened_touches_nothing),
		cmocka_unit_test(bytes_compare_by_content_and_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
