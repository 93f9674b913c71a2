/*
 * The conversation with a pinentry, a command at a time. Anything but the answer that was wanted
 * says in its own way that nothing may be handed on.
 */
#ifndef KEYSTILE_PROMPT_PINENTRY_TALK_H
#define KEYSTILE_PROMPT_PINENTRY_TALK_H

#include <assuan.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <keystile/buffer.h>
#include <keystile/secret.h>

#include "pinentry.h"

/* What an answer may be, besides OK and a no. */
enum wanted { WANTED_OK, WANTED_DATA, WANTED_CHOICE };

struct talk {
	assuan_context_t assuan;
	const struct prompt_question *question;
	struct secret pin;
	size_t page_lines;
	pid_t pid;
	bool offers; /* a yes that counts for some time; the pinentry tells it from a no */
};

/* One command. Data that is wanted goes into talk->pin, behind what is there. */
enum pinentry_end talk_say(struct talk *talk, const char *line, enum wanted wanted);
/* One that only sets something, command and a space before the text: a pinentry that can't is of no
 * use. */
enum pinentry_end talk_set(struct talk *talk, const char *command, struct bytes text);
enum pinentry_end talk_set_option(struct talk *talk, const char *name, const char *value);

#endif
