/*
 * The question whether a key may be used, and the answers to it that are remembered: local ones
 * alone, and only where a rule says so.
 */
#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "agent.h"
#include "audit_sign.h"
#include "prompt_text.h"
#include "provider.h"
#include "sign_journey.h"

static struct approval_scope scope_of(const struct sign *sign)
{
	return (struct approval_scope){.rule = sign->verdict.rule,
		.key_blob = buf_bytes(&sign->key->blob),
		.subject = &sign->subject,
		.peer = &sign->connection->peer};
}

bool sign_remembered(const struct sign *sign)
{
	struct approval_scope scope = scope_of(sign);

	if (sign->verdict.remember_s == 0 || sign_remote(sign) ||
		!approvals_cover(&sign->connection->agent->approvals, &scope, expiry_now_ms()))
		return false;
	audit_sign_remembered(sign->connection);
	return true;
}

/* For how long the person may let a yes count. */
static uint32_t offered(const struct sign *sign)
{
	return sign_remote(sign) ? 0 : sign->verdict.remember_s;
}

/* Where the rules were read anew while the person was asked, it was for once. */
static void remember(const struct sign *sign)
{
	struct agent *agent = sign->connection->agent;
	struct approval_scope scope = scope_of(sign);

	if (offered(sign) == 0 || sign->configured != agent->configured)
		return;
	approvals_add(&agent->approvals, &scope, expiry_now_ms(), (uint64_t)offered(sign) * 1000);
	audit_sign_remember(sign->connection, offered(sign));
}

static void refuse_unasked(struct sign *sign, enum ks_error error)
{
	const char *why = sign->not_asked != NULL ? sign->not_asked : "no way to ask";
	AUTO(text) reason =
		text_format("the key must be confirmed, and nobody could be asked: %s", why);

	sign_refuse(sign, reason != NULL ? reason : why,
		error == KS_PIN_NEEDED
			? "run `keystile env --update` in your desktop session, or start the agent "
			  "where it can ask (SSH_ASKPASS, DISPLAY)"
			: "answer what is asked already, then try again");
}

static void on_confirmed(void *owner, enum prompt_status status, int pin_fd)
{
	struct sign *sign = owner;

	(void)pin_fd;
	sign->prompt = NULL;
	if (status == PROMPT_NOBODY) {
		sign->not_asked = prompt_obstacle(sign->connection->agent);
		refuse_unasked(sign, KS_PIN_NEEDED);
	} else if (status == PROMPT_FAILED) {
		sign_refuse(sign, "the prompt failed, which is no yes; the log says how",
			"check the prompt program");
	} else if (status != PROMPT_YES && status != PROMPT_YES_REMEMBER) {
		sign_refuse(sign, "the person did not allow it", NULL);
	} else if (sign_still_decided(sign)) {
		audit_sign_confirmed(sign->connection);
		if (status == PROMPT_YES_REMEMBER)
			remember(sign);
		sign_proceed(sign);
	}
}

void sign_confirm(struct sign *sign)
{
	struct key_source *source = key_source(sign->key);
	struct prompt_facts facts = sign_prompt_facts(sign, source->token);
	const struct sign_question question = {.kind = PROMPT_CONFIRM,
		.facts = &facts,
		.remember_seconds = offered(sign),
		.answered = on_confirmed};
	enum ks_error error;

	facts.what = PROMPT_FOR_CONFIRM;
	sign->request.state = REQUEST_CONFIRMING;
	error = sign_ask(sign, &question, &sign->prompt);
	if (error != KS_OK)
		refuse_unasked(sign, error);
}
