/*
 * What verbs that make a key file have in common: its PIN, its comment, and writing it.
 */
#ifndef KEYSTILE_CTL_TPM_MADE_H
#define KEYSTILE_CTL_TPM_MADE_H

#include "tpm.h"

/* As ssh-keygen writes it, user@host; the caller frees it. */
char *made_usual_comment(void);
/* One line, as it goes into a .pub file; else said so. */
bool made_comment_fits(const char *comment);

/* Asks for a PIN for the key in that file, unless there shall be none, and appends it to the row.
 */
KS_MUST_CHECK enum ks_error made_choose_pin(
	const struct tpm_wish *wish, const char *path, struct secret *row);

/* Description, PIN and parent of a new key, as the wish has them. */
json_t *made_request(const struct tpm_wish *wish, const char *comment);

/* The file and the public one beside it, whose line is printed too. */
KS_MUST_CHECK enum ks_error made_write(
	const struct tpm_wish *wish, const char *path, const json_t *answer, const char *comment);

#endif
