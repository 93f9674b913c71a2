/*
 * The keys that are offered: their order, which token signs and which are in reserve, what a
 * person hid, and that a key which a request holds outlives its token.
 */
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "constraints.h"
#include "key_rules.h"
#include "key_vectors.h"
#include "provider.h"
#include "test.h"
#include "vector.h"

#define KEYS 4

/* Two providers with two tokens each, and keys by number. */
struct bed {
	struct keyring keyring;
	struct provider one, two, keeper;
	struct token first, second, third, fourth, added;
	struct buf blobs[KEYS];
	struct ks_key keys[KEYS];
};

static int make_bed(void **state)
{
	static struct bed bed;
	static const char *const labels[KEYS] = {"a", "b", "c", ""};
	static const struct ks_needs token_needs = {.name = "tokens"};
	static const struct ks_needs keeper_needs = {.name = "keeper", .takes_keys = true};

	bed = (struct bed){.one = {.name = (char *)(uintptr_t) "one", .established = true},
		.two = {.name = (char *)(uintptr_t) "two", .established = true},
		.keeper = {.name = (char *)(uintptr_t) "keeper:", .established = true}};
	bed.one.needs = bed.two.needs = &token_needs;
	bed.keeper.needs = &keeper_needs;
	bed.first.provider = bed.second.provider = &bed.one;
	bed.third.provider = bed.fourth.provider = &bed.two;
	bed.added.provider = &bed.keeper;
	bed.keeper.tokens = &bed.added;
	for (size_t i = 0; i < KEYS; i++) {
		vector_put(&bed.blobs[i], key_vectors[i].blob);
		bed.keys[i] = (struct ks_key){.blob = buf_bytes(&bed.blobs[i]), .label = labels[i]};
		if (buf_status(&bed.blobs[i]) != KS_OK)
			return -1;
	}
	*state = &bed;
	return 0;
}

static int free_bed(void **state)
{
	struct bed *bed = *state;

	keyring_deinit(&bed->keyring);
	assert_int_equal(bed->keyring.count, 0);
	for (size_t i = 0; i < KEYS; i++)
		buf_deinit(&bed->blobs[i]);
	return 0;
}

/* The token holds the keys that the text names, by number. */
static void token_holds(struct bed *bed, struct token *token, const char *numbers)
{
	struct ks_key keys[KEYS];
	size_t count = strlen(numbers);

	for (size_t i = 0; i < count; i++)
		keys[i] = bed->keys[numbers[i] - '0'];
	keyring_token_is(&bed->keyring, token, keys, count);
}

static struct key *find(struct bed *bed, int number)
{
	return keyring_find(&bed->keyring, bed->keys[number].blob);
}

/* The whole ring in its order, by the numbers of the keys. */
static void assert_order(struct bed *bed, const char *numbers)
{
	struct key *key = bed->keyring.first;

	assert_int_equal(bed->keyring.count, strlen(numbers));
	for (const char *at = numbers; *at != '\0'; at++, key = key->next) {
		assert_non_null(key);
		assert_true(bytes_equal(buf_bytes(&key->blob), bed->keys[*at - '0'].blob));
	}
	assert_null(key);
}

static void keys_stand_in_the_order_in_which_they_came(void **state)
{
	struct bed *bed = *state;

	token_holds(bed, &bed->first, "20");
	token_holds(bed, &bed->third, "1");
	assert_order(bed, "201");
	/* Told again in another order, they stay where they are; what is new comes last. */
	token_holds(bed, &bed->first, "032");
	assert_order(bed, "2013");
	assert_null(keyring_find(&bed->keyring, bytes_of("no key")));
}

static void a_token_holds_exactly_what_it_said_last(void **state)
{
	struct bed *bed = *state;

	token_holds(bed, &bed->first, "012");
	token_holds(bed, &bed->first, "1");
	assert_order(bed, "1");
	assert_null(find(bed, 0));
	token_holds(bed, &bed->first, "");
	assert_order(bed, "");
	token_holds(bed, &bed->first, "00");
	assert_order(bed, "0");
}

static void the_first_token_signs_and_the_others_are_in_reserve(void **state)
{
	struct bed *bed = *state;

	token_holds(bed, &bed->first, "0");
	token_holds(bed, &bed->third, "0");
	token_holds(bed, &bed->second, "0");
	assert_order(bed, "0");
	assert_ptr_equal(key_source(find(bed, 0))->token, &bed->first);
	/* Told again, the first one stays the first. */
	token_holds(bed, &bed->first, "0");
	assert_ptr_equal(key_source(find(bed, 0))->token, &bed->first);
	keyring_token_gone(&bed->keyring, &bed->first);
	assert_ptr_equal(key_source(find(bed, 0))->token, &bed->third);
	token_holds(bed, &bed->third, "1");
	assert_ptr_equal(key_source(find(bed, 0))->token, &bed->second);
	keyring_token_gone(&bed->keyring, &bed->second);
	assert_order(bed, "1");
	/* Who comes back comes last. */
	token_holds(bed, &bed->fourth, "1");
	keyring_token_gone(&bed->keyring, &bed->third);
	token_holds(bed, &bed->third, "1");
	assert_ptr_equal(key_source(find(bed, 1))->token, &bed->fourth);
}

