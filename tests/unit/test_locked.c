/*
 * The memory that private keys lie in: nobody's bytes are another's, and nothing is left of what
 * was given back.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <keystile/cleanup.h>

#include "locked.h"
#include "test.h"

#define RANGE ((size_t)64 << 20)
#define HELD 300

static const size_t sizes[] = {1, 15, 16, 17, 31, 33, 100, 128, 129, 1000, 2048, 2049, 2720, 2721,
	4095, 4096, 4097, 16383, 16384, 16385, 50000, 100000};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* Past a sanitizer, which knows that the memory is nobody's. */
static void peek(const void *memory, uint8_t *out, size_t len)
{
	AUTO(fd) fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, out, len, (off_t)(uintptr_t)memory), len);
}

static bool all_are(const uint8_t *bytes, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

static void new_memory_is_zeroed_and_aligned(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < SIZES; i++) {
			uint8_t *memory = locked_alloc(sizes[i]);

			assert_non_null(memory);
			assert_int_equal((uintptr_t)memory % 16, 0);
			assert_true(all_are(memory, sizes[i], 0));
			memset(memory, 0xa5, sizes[i]);
			locked_free(memory);
		}
	}
}

/* All but the first bytes, which lead to the next free one. */
static void memory_is_wiped_when_it_is_given_back(void **state)
{
	static uint8_t left[100000];

	(void)state;
	for (size_t i = 0; i < SIZES; i++) {
		uint8_t *neighbour = locked_alloc(sizes[i]), *memory = locked_alloc(sizes[i]);

		assert_non_null(memory);
		memset(memory, 0xa5, sizes[i]);
		locked_free(memory);
		peek(memory, left, sizes[i]);
		assert_true(sizes[i] <= 4 || all_are(left + 4, sizes[i] - 4, 0));
		assert_null(memchr(left, 0xa5, sizes[i]));
		locked_free(neighbour);
	}
}

static void memory_that_moves_keeps_its_content_and_leaves_nothing(void **state)
{
	static uint8_t left[100000];

	(void)state;
	for (size_t from = 0; from < SIZES; from++) {
		for (size_t to = 0; to < SIZES; to++) {
			size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
			uint8_t *memory = locked_alloc(sizes[from]), *moved;

			assert_non_null(memory);
			memset(memory, 0xa5, sizes[from]);
			moved = locked_resize(memory, sizes[to]);
			assert_non_null(moved);
			assert_true(all_are(moved, kept, 0xa5));
			memset(moved, 0x5a, sizes[to]);
			if (moved != memory) {
				peek(memory, left, sizes[from]);
				assert_null(memchr(left, 0xa5, sizes[from]));
			}
			locked_free(moved);
		}
	}
}

static void nothing_and_too_much_are_no_memory(void **state)
{
	void *memory;

	(void)state;
	assert_null(locked_alloc(0));
	assert_null(locked_alloc(RANGE + 1));
	assert_null(locked_alloc(SIZE_MAX));
	locked_free(NULL);
	memory = locked_resize(NULL, 10);
	assert_non_null(memory);
	assert_null(locked_resize(memory, SIZE_MAX));
	assert_null(locked_resize(memory, 0));
}

/* A number for each step, the same in each run. */
static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Holds pieces of all sizes, each full of a value of its own, and looks whether they stay so. */
static bool juggle(uint32_t seed, unsigned steps)
{
	uint8_t *held[HELD] = {NULL};
	size_t len[HELD] = {0};
	bool good = true;

	for (unsigned step = 0; step < steps && good; step++) {
		size_t at = next_random(&seed) % HELD;
		size_t size = sizes[next_random(&seed) % SIZES];

		good = held[at] == NULL || all_are(held[at], len[at], (uint8_t)at);
		if (held[at] != NULL && next_random(&seed) % 2 == 0) {
			locked_free(held[at]);
			held[at] = NULL;
			continue;
		}
		held[at] = locked_resize(held[at], size);
		good = good && held[at] != NULL;
		len[at] = size;
		if (good)
			memset(held[at], (uint8_t)at, size);
	}
	for (size_t at = 0; at < HELD; at++)
		locked_free(held[at]);
	return good;
}

static void no_piece_touches_another(void **state)
{
	(void)state;
	assert_true(juggle(1, 20000));
}

static void *juggling_thread(void *argument)
{
	uint32_t *seed = argument;

	return juggle(*seed, 5000) ? argument : NULL;
}

static void threads_share_it(void **state)
{
	uint32_t seeds[4] = {2, 3, 4, 5};
	pthread_t threads[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, juggling_thread, &seeds[i]), 0);
	for (unsigned i = 0; i < 4; i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, &seeds[i]);
	}
}

/* Twice: all of it comes back. */
static void when_it_is_full_there_is_none_and_later_there_is_again(void **state)
{
	static void *pieces[RANGE / 16384];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		size_t count = 0;

		while (count < RANGE / 16384 && (pieces[count] = locked_alloc(16384)) != NULL)
			count++;
		assert_true(count > RANGE / 16384 / 2);
		assert_null(locked_alloc(16384));
		assert_null(locked_alloc(4096 * 5));
		while (count > 0)
			locked_free(pieces[--count]);
	}
	assert_true(juggle(6, 1000));
}

/* The field of /proc/self/status that counts it, in kilobytes. */
static unsigned long locked_now(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long kilobytes = 0;
	char line[200];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "VmLck:", 6) == 0)
			kilobytes = strtoul(line + 6, NULL, 10);
	fclose(file);
	return kilobytes;
}

static void it_is_locked_while_it_is_used(void **state)
{
	unsigned long before = locked_now();
	void *memory = locked_alloc((size_t)1 << 20);

	(void)state;
	assert_non_null(memory);
	if (locked_is_complete())
		assert_true(locked_now() >= before + 512);
	locked_free(memory);
#ifndef KEYSTILE_SANITIZED /* a sanitizer turns munlock() into nothing */
	assert_true(locked_now() <= before + 256);
#endif
}

static void openssl_has_its_memory_from_here(void **state)
{
	uint8_t *ours = locked_alloc(100), *its = OPENSSL_malloc(100);
	ptrdiff_t apart = ours - its;

	(void)state;
	assert_non_null(its);
	assert_true(apart < (ptrdiff_t)RANGE && apart > -(ptrdiff_t)RANGE);
	its = OPENSSL_realloc(its, 5000);
	assert_non_null(its);
	OPENSSL_free(its);
	locked_free(ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_locked_while_it_is_used),
		cmocka_unit_test(new_memory_is_zeroed_and_aligned),
		cmocka_unit_test(memory_is_wiped_when_it_is_given_back),
		cmocka_unit_test(memory_that_moves_keeps_its_content_and_leaves_nothing),
		cmocka_unit_test(nothing_and_too_much_are_no_memory),
		cmocka_unit_test(no_piece_touches_another),
		cmocka_unit_test(threads_share_it),
		cmocka_unit_test(when_it_is_full_there_is_none_and_later_there_is_again),
		cmocka_unit_test(openssl_has_its_memory_from_here),
	};

	if (locked_init() != KS_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
