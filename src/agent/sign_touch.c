/*
 * The touch that a token waits for: the person is told, as long as it waits.
 */
#include "agent.h"
#include "prompt_text.h"
#include "sign_journey.h"

/* Closed by the person or over its time; the token still waits. */
static void on_notice_gone(void *owner, enum prompt_status status, int pin_fd)
{
	struct sign *sign = owner;

	(void)status;
	(void)pin_fd;
	sign->notice = NULL;
}

void sign_touch_wanted(struct operation *operation, uint32_t token_id, bool awaited)
{
	struct sign *sign = operation->owner;
	struct token *token = sign_token_in_use(sign, token_id);
	struct prompt_facts facts = sign_prompt_facts(sign, token);
	enum ks_error error = KS_NO_TOKEN;

	if (sign->notice != NULL)
		prompt_withdraw(sign->notice);
	sign->notice = NULL;
	if (!awaited)
		return;
	facts.what = PROMPT_FOR_TOUCH;
	if (token != NULL)
		error = sign_ask(sign, PROMPT_NOTICE, &facts, on_notice_gone, &sign->notice);
	/* Here, the light on the token is notice enough for who sits before it. */
	operation_answer_touch(
		operation, sign_remote(sign) && sign->verdict.demand != 0 ? error : KS_OK);
}
