/*
 * A signature that failed because another program has the card reader to itself: the person is told
 * which one that is. It is looked for on a thread, as it takes a look at every process.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/socket_users.h>
#include <keystile/text.h>

#include "agent.h"
#include "sign_journey.h"

struct held_look {
	uv_work_t work;
	struct sign *sign; /* NULL: it has gone */
	char *words;	   /* the worker's, quoted */
	char *users;	   /* NULL: nobody knows */
};

static void look(uv_work_t *work)
{
	struct held_look *held = work->data;

	held->users = socket_users(PCSCD_SOCKET);
}

static void refuse(struct sign *sign, const char *words, const char *users)
{
	bool scdaemon = users != NULL && strstr(users, "scdaemon") != NULL;
	AUTO(text)
	reason = text_format("%s: %s%s%s", ks_error_text(KS_HELD), words,
		users != NULL ? "; these use readers: " : "", users != NULL ? users : "");

	sign_refuse(sign, reason != NULL ? reason : ks_error_text(KS_HELD),
		scdaemon ? "gpgconf --kill scdaemon; with pcsc-shared in ~/.gnupg/scdaemon.conf it "
			   "shares the reader"
			 : "end that program, or have it share the reader");
}

static void on_looked(uv_work_t *work, int status)
{
	struct held_look *held = work->data;

	(void)status;
	if (held->sign != NULL) {
		held->sign->held = NULL;
		refuse(held->sign, held->words, held->users);
	}
	free(held->words);
	free(held->users);
	free(held);
}

void sign_held(struct sign *sign, struct bytes words)
{
	struct held_look *held = calloc(1, sizeof(*held));
	char quoted[TEXT_WORDS_MAX];

	text_quote_words(words, quoted);
	if (held != NULL)
		held->words = strdup(quoted);
	if (held == NULL || held->words == NULL) {
		free(held);
		refuse(sign, quoted, NULL);
		return;
	}
	held->work.data = held;
	held->sign = sign;
	sign->held = held;
	uv_queue_work(&sign->connection->agent->loop, &held->work, look, on_looked);
}

void sign_held_abandon(struct sign *sign)
{
	if (sign->held != NULL)
		sign->held->sign = NULL;
	sign->held = NULL;
}
