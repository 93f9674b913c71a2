/*
 * The question that the agent hands to its prompt helper, to bytes and back.
 */
#include <stdlib.h>

#include <keystile/prompt.h>

void prompt_question_encode(const struct prompt_question *question, struct buf *out)
{
	size_t before = out->len;

	buf_put_u8(out, (uint8_t)question->kind);
	buf_put_u8(out, (uint8_t)question->way);
	buf_put_u8(out, question->notify);
	buf_put_u8(out, question->password);
	buf_put_text(out, question->text);
	buf_put_text(out, question->trouble);
	buf_put_text(out, question->program);
	buf_put_text(out, question->terminal);
	buf_put_u32(out, question->timeout_seconds);
	buf_put_u32(out, question->holder);
	buf_put_u64(out, question->holder_start);
	buf_put_u32(out, question->remember_seconds);
	if (!out->failed && out->len - before > PROMPT_MAX)
		out->failed = true;
}

static bool in_terminal(const struct prompt_question *question)
{
	return question->way == PROMPT_BY_PROMPTER || question->way == PROMPT_BY_ASKER;
}

static bool is_sensible(const struct prompt_question *question)
{
	return question->kind >= PROMPT_PIN && question->kind <= PROMPT_NOTICE &&
	       question->way >= PROMPT_BY_ASKPASS && question->way <= PROMPT_BY_ASKER &&
	       (!question->notify || question->kind == PROMPT_NOTICE) &&
	       (!question->password || question->kind == PROMPT_PIN) &&
	       (question->remember_seconds == 0 || question->kind == PROMPT_CONFIRM) &&
	       (*question->program || question->notify || in_terminal(question)) &&
	       (question->holder != 0) == in_terminal(question) && question->holder <= INT32_MAX;
}

enum ks_error prompt_question_decode(struct bytes bytes, struct prompt_question *question)
{
	struct reader in = reader_of(bytes);

	*question = (struct prompt_question){0};
	if (bytes.len > PROMPT_MAX)
		return KS_BAD_INPUT;
	question->kind = reader_u8(&in);
	question->way = reader_u8(&in);
	question->notify = reader_bool(&in);
	question->password = reader_bool(&in);
	question->text = reader_text(&in, PROMPT_MAX);
	question->trouble = reader_text(&in, PROMPT_MAX);
	question->program = reader_text(&in, PROMPT_MAX);
	question->terminal = reader_text(&in, PROMPT_MAX);
	question->timeout_seconds = reader_u32(&in);
	question->holder = reader_u32(&in);
	question->holder_start = reader_u64(&in);
	question->remember_seconds = reader_u32(&in);
	if (reader_end(&in) == KS_OK && is_sensible(question))
		return KS_OK;
	prompt_question_deinit(question);
	return KS_BAD_INPUT;
}

void prompt_question_deinit(struct prompt_question *question)
{
	free(question->text);
	free(question->trouble);
	free(question->program);
	free(question->terminal);
	*question = (struct prompt_question){0};
}

bool prompt_question_offers(const struct prompt_question *question)
{
	return question->kind == PROMPT_CONFIRM && question->remember_seconds > 0 &&
	       question->way != PROMPT_BY_ASKPASS;
}
