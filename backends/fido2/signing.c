/*
 * The order of things: what is wanted of the token, which token it is, and what proves the person.
 */
#include "signing.h"

#include <poll.h>

#include "assertion.h"
#include "code.h"

#define LOOK_AGAIN_TIMES 4
#define LOOK_AGAIN_MS 100

/* A demand is stronger than a key that was made to be used without a touch. */
static void decide_presence(struct signing *signing)
{
	uint8_t flags = signing->key->key.sk_flags;
	uint32_t demand = signing->request->demand;

	signing->present = (flags & SK_FLAG_USER_PRESENT) != 0 || demand != KS_PRESENCE_NONE;
	signing->verified = (flags & SK_FLAG_USER_VERIFIED) != 0 || demand == KS_PRESENCE_PIN;
}

static enum ks_error explain_code(struct signing *signing, int32_t code)
{
	if (code_is_stranger(code))
		token_forget(signing->tokens, signing->token, buf_bytes(&signing->key->blob));
	return code_error(signing->operation, code);
}

/*
 * A token may know its person by a fingerprint: it is asked without a PIN first. One that wants
 * always to be sure says so when it is asked for less.
 */
static enum ks_error sign_with_token(struct signing *signing, struct buf *signature)
{
	const struct token_info *info = &signing->token->session.info;
	bool first = !signing->verified || info->verifies;
	enum ks_error error = KS_OK;
	int32_t code;

	if (first) {
		error = ask_assertion(signing, signing->verified, &code, signature);
		if (error != KS_OK)
			return error;
		if (!code_wants_pin(code))
			return explain_code(signing, code);
	}
	return pin_sign(signing, signature);
}

static void let_go(struct signing *signing)
{
	if (signing->token == NULL)
		return;
	token_give_back(signing->tokens, signing->token);
	token_unreference(signing->tokens, signing->token);
	signing->token = NULL;
	signing->hidden = false;
}

static enum ks_error try_once(struct signing *signing, struct buf *signature)
{
	enum ks_error error = choose_token(signing);

	if (error == KS_OK)
		error = sign_with_token(signing, signature);
	if (error == KS_OK)
		token_learn(signing->tokens, signing->token, buf_bytes(&signing->key->blob));
	if (error == KS_NO_TOKEN && signing->token != NULL)
		choose_note_loss(signing, signing->token);
	let_go(signing);
	return error;
}

/* False when the operation is over. */
static bool wait_for_udev(const struct signing *signing)
{
	struct pollfd over = {.fd = ks_cancel_fd(signing->operation), .events = POLLIN};

	return poll(&over, 1, LOOK_AGAIN_MS) == 0;
}

/*
 * A token that was just put back, and its removal before that, may not have been heard of yet. Once
 * a person was asked for something there is no second time.
 */
enum ks_error signing_run(struct signing *signing, struct buf *signature)
{
	enum ks_error error = assertion_hash(signing->request->data, signing->hash);

	decide_presence(signing);
	if (error == KS_OK)
		error = try_once(signing, signature);
	for (int times = 0; times < LOOK_AGAIN_TIMES && error == KS_NO_TOKEN; times++) {
		if (signing->touches_told > 0 || signing->pins_asked > 0 || !wait_for_udev(signing))
			break;
		finder_look(signing->finder);
		error = try_once(signing, signature);
	}
	return error;
}