static void each_source_has_flags_of_its_own(void **state)
{
	struct bed *bed = *state;

	bed->keys[0].flags = KS_KEY_ALWAYS_PIN;
	token_holds(bed, &bed->first, "0");
	bed->keys[0].flags = 0;
	token_holds(bed, &bed->second, "0");
	assert_int_equal(key_source(find(bed, 0))->flags, KS_KEY_ALWAYS_PIN);
	token_holds(bed, &bed->first, "0");
	assert_int_equal(key_source(find(bed, 0))->flags, 0);
}

static void a_hidden_key_is_offered_by_none_and_comes_back_with_its_provider(void **state)
{
	struct bed *bed = *state;

	token_holds(bed, &bed->first, "01");
	token_holds(bed, &bed->third, "0");
	keyring_hide(find(bed, 0));
	assert_null(find(bed, 0));
	assert_non_null(find(bed, 1));
	/* A token that says the same again does not bring it back. */
	token_holds(bed, &bed->first, "01");
	assert_null(find(bed, 0));
	keyring_unhide(&bed->keyring, &bed->two);
	assert_ptr_equal(key_source(find(bed, 0))->token, &bed->third);
	keyring_unhide(&bed->keyring, &bed->one);
	assert_ptr_equal(key_source(find(bed, 0))->token, &bed->first);
}

static void keys_are_counted_by_provider_as_far_as_they_are_offered(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(keyring_count(&bed->keyring, &bed->one), 0);
	token_holds(bed, &bed->first, "01");
	token_holds(bed, &bed->second, "12");
	token_holds(bed, &bed->third, "2");
	assert_int_equal(keyring_count(&bed->keyring, &bed->one), 3);
	assert_int_equal(keyring_count(&bed->keyring, &bed->two), 1);
	keyring_hide(find(bed, 2));
	assert_int_equal(keyring_count(&bed->keyring, &bed->one), 2);
	assert_int_equal(keyring_count(&bed->keyring, &bed->two), 0);
}

static void a_provider_that_is_still_loading_offers_nothing(void **state)
{
	struct bed *bed = *state;

	bed->two.established = false;
	token_holds(bed, &bed->third, "0");
	assert_null(find(bed, 0));
	token_holds(bed, &bed->first, "0");
	assert_ptr_equal(key_source(find(bed, 0))->token, &bed->first);
	keyring_token_gone(&bed->keyring, &bed->first);
	assert_null(find(bed, 0));
	bed->two.established = true;
	assert_non_null(find(bed, 0));
}

static void a_key_that_a_request_holds_outlives_its_token(void **state)
{
	struct bed *bed = *state;
	struct key *held;

	token_holds(bed, &bed->first, "0");
	held = key_reference(find(bed, 0));
	keyring_token_gone(&bed->keyring, &bed->first);
	assert_order(bed, "");
	assert_null(key_source(held));
	assert_true(bytes_equal(buf_bytes(&held->blob), bed->keys[0].blob));
	/* The token's return makes a new key; the held one stays without a source. */
	token_holds(bed, &bed->first, "0");
	assert_ptr_not_equal(find(bed, 0), held);
	assert_null(key_source(held));
	key_release(&held);
	assert_null(held);
	key_release(&held);
}

static void a_comment_is_the_label_or_else_the_providers_name(void **state)
{
	struct bed *bed = *state;

	bed->keys[1].label = NULL;
	token_holds(bed, &bed->third, "031");
	assert_string_equal(find(bed, 0)->comment, "a");
	assert_string_equal(find(bed, 3)->comment, "two");
	assert_string_equal(find(bed, 1)->comment, "two");
}

static enum ks_error add(
	struct bed *bed, int number, const char *comment, struct constraints *constraints)
{
	const struct key_addition addition = {.blob = bed->keys[number].blob,
		.kind = KEY_ED25519,
		.comment = comment,
		.constraints = constraints,
		.expires_ms = constraints->lifetime_s};

	return keyring_add(&bed->keyring, &bed->added, &addition);
}

static void a_key_that_is_added_again_stays_in_its_place_with_what_was_said_last(void **state)
{
	struct bed *bed = *state;
	struct constraints old = {.references = 1, .confirm = true, .lifetime_s = 7};
	struct constraints new = {.references = 1};

	assert_int_equal(add(bed, 0, "old", &old), KS_OK);
	assert_int_equal(add(bed, 1, "other", &old), KS_OK);
	assert_int_equal(old.references, 3);
	assert_true(key_wants_confirmation(find(bed, 0)));
	assert_int_equal(key_added_source(find(bed, 0))->expires_ms, 7);
	assert_int_equal(add(bed, 0, "new", &new), KS_OK);
	assert_order(bed, "01");
	assert_string_equal(find(bed, 0)->comment, "new");
	assert_false(key_wants_confirmation(find(bed, 0)));
	assert_int_equal(key_added_source(find(bed, 0))->expires_ms, 0);
	assert_int_equal(old.references, 2);
	keyring_deinit(&bed->keyring);
	assert_int_equal(old.references, 1);
	assert_int_equal(new.references, 1);
}

