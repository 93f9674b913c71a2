/* The words of the control socket. */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "token.h"

#define WORDS_MAX 5
#define PORT_MS 60000

struct order {
	char *words[WORDS_MAX]; /* those that are not there are "" */
	char *answer;
};

/* Returns what is wrong, NULL: nothing. */
typedef const char *order_function(struct token *token, struct order *order);

static const char *number(const char *word, uint32_t *out)
{
	char *end = NULL;
	unsigned long value = 0;

	errno = 0;
	value = strtoul(word, &end, 0);
	if (word[0] == '\0' || *end != '\0' || errno != 0 || value > UINT32_MAX)
		return "a number is wanted";
	*out = (uint32_t)value;
	return NULL;
}

static const char *on_or_off(const char *word, bool *out)
{
	*out = strcmp(word, "on") == 0;
	return *out || strcmp(word, "off") == 0 ? NULL : "on or off is wanted";
}

/* ---- What a person does ---- */

static bool u2f_waits(const struct token *token)
{
	return now_ms() < token->person.u2f_until_ms;
}

static const char *touch(struct token *token, struct order *order)
{
	(void)order;
	if (token->person.light && token->person.done == PRESENCE_NONE)
		token->person.done = PRESENCE_TOUCHED;
	else if (u2f_waits(token))
		token->person.u2f_touched = true;
	else
		return "it does not wait for a touch";
	return NULL;
}

static const char *refuse(struct token *token, struct order *order)
{
	(void)order;
	if (!token->person.light || token->person.done != PRESENCE_NONE)
		return "it does not wait for a touch";
	token->person.done = PRESENCE_REFUSED;
	return NULL;
}

static const char *light(struct token *token, struct order *order)
{
	strcpy(order->answer, token->person.light || u2f_waits(token) ? "on" : "off");
	return NULL;
}

static const char *touch_at_once(struct token *token, struct order *order)
{
	return on_or_off(order->words[1], &token->person.touches_at_once);
}

/* The testbed does it, and says when it is done. */
static const char *ask_port(struct token *token, char what)
{
	uint64_t end = now_ms() + PORT_MS;

	token->port_answered = false;
	if (send(token->port, &what, 1, MSG_NOSIGNAL) != 1)
		return "there is no testbed";
	while (!token->port_answered && !token->ended && now_ms() < end)
		token_serve(token, 100);
	return token->port_answered ? NULL : "the testbed does not answer";
}

static const char *pull(struct token *token, struct order *order)
{
	(void)order;
	if (!token->plugged)
		return "it is not plugged in";
	token_power(token, false);
	return ask_port(token, 'P');
}

static const char *insert(struct token *token, struct order *order)
{
	const char *wrong = NULL;

	(void)order;
	if (token->plugged)
		return "it is plugged in";
	token_power(token, true);
	wrong = ask_port(token, 'I');
	return wrong;
}

/* ---- Its PIN ---- */

static const char *pin(struct token *token, struct order *order)
{
	client_pin_place(&token->pin, order->words[1]);
	return NULL;
}

static const char *tries(struct token *token, struct order *order)
{
	uint32_t value = token->pin.tries;
	const char *wrong = order->words[1][0] == '\0' ? NULL : number(order->words[1], &value);

	token->pin.tries = value;
	snprintf(order->answer, CONTROL_ANSWER_MAX, "%" PRIu32, value);
	return wrong;
}

/* As after three wrong ones: no more until it was pulled. */
static const char *block_until_pulled(struct token *token, struct order *order)
{
	(void)order;
	token->pin.wrong_at_once = PIN_TRIES_AT_ONCE;
	return NULL;
}

static const char *force_change(struct token *token, struct order *order)
{
	return on_or_off(order->words[1], &token->pin.change_forced);
}

static const char *least(struct token *token, struct order *order)
{
	return number(order->words[1], &token->pin.len_least);
}

/* ---- What kind of token it is ---- */

static const char *set(struct token *token, struct order *order)
{
	struct settings *settings = &token->settings;
	struct {
		const char *name;
		bool *flag;
		uint32_t *value;
	} known[] = {
		{"ctap2", &settings->ctap2, NULL},
		{"u2f", &settings->u2f, NULL},
		{"always-uv", &settings->always_uv, NULL},
		{"make-without-pin", &settings->make_without_pin, NULL},
		{"permissions", &settings->permissions, NULL},
		{"new-protocol", &settings->new_protocol, NULL},
		{"management", &settings->management, NULL},
		{"eddsa", &settings->eddsa, NULL},
		{"fingerprint", &settings->fingerprint, NULL},
		{"terse", &settings->terse, NULL},
		{"counting", &settings->counting, NULL},
		{"keepalives", &settings->keepalives, NULL},
		{"pin-asserts", &settings->pin_asserts, NULL},
		{"silent-status", NULL, &settings->silent_status},
		{"id-length", NULL, &token->store.id_len},
		{"protect", NULL, &settings->protect_least},
		{"resident-max", NULL, &settings->resident_max},
		{"touch-ms", NULL, &settings->touch_ms},
		{"reset-ms", NULL, &settings->reset_ms},
		{"assembly-ms", NULL, &settings->assembly_ms},
		{"slow-ms", NULL, &settings->slow_ms},
		{"late-light-ms", NULL, &settings->late_light_ms},
		{"message-max", NULL, &settings->message_max},
		{"firmware", NULL, &settings->firmware},
		{"counter", NULL, &token->store.counter},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, order->words[1]) != 0)
			continue;
		if (known[i].flag != NULL)
			return on_or_off(order->words[2], known[i].flag);
		if (known[i].value != NULL)
			return number(order->words[2], known[i].value);
	}
	return "there is no such setting";
}

