/*
 * What is written down about TPMs and keys, in a folder of state of our own: names of parents, so
 * that another one is noticed, and which keys turned out to have a PIN though their file denies it.
 * A file each, never changed.
 */
#ifndef KEYSTILE_TPM2_REMEMBERED_H
#define KEYSTILE_TPM2_REMEMBERED_H

#include <keystile/buffer.h>
#include <keystile/error.h>

#define REMEMBERED_MAX 256

/*
 * The folder: $KEYSTILE_TPM2_STATE, else $XDG_STATE_HOME/keystile/tpm2 or
 * $HOME/.local/state/keystile/tpm2. NULL: nobody knows a home. The caller frees it.
 */
char *remembered_folder(void);
/* Makes the folder, and those above it, where it is not there. */
void remembered_make(const char *folder);

/* A name of file for what is told by text: the words, and a digest of the rest. The caller frees
 * it. */
char *remembered_file(const char *folder, const char *words, struct bytes about);

/*
 * Whether something is written down in that file; appended to content. KS_NO_KEY: nothing is.
 * KS_BAD_INPUT: it can't be read, or is too long.
 */
KS_MUST_CHECK enum ks_error remembered_read(const char *file, struct buf *content);
/* Atomically; KS_DEVICE_FAILED, logged, where that is not possible. */
KS_MUST_CHECK enum ks_error remembered_write(const char *file, struct bytes content);

#endif
