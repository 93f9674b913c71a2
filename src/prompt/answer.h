/*
 * What the end of a prompt program and its output mean. A pure function: anything but an explicit
 * yes is a no (DESIGN: invariant 7), and its test is a table.
 */
#ifndef KEYSTILE_PROMPT_ANSWER_H
#define KEYSTILE_PROMPT_ANSWER_H

#include <keystile/prompt.h>

struct answer {
	enum prompt_status status;
	struct bytes pin; /* of a PROMPT_PIN that was answered with PROMPT_YES; borrowed */
	const char
		*words; /* why it is PROMPT_FAILED, else NULL; static, says nothing of the output */
};

/*
 * wait_status is what waitpid() gave, output all that the program printed. A PIN is 1 to KS_PIN_MAX
 * bytes on one line. An empty line or "yes" confirms (as with ssh-agent). A notice is never
 * answered: a program that ended well was closed by the person.
 */
struct answer answer_of(enum prompt_kind kind, int wait_status, struct bytes output);

/* The same for the conversation with a pinentry (pinentry.h), whose statuses are known. */
struct answer answer_of_pinentry(enum prompt_kind kind, int wait_status, struct bytes output);

#endif