/* ---- What it does wrong ---- */

static const char *fault(struct token *token, struct order *order)
{
	struct fault *fault = &token->fault;
	enum fault_kind kind = fault_named(order->words[1]);
	uint32_t times = 1;
	int command = -1;

	if (kind == FAULT_KINDS)
		return "there is no such fault";
	if (order->words[2][0] != '\0' && number(order->words[2], &times) != NULL)
		return "how often is a number";
	if (order->words[3][0] != '\0') {
		command = counts_command(order->words[3]);
		if (command < 0)
			return "there is no such command";
	}
	fault->kind = kind;
	fault->times = kind == FAULT_NONE ? 0 : times;
	fault->only_command = command;
	fault->only_subcommand = counts_subcommand(order->words[3]);
	return NULL;
}

/* The bytes that a fault called "reply" answers with: status, CBOR. */
static const char *reply(struct token *token, struct order *order)
{
	struct span answer;
	const char *wrong = control_bytes(
		order->words[1], sizeof(token->fault.reply), &answer, token->fault.reply);

	if (wrong == NULL)
		token->fault.reply_len = answer.len;
	return wrong;
}

static const char *holds(struct token *token, struct order *order)
{
	uint32_t protect = 0;
	const char *wrong = number(order->words[4], &protect);

	return wrong != NULL ? wrong : control_hold(token, order->words + 1, protect);
}

/* ---- What it has seen ---- */

static const char *counts(struct token *token, struct order *order)
{
	counts_print(&token->counts, order->answer, CONTROL_ANSWER_MAX - 8);
	return NULL;
}

static const char *count_anew(struct token *token, struct order *order)
{
	(void)order;
	token->counts = (struct counts){0};
	token->hid.cancels = token->hid.cancels_all = token->hid.winks = 0;
	return NULL;
}

static const char *state(struct token *token, struct order *order)
{
	snprintf(order->answer, CONTROL_ANSWER_MAX - 8,
		"plugged=%d busy=%d light=%d cancels=%u cancels_all=%u winks=%u residents=%u "
		"counter=%" PRIu32 " tries=%u pin=%d locked=%d",
		token->plugged, token->hid.busy, token->person.light || u2f_waits(token),
		token->hid.cancels, token->hid.cancels_all, token->hid.winks,
		store_residents(&token->store), token->store.counter, token->pin.tries,
		token->pin.set, token->hid.locked_by != 0);
	return NULL;
}

/* As new from the shop. */
static const char *clear(struct token *token, struct order *order)
{
	(void)order;
	token_clear(token);
	return NULL;
}

/* ---- The words ---- */

static const struct {
	const char *word;
	order_function *run;
} orders[] = {
	{"touch", touch},		  /* now, while it waits */
	{"refuse", refuse},		  /* the same */
	{"light", light},		  /* on: it waits for a touch */
	{"touch-at-once", touch_at_once}, /* on | off */
	{"pull", pull},			  /* out of the computer */
	{"insert", insert},		  /* into it */
	{"pin", pin},			  /* TEXT, or nothing: none is set */
	{"tries", tries},		  /* [NUMBER] */
	{"block-until-pulled", block_until_pulled},
	{"force-change", force_change}, /* on | off */
	{"pin-length", least},		/* NUMBER of letters, at least */
	{"set", set},			/* SETTING VALUE */
	{"fault", fault},		/* KIND [TIMES [COMMAND]] */
	{"reply", reply},		/* HEX */
	{"holds", holds},		/* SEED ID APPLICATION, in HEX, PROTECTION */
	{"counts", counts},
	{"count-anew", count_anew},
	{"state", state},
	{"clear", clear},
};

void control_run(struct token *token, char *line, char answer[CONTROL_ANSWER_MAX])
{
	static char nothing[] = "";
	char text[CONTROL_ANSWER_MAX] = "";
	struct order order = {.answer = text};
	const char *wrong = "there is no such word";
	char *rest = NULL;

	for (size_t i = 0; i < WORDS_MAX; i++) {
		order.words[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
		if (order.words[i] == NULL)
			order.words[i] = nothing;
	}
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (strcmp(orders[i].word, order.words[0]) == 0)
			wrong = orders[i].run(token, &order);
	}
	snprintf(answer, CONTROL_ANSWER_MAX, "%s%s%.900s\n", wrong != NULL ? "error " : "ok",
		wrong == NULL && text[0] != '\0' ? " " : "", wrong != NULL ? wrong : text);
}
