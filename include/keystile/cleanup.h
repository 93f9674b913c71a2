/*
 * Clean-up by scope instead of by goto: AUTO(type) name = ... calls
 * type_cleanup(&name) when the scope ends, whichever way it does.
 */
#ifndef KEYSTILE_CLEANUP_H
#define KEYSTILE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#include <keystile/buffer.h>

#define AUTO(type) __attribute__((cleanup(type##_cleanup))) type##_auto

typedef struct buf buf_auto;
typedef char *text_auto;
typedef int fd_auto; /* -1 is none */

static inline void buf_cleanup(buf_auto *buf)
{
	buf_deinit(buf);
}

static inline void text_cleanup(text_auto *text)
{
	free(*text);
	*text = NULL;
}

static inline void fd_cleanup(fd_auto *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Hands an owned value out of an AUTO variable, which is left empty. */
#define TAKE_TEXT(name)                                                                            \
	({                                                                                         \
		char *taken_ = (name);                                                             \
		(name) = NULL;                                                                     \
		taken_;                                                                            \
	})
#define TAKE_FD(name)                                                                              \
	({                                                                                         \
		int taken_ = (name);                                                               \
		(name) = -1;                                                                       \
		taken_;                                                                            \
	})

#endif
