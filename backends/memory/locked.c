/*
 * One range of addresses in slabs of 16 KiB. A slab holds blocks of one size, larger blocks take
 * slabs in a row. OpenSSL's own secure heap is not used: numbers go there only where its code asks
 * for it, which leaves out RSA keys and every intermediate result, and when it is full, operations
 * fail. Its allocation functions take no context, so the heap is the one object of this file.
 */
#include "locked.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <openssl/crypto.h>

#include <keystile/log.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#define SLAB ((size_t)16 * 1024)
#define SLAB_COUNT ((size_t)4096)
#define BLOCK_MAX ((size_t)4096) /* what is larger takes slabs */
#define WARM_MAX 16		 /* free slabs that stay locked, for the next who needs one */

static const uint16_t block_sizes[] = {16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
	384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2720, BLOCK_MAX};
#define BLOCK_SIZES (sizeof(block_sizes) / sizeof(block_sizes[0]))

enum slab_state {
	SLAB_COLD = 0, /* free, nothing behind its addresses, not locked */
	SLAB_WARM,     /* free, zeroed, locked */
	SLAB_BLOCKS,
	SLAB_RUN,  /* the first of a row */
	SLAB_REST, /* the others of it */
};

struct slab {
	enum slab_state state;
	unsigned size;	/* index of its blocks' size */
	unsigned used;	/* blocks; of a row: its slabs */
	unsigned fresh; /* blocks from here on were never used and are no part of the list */
	unsigned free;	/* first of the list of free blocks, counted from 1; 0: none */
};

static struct {
	pthread_mutex_t lock;
	uint8_t *base; /* NULL: not made yet */
	struct slab slabs[SLAB_COUNT];
	unsigned current[BLOCK_SIZES]; /* slab that may have room, counted from 1 */
	unsigned warm;
	bool incomplete; /* a slab could not be locked */
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- Slabs; all under the lock ---- */

static uint8_t *slab_memory(size_t index)
{
	return heap.base + index * SLAB;
}

/* Locks pages as they are used, so that half-empty slabs take no memory. */
static void slabs_take(size_t first, size_t count, enum slab_state state)
{
	for (size_t i = first; i < first + count; i++) {
		if (heap.slabs[i].state == SLAB_WARM)
			heap.warm--;
		else if (mlock2(slab_memory(i), SLAB, MLOCK_ONFAULT) != 0)
			heap.incomplete = true;
		heap.slabs[i] = (struct slab){.state = SLAB_REST};
	}
	heap.slabs[first].state = state;
}

/* What they held has been wiped. */
static void slabs_give_back(size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		heap.slabs[i] = (struct slab){.state = SLAB_WARM};
		if (++heap.warm <= WARM_MAX)
			continue;
		munlock(slab_memory(i), SLAB);
		/* Without this it stays zeroed, which is all that counts. */
		(void)madvise(slab_memory(i), SLAB, MADV_DONTNEED);
		heap.slabs[i].state = SLAB_COLD;
		heap.warm--;
	}
}

/* The first row of free slabs; SLAB_COUNT when there is none. */
static size_t find_row(size_t count)
{
	size_t row = 0;

	for (size_t i = 0; i < SLAB_COUNT; i++) {
		bool vacant = heap.slabs[i].state == SLAB_COLD || heap.slabs[i].state == SLAB_WARM;

		row = vacant ? row + 1 : 0;
		if (row == count)
			return i + 1 - count;
	}
	return SLAB_COUNT;
}

static void *take_row(size_t size)
{
	size_t count = (size + SLAB - 1) / SLAB;
	size_t first = find_row(count);

	if (first == SLAB_COUNT)
		return NULL;
	slabs_take(first, count, SLAB_RUN);
	heap.slabs[first].used = (unsigned)count;
	return slab_memory(first);
}

/* ---- Blocks; all under the lock ---- */

static unsigned blocks_of(const struct slab *slab)
{
	return (unsigned)(SLAB / block_sizes[slab->size]);
}

static bool has_room(const struct slab *slab, unsigned size)
{
	return slab->state == SLAB_BLOCKS && slab->size == size && slab->used < blocks_of(slab);
}

/* Any slab of that size with room, or a new one; SLAB_COUNT when there is none. */
static size_t find_slab(unsigned size)
{
	size_t index;

	for (index = 0; index < SLAB_COUNT; index++)
		if (has_room(&heap.slabs[index], size))
			return index;
	index = find_row(1);
	if (index == SLAB_COUNT)
		return index;
	slabs_take(index, 1, SLAB_BLOCKS);
	heap.slabs[index].size = size;
	return index;
}

static uint8_t *block_at(size_t index, unsigned block)
{
	return slab_memory(index) + (size_t)block * block_sizes[heap.slabs[index].size];
}

/* A free block is zeroed but for the number of the next one in its first bytes. */
static void *take_block(size_t index)
{
	struct slab *slab = &heap.slabs[index];
	uint8_t *block;

	slab->used++;
	if (slab->free == 0) {
		block = block_at(index, slab->fresh++);
		ASAN_UNPOISON_MEMORY_REGION(block, block_sizes[slab->size]);
		return block;
	}
	block = block_at(index, slab->free - 1);
	ASAN_UNPOISON_MEMORY_REGION(block, block_sizes[slab->size]);
	memcpy(&slab->free, block, sizeof(slab->free));
	memset(block, 0, sizeof(slab->free));
	return block;
}

