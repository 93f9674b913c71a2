/*
 * Judges a prompt program by its end first: what a failed one printed is not even looked at, except
 * to tell "cancelled" (status 1 and silence) from "failed".
 */
#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#include <keystile/secret.h>

#include "answer.h"
#include "pinentry.h"

static struct answer no(void)
{
	return (struct answer){.status = PROMPT_NO};
}

static struct answer failed(const char *words)
{
	return (struct answer){.status = PROMPT_FAILED, .words = words};
}

/* Without the one line end that programs put behind their answer. */
static struct bytes strip_line_end(struct bytes output)
{
	if (output.len > 0 && output.data[output.len - 1] == '\n') {
		output.len--;
		if (output.len > 0 && output.data[output.len - 1] == '\r')
			output.len--;
	}
	return output;
}

static bool holds(struct bytes bytes, int byte)
{
	return bytes.len > 0 && memchr(bytes.data, byte, bytes.len) != NULL;
}

static bool is_word(struct bytes bytes, const char *word)
{
	return bytes.len == strlen(word) &&
	       strncasecmp((const char *)bytes.data, word, bytes.len) == 0;
}

static struct answer answer_of_failure(int wait_status, struct bytes line)
{
	if (!WIFEXITED(wait_status))
		return failed("the prompt program was killed or crashed");
	if (WEXITSTATUS(wait_status) != 1)
		return failed("the prompt program ended with an error");
	return line.len == 0 ? no() : failed("the prompt program printed text and then failed");
}

static struct answer pin_answer(struct bytes line)
{
	if (line.len == 0)
		return failed("an empty PIN was given");
	if (line.len > KS_PIN_MAX)
		return failed("the PIN is too long");
	if (holds(line, '\0') || holds(line, '\n') || holds(line, '\r'))
		return failed("the prompt program printed more than one line");
	return (struct answer){.status = PROMPT_YES, .pin = line};
}

static struct answer confirm_answer(struct bytes line)
{
	if (line.len == 0 || is_word(line, "yes"))
		return (struct answer){.status = PROMPT_YES};
	return is_word(line, "no") ? no() : failed("the prompt program printed neither yes nor no");
}

struct answer answer_of(enum prompt_kind kind, int wait_status, struct bytes output)
{
	struct bytes line = strip_line_end(output);

	if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
		return answer_of_failure(wait_status, line);
	switch (kind) {
	case PROMPT_PIN:
		return pin_answer(line);
	case PROMPT_CONFIRM:
		return confirm_answer(line);
	case PROMPT_NOTICE:
		return no();
	}
	return failed("an unknown kind of question");
}

/* How a conversation failed; no longer than the agent shows. */
static struct answer pinentry_failure(int status)
{
	switch (status) {
	case PINENTRY_MISSING:
		return (struct answer){
			.status = PROMPT_NOBODY,
			.words = "there is no such pinentry, or it can't be run",
		};
	case PINENTRY_LOST:
		return failed("the pinentry ended before it had answered");
	case PINENTRY_NONSENSE:
		return failed("the pinentry answered what no pinentry says");
	case PINENTRY_UNABLE:
		return failed("the pinentry could not ask: does it fit the display or terminal?");
	case PINENTRY_CACHED:
		return failed("the pinentry gave a PIN that nobody typed");
	case PINENTRY_SPOILT:
		return failed("the pinentry answered and then failed");
	case PINENTRY_TOO_LONG:
		return failed("the question is too long for a pinentry");
	default:
		return failed("the conversation with the pinentry failed");
	}
}

struct answer answer_of_pinentry(enum prompt_kind kind, int wait_status, struct bytes output)
{
	if (kind == PROMPT_CONFIRM && output.len == 0 && WIFEXITED(wait_status) &&
		WEXITSTATUS(wait_status) == PINENTRY_REMEMBER)
		return (struct answer){.status = PROMPT_YES_REMEMBER};
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) > PINENTRY_REFUSED)
		return pinentry_failure(WEXITSTATUS(wait_status));
	return answer_of(kind, wait_status, output);
}
