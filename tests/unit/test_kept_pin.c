/*
 * PINs that are kept for a time: by a clock that the test turns, as nobody waits for minutes.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kept_pin.h"
#include "test.h"

#define MINUTES 10
#define TIME_MS (MINUTES * 60 * 1000)

static int64_t turned_ms; /* what the clock shows */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
	assert_int_equal(clock, CLOCK_BOOTTIME);
	out->tv_sec = (time_t)(turned_ms / 1000);
	out->tv_nsec = (long)(turned_ms % 1000) * 1000000;
	return 0;
}

void ks_explain(struct ks_operation *operation, const char *format, ...)
{
	(void)operation;
	(void)format;
}

struct bed {
	struct tokens tokens;
	struct fido_token first;
	struct fido_token second;
};

static void bed_init(struct bed *bed, uint32_t minutes)
{
	*bed = (struct bed){.tokens = {.pin_seconds = minutes * 60}};
	pthread_mutex_init(&bed->tokens.lock, NULL);
	bed->first.next = &bed->second;
	bed->tokens.first = &bed->first;
	turned_ms = 123456;
}

static void bed_deinit(struct bed *bed)
{
	secret_deinit(&bed->first.kept);
	secret_deinit(&bed->second.kept);
	pthread_mutex_destroy(&bed->tokens.lock);
}

static void keep(struct bed *bed, struct fido_token *token, const char *text)
{
	struct secret pin;

	assert_int_equal(secret_init(&pin, KS_PIN_MAX), KS_OK);
	memcpy(pin.data, text, strlen(text));
	pin.len = strlen(text);
	kept_pin_put(&bed->tokens, token, &pin);
	secret_deinit(&pin);
}

/* NULL: none is kept. */
static void assert_kept(struct bed *bed, struct fido_token *token, const char *text)
{
	struct secret pin;
	enum ks_error error = kept_pin_get(&bed->tokens, token, &pin);

	assert_int_equal(error, text == NULL ? KS_PIN_NEEDED : KS_OK);
	assert_int_equal(pin.len, text == NULL ? 0 : strlen(text));
	if (text != NULL)
		assert_memory_equal(pin.data, text, pin.len);
	secret_deinit(&pin);
}

static void one_is_kept_to_the_end_of_its_time_and_no_longer(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, MINUTES);
	keep(&bed, &bed.first, "1234");
	assert_kept(&bed, &bed.first, "1234");
	assert_kept(&bed, &bed.second, NULL);
	turned_ms += TIME_MS - 1;
	assert_kept(&bed, &bed.first, "1234");
	turned_ms += 1;
	assert_kept(&bed, &bed.first, NULL);
	turned_ms -= TIME_MS;
	assert_kept(&bed, &bed.first, NULL); /* gone for good */
	bed_deinit(&bed);
}

static void to_use_one_makes_it_last_no_longer_and_to_type_it_again_does(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, MINUTES);
	keep(&bed, &bed.first, "1234");
	turned_ms += TIME_MS / 2;
	assert_kept(&bed, &bed.first, "1234");
	keep(&bed, &bed.second, "5678");
	turned_ms += TIME_MS / 2;
	assert_kept(&bed, &bed.first, NULL);
	assert_kept(&bed, &bed.second, "5678");
	keep(&bed, &bed.first, "123456");
	turned_ms += TIME_MS / 2;
	assert_kept(&bed, &bed.first, "123456");
	assert_kept(&bed, &bed.second, NULL);
	bed_deinit(&bed);
}

static void nobody_has_to_ask_for_one_that_is_to_be_wiped(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, MINUTES);
	assert_int_equal(kept_pins_expire(&bed.tokens), -1);
	keep(&bed, &bed.first, "1234");
	turned_ms += 1000;
	keep(&bed, &bed.second, "5678");
	assert_int_equal(kept_pins_expire(&bed.tokens), TIME_MS - 1000);
	turned_ms += TIME_MS - 1000;
	assert_int_equal(kept_pins_expire(&bed.tokens), 1000);
	assert_int_equal(bed.first.kept.len, 0);
	assert_null(bed.first.kept.data);
	turned_ms += 3 * TIME_MS; /* the machine slept */
	assert_int_equal(kept_pins_expire(&bed.tokens), -1);
	assert_null(bed.second.kept.data);
	bed_deinit(&bed);
}

static void none_is_kept_where_it_has_no_time_or_its_token_is_gone(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, 0);
	keep(&bed, &bed.first, "1234");
	assert_kept(&bed, &bed.first, NULL);
	bed_deinit(&bed);
	bed_init(&bed, MINUTES);
	bed.first.gone = true;
	keep(&bed, &bed.first, "1234");
	assert_kept(&bed, &bed.first, NULL);
	keep(&bed, &bed.second, "1234");
	kept_pin_drop(&bed.tokens, &bed.second);
	assert_kept(&bed, &bed.second, NULL);
	bed_deinit(&bed);
}

static void the_time_is_a_number_of_minutes_within_a_day(void **state)
{
	static const struct {
		const char *text;
		enum ks_error error;
		uint32_t seconds;
	} table[] = {
		{NULL, KS_OK, 0},
		{"0", KS_OK, 0},
		{"10", KS_OK, 600},
		{"1440", KS_OK, 86400},
		{"1441", KS_BAD_INPUT, 0},
		{"", KS_BAD_INPUT, 0},
		{"-1", KS_BAD_INPUT, 0},
		{" 1", KS_BAD_INPUT, 0},
		{"10m", KS_BAD_INPUT, 0},
		{"99999999999999999999", KS_BAD_INPUT, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint32_t seconds = 7;

		unsetenv("KEYSTILE_FIDO2_PIN_MINUTES");
		if (table[i].text != NULL)
			setenv("KEYSTILE_FIDO2_PIN_MINUTES", table[i].text, 1);
		assert_int_equal(kept_pin_seconds(NULL, &seconds), table[i].error);
		assert_int_equal(seconds, table[i].seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_kept_to_the_end_of_its_time_and_no_longer),
		cmocka_unit_test(to_use_one_makes_it_last_no_longer_and_to_type_it_again_does),
		cmocka_unit_test(nobody_has_to_ask_for_one_that_is_to_be_wiped),
		cmocka_unit_test(none_is_kept_where_it_has_no_time_or_its_token_is_gone),
		cmocka_unit_test(the_time_is_a_number_of_minutes_within_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