static unsigned size_index(size_t size)
{
	unsigned index = 0;

	while (block_sizes[index] < size)
		index++;
	return index;
}

static void *take_small(size_t size)
{
	unsigned wanted = size_index(size);
	size_t index = heap.current[wanted];

	if (index == 0 || !has_room(&heap.slabs[index - 1], wanted))
		index = find_slab(wanted) + 1;
	if (index > SLAB_COUNT)
		return NULL;
	heap.current[wanted] = (unsigned)index;
	return take_block(index - 1);
}

/* Its last block came back: nothing is left in it but the numbers of the list. */
static void retire_slab(size_t index)
{
	const struct slab *slab = &heap.slabs[index];
	size_t touched = (size_t)slab->fresh * block_sizes[slab->size];

	ASAN_UNPOISON_MEMORY_REGION(slab_memory(index), touched);
	memset(slab_memory(index), 0, touched);
	ASAN_POISON_MEMORY_REGION(slab_memory(index), touched);
	slabs_give_back(index, 1);
}

static void give_block_back(size_t index, uint8_t *block)
{
	struct slab *slab = &heap.slabs[index];
	size_t size = block_sizes[slab->size];

	memcpy(block, &slab->free, sizeof(slab->free));
	slab->free = (unsigned)((size_t)(block - slab_memory(index)) / size) + 1;
	ASAN_POISON_MEMORY_REGION(block, size);
	heap.current[slab->size] = (unsigned)index + 1;
	if (--slab->used == 0)
		retire_slab(index);
}

/* ---- What others call ---- */

static size_t index_of(const void *memory)
{
	return (size_t)((const uint8_t *)memory - heap.base) / SLAB;
}

/* Bytes that memory really has. Not under the lock: a slab in use does not change its kind. */
static size_t room_of(const void *memory)
{
	const struct slab *slab = &heap.slabs[index_of(memory)];

	return slab->state == SLAB_RUN ? slab->used * SLAB : block_sizes[slab->size];
}

void *locked_alloc(size_t size)
{
	void *memory;

	if (size == 0 || size > SLAB * SLAB_COUNT || heap.base == NULL)
		return NULL;
	pthread_mutex_lock(&heap.lock);
	memory = size <= BLOCK_MAX ? take_small(size) : take_row(size);
	pthread_mutex_unlock(&heap.lock);
	if (memory != NULL) {
		ASAN_UNPOISON_MEMORY_REGION(memory, size);
		ASAN_POISON_MEMORY_REGION((uint8_t *)memory + size, room_of(memory) - size);
	}
	return memory;
}

void locked_free(void *memory)
{
	size_t index, room;

	if (memory == NULL)
		return;
	index = index_of(memory);
	room = room_of(memory);
	ASAN_UNPOISON_MEMORY_REGION(memory, room);
	explicit_bzero(memory, room);
	pthread_mutex_lock(&heap.lock);
	if (heap.slabs[index].state == SLAB_RUN) {
		ASAN_POISON_MEMORY_REGION(memory, room);
		slabs_give_back(index, heap.slabs[index].used);
	} else {
		give_block_back(index, memory);
	}
	pthread_mutex_unlock(&heap.lock);
}

void *locked_resize(void *memory, size_t size)
{
	void *moved;
	size_t room;

	if (memory == NULL)
		return locked_alloc(size);
	if (size == 0) {
		locked_free(memory);
		return NULL;
	}
	room = room_of(memory);
	if (size <= room && size > room / 2) {
		ASAN_UNPOISON_MEMORY_REGION(memory, size);
		return memory;
	}
	moved = locked_alloc(size);
	if (moved == NULL)
		return NULL;
	/* The old one may have been given out as smaller than it is. */
	ASAN_UNPOISON_MEMORY_REGION(memory, room);
	memcpy(moved, memory, size < room ? size : room);
	locked_free(memory);
	return moved;
}

bool locked_is_complete(void)
{
	pthread_mutex_lock(&heap.lock);
	bool complete = !heap.incomplete;
	pthread_mutex_unlock(&heap.lock);
	return complete;
}

static void *openssl_alloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return locked_alloc(size);
}

static void *openssl_resize(void *memory, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return locked_resize(memory, size);
}

static void openssl_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	locked_free(memory);
}

/* As much as this user may have locked: the soft limit is often lower. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		log_debug("the limit of locked memory stays as it is: %s", strerror(errno));
}

enum ks_error locked_init(void)
{
	void *range = mmap(NULL, SLAB_COUNT * SLAB, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (range == MAP_FAILED)
		return KS_NO_MEMORY;
	if (madvise(range, SLAB_COUNT * SLAB, MADV_DONTDUMP) != 0 ||
		madvise(range, SLAB_COUNT * SLAB, MADV_WIPEONFORK) != 0)
		log_debug("memory of private keys: madvise: %s", strerror(errno));
	ASAN_POISON_MEMORY_REGION(range, SLAB_COUNT * SLAB);
	raise_limit();
	heap.base = range;
	if (CRYPTO_set_mem_functions(openssl_alloc, openssl_resize, openssl_free) == 1)
		return KS_OK;
	log_error("OpenSSL has memory of its own already");
	return KS_DEVICE_FAILED;
}
