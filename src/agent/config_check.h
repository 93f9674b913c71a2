/*
 * What libconfuse lets pass though it is a mistake: an option or section given twice, a file that
 * ends in the middle, environment variables and other files pulled in. Checked before libconfuse
 * sees the text.
 */
#ifndef KEYSTILE_AGENT_CONFIG_CHECK_H
#define KEYSTILE_AGENT_CONFIG_CHECK_H

#include <keystile/buffer.h>

struct config_flaw {
	unsigned line;
	char words[160];
};

/*
 * KS_BAD_INPUT: *flaw says what and where. KS_OK: the text is well formed, whatever its options
 * mean, and *cleaned is the same text with blanks for comments, each line where it was.
 */
KS_MUST_CHECK enum ks_error config_check(
	struct bytes text, struct buf *cleaned, struct config_flaw *flaw);

#endif
