/*
 * Text from strangers (comments, labels, user and host names, paths) made fit for
 * a person's eyes, and pattern lists as OpenSSH matches them.
 */
#ifndef KEYSTILE_TEXT_H
#define KEYSTILE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <keystile/buffer.h>

#define TEXT_QUOTED_MAX (64 * 4 + 3 + 3) /* what text_quote() needs at the most */

/*
 * Writes the text in double quotes, everything but printable ASCII as \xHH, quote and
 * backslash escaped, at most 64 characters of the source, then "..." where it was cut
 * (DESIGN: prompts). Returns out, always terminated.
 */
const char *text_quote(struct bytes text, char out[static TEXT_QUOTED_MAX]);

#define TEXT_WORDS_MAX (240 * 4 + 3 + 3) /* what text_quote_words() needs at the most */

/*
 * The same for a sentence that is logged or shown in the status, never in a prompt: at most 240
 * characters, so that what happened is not cut off behind a path.
 */
const char *text_quote_words(struct bytes text, char out[static TEXT_WORDS_MAX]);

/*
 * In place, for where quoting can't be: control characters, those that turn the direction of text
 * around, and what is no UTF-8 become question marks.
 */
void text_make_plain(char *text);

/*
 * OpenSSH's match_pattern_list(): comma-separated patterns of * and ?, a leading ! negates.
 * 1 matched, 0 not matched, -1 matched a negated pattern (which wins).
 */
int text_match_list(const char *text, const char *patterns);
bool text_match(const char *text, const char *pattern);
/* The same; the pattern holds no NUL. */
bool text_match_bytes(const char *text, struct bytes pattern);

/* Lower-case hexadecimal of bytes into out (2 * len + 1 bytes). */
void text_hex(struct bytes bytes, char *out);

/* printf into fresh memory that the caller frees; NULL when out of memory. */
char *text_format(const char *format, ...) KS_PRINTF(1, 2);
char *text_format_list(const char *format, va_list arguments) KS_PRINTF(1, 0);

/*
 * OpenSSH's time formats (sshd_config TIME FORMATS: "90", "10m", "1h30m", "1w") in
 * seconds; -1 where malformed, negative or over INT_MAX.
 */
long text_seconds(const char *text);

#endif