static void a_key_that_was_added_is_there_beside_the_tokens_and_goes_alone(void **state)
{
	struct bed *bed = *state;
	struct constraints none = {.references = 1};

	token_holds(bed, &bed->first, "01");
	assert_null(key_added_source(find(bed, 0)));
	assert_int_equal(add(bed, 0, "mine", &none), KS_OK);
	assert_int_equal(add(bed, 2, "mine", &none), KS_OK);
	assert_ptr_equal(key_source(find(bed, 0))->token, &bed->first);
	/* The token's report says nothing of what was added. */
	token_holds(bed, &bed->first, "1");
	assert_order(bed, "012");
	assert_ptr_equal(key_source(find(bed, 0))->token, &bed->added);
	keyring_drop(&bed->keyring, &bed->added, bed->keys[0].blob);
	keyring_drop(&bed->keyring, &bed->added, bed->keys[1].blob);
	assert_order(bed, "12");
	/* All of them at once, when their worker is lost. */
	assert_int_equal(add(bed, 1, "mine", &none), KS_OK);
	keyring_token_gone(&bed->keyring, &bed->added);
	assert_order(bed, "1");
	assert_int_equal(none.references, 1);
}

static void the_strictest_source_of_a_key_counts(void **state)
{
	struct bed *bed = *state;
	struct constraints none = {.references = 1};

	assert_int_equal(add(bed, 0, "mine", &none), KS_OK);
	assert_false(key_wants_confirmation(find(bed, 0)));
	bed->two.confirm = true;
	token_holds(bed, &bed->third, "0");
	assert_true(key_wants_confirmation(find(bed, 0)));
	/* A reserve that is hidden still counts. */
	keyring_hide(find(bed, 0));
	keyring_unhide(&bed->keyring, &bed->keeper);
	assert_ptr_equal(key_source(find(bed, 0))->token, &bed->added);
	assert_true(key_wants_confirmation(find(bed, 0)));
	/* It refers to what is on this stack. */
	keyring_token_gone(&bed->keyring, &bed->added);
}

static void count_line(enum log_level level, const char *line, void *context)
{
	(void)level;
	(void)line;
	++*(int *)context;
}

static void what_is_no_key_is_left_out_with_a_line_in_the_log(void **state)
{
	struct bed *bed = *state;
	const struct ks_key keys[] = {{.blob = bytes_of("nonsense"), .label = "x"}, bed->keys[0]};
	int lines = 0;

	log_to(count_line, &lines);
	keyring_token_is(&bed->keyring, &bed->first, keys, 2);
	log_to(NULL, NULL);
	assert_order(bed, "0");
	assert_int_equal(lines, 1);
}

static void the_same_token_is_known_again_by_label_serial_and_model(void **state)
{
	struct ks_token reported = {
		.id = 5, .label = "l", .serial = "s", .model = "m", .location = "here"};
	struct token *token = calloc(1, sizeof(*token));

	(void)state;
	assert_non_null(token);
	token->unconfirmed = true;
	assert_int_equal(token_update(token, &reported), KS_OK);
	assert_false(token->unconfirmed);
	assert_int_equal(token->id, 5);
	reported.location = "elsewhere";
	reported.id = 6;
	assert_true(token_same(token, &reported));
	reported.serial = "other";
	assert_false(token_same(token, &reported));
	reported.serial = "s";
	reported.label = NULL;
	assert_false(token_same(token, &reported));
	reported.label = "l";
	reported.model = "M";
	assert_false(token_same(token, &reported));
	reported.model = NULL;
	assert_int_equal(token_update(token, &reported), KS_OK);
	assert_string_equal(token->model, "");
	assert_string_equal(token->location, "elsewhere");
	token_free(token);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_bed, free_bed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_stand_in_the_order_in_which_they_came),
		TEST(a_token_holds_exactly_what_it_said_last),
		TEST(the_first_token_signs_and_the_others_are_in_reserve),
		TEST(each_source_has_flags_of_its_own),
		TEST(a_hidden_key_is_offered_by_none_and_comes_back_with_its_provider),
		TEST(keys_are_counted_by_provider_as_far_as_they_are_offered),
		TEST(a_provider_that_is_still_loading_offers_nothing),
		TEST(a_key_that_a_request_holds_outlives_its_token),
		TEST(a_comment_is_the_label_or_else_the_providers_name),
		TEST(a_key_that_is_added_again_stays_in_its_place_with_what_was_said_last),
		TEST(a_key_that_was_added_is_there_beside_the_tokens_and_goes_alone),
		TEST(the_strictest_source_of_a_key_counts),
		TEST(what_is_no_key_is_left_out_with_a_line_in_the_log),
		TEST(the_same_token_is_known_again_by_label_serial_and_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
