/*
 * A context of libassuan takes some kilobytes and lives for one question, so nothing is ever used
 * twice: what is freed is wiped, and that is all.
 */
#include "pinentry_memory.h"

#include <stdalign.h>
#include <string.h>

#include <keystile/secret.h>

#define POOL_SIZE ((size_t)32 * 1024)

/* Before each piece. */
struct piece {
	alignas(max_align_t) size_t size;
};

/* libassuan hands its hooks nothing by which they could find this. */
static struct secret pool;

static void *take(size_t size)
{
	size_t whole = (size + sizeof(struct piece) + alignof(max_align_t) - 1) &
		       ~(alignof(max_align_t) - 1);
	struct piece *piece;

	if (size > POOL_SIZE || whole > pool.cap - pool.len)
		return NULL;
	piece = (void *)(pool.data + pool.len);
	pool.len += whole;
	piece->size = size;
	return piece + 1;
}

static void give_back(void *data)
{
	if (data != NULL)
		explicit_bzero(data, ((struct piece *)data - 1)->size);
}

static void *resize(void *data, size_t size)
{
	size_t old = data != NULL ? ((struct piece *)data - 1)->size : 0;
	void *fresh = take(size);

	if (fresh == NULL || data == NULL)
		return fresh;
	memcpy(fresh, data, old < size ? old : size);
	give_back(data);
	return fresh;
}

enum ks_error pinentry_memory_init(struct assuan_malloc_hooks *hooks)
{
	*hooks = (struct assuan_malloc_hooks){.malloc = take, .realloc = resize, .free = give_back};
	return secret_init(&pool, POOL_SIZE);
}

void pinentry_memory_deinit(void)
{
	secret_deinit(&pool);
}
