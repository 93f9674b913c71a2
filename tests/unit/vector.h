/*
 * Takes the base64 of key_vectors.h apart.
 */
#ifndef VECTOR_H
#define VECTOR_H

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <keystile/buffer.h>

/* Appends what the text stands for; fails the buffer where it is no base64. */
static inline void vector_put(struct buf *out, const char *base64)
{
	size_t len = strlen(base64);
	uint8_t *room = buf_reserve(out, len / 4 * 3);
	int got = room ? EVP_DecodeBlock(room, (const uint8_t *)base64, (int)len) : -1;

	if (got < 0) {
		out->failed = true;
		return;
	}
	out->len += (size_t)got;
	while (len > 0 && base64[--len] == '=')
		out->len--;
}

#endif
