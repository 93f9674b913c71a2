/*
 * Where keys are kept: a file for what only its owner may read, and one beside it for the public
 * key. Neither is ever half written, nor replaced without being told to.
 */
#ifndef KEYSTILE_CTL_KEY_PLACE_H
#define KEYSTILE_CTL_KEY_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include <keystile/buffer.h>

/* "id_ecdsa.tpm" has "id_ecdsa.pub", anything else "NAME.pub"; the caller frees it. */
char *key_place_public(const char *path);

/* Whether both may be written, as far as that can be told before; said where not. */
bool key_place_is_free(const char *path, bool force);
/* The same of the first alone. */
bool key_place_is_free_for(const char *path, bool force);
/* There is no such file; said where there is. */
bool key_place_is_unused(const char *path);
/* The public file has the key of this line ("TYPE BASE64 COMMENT"), whatever its comment. */
bool key_place_has(const char *public, const char *line);

/*
 * Writes a whole file, which then has these contents or is what it was. With force it replaces what
 * a symbolic link leads to, and leaves the link. The mode is one before the umask. What failed was
 * said.
 */
KS_MUST_CHECK enum ks_error key_place_write(
	const char *path, struct bytes content, mode_t mode, bool force);

/* Reads a file of at most max bytes. What failed was said. */
KS_MUST_CHECK enum ks_error key_place_read(const char *path, size_t max, struct buf *out);

/*
 * The same for one that only its owner may read or write, as ssh has it with private keys.
 */
KS_MUST_CHECK enum ks_error key_place_read_private(const char *path, size_t max, struct buf *out);

#endif
