/*
 * The question that the agent hands to its prompt helper, to bytes and back.
 */
#include <stdlib.h>

#include <keystile/prompt.h>

void prompt_question_encode(const struct prompt_question *question, struct buf *out)
{
	size_t before = out->len;

	buf_put_u8(out, (uint8_t)question->kind);
	buf_put_text(out, question->text);
	buf_put_text(out, question->program);
	if (!out->failed && out->len - before > PROMPT_MAX)
		out->failed = true;
}

enum ks_error prompt_question_decode(struct bytes bytes, struct prompt_question *question)
{
	struct reader in = reader_of(bytes);
	uint8_t kind = reader_u8(&in);

	*question = (struct prompt_question){0};
	if (bytes.len > PROMPT_MAX || kind < PROMPT_PIN || kind > PROMPT_NOTICE)
		return KS_BAD_INPUT;
	question->kind = kind;
	question->text = reader_text(&in, PROMPT_MAX);
	question->program = reader_text(&in, PROMPT_MAX);
	if (reader_end(&in) == KS_OK && *question->program)
		return KS_OK;
	prompt_question_deinit(question);
	return KS_BAD_INPUT;
}

void prompt_question_deinit(struct prompt_question *question)
{
	free(question->text);
	free(question->program);
	*question = (struct prompt_question){0};
}
