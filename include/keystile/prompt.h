/*
 * What the agent tells keystile-prompt, its prompt helper, on standard input, and what it
 * hears back. The helper runs one prompt program (askpass, pinentry) for one question, asks on a
 * terminal itself, or shows a touch notice on the desktop. A PIN goes from the helper into the
 * descriptor PROMPT_PIN_FD, a pipe whose other end the agent hands to the worker unread. Of a
 * notice the same descriptor hears one byte once it can be seen, as a touch is asked of a token
 * only then. Answers are the helper's exit status; anything but PROMPT_YES and, where it was
 * offered, PROMPT_YES_REMEMBER is a no.
 */
#ifndef KEYSTILE_PROMPT_H
#define KEYSTILE_PROMPT_H

#include <stdbool.h>
#include <stdint.h>

#include <keystile/buffer.h>

#define PROMPT_PIN_FD 3
#define PROMPT_SHOWN_FD 3    /* the same one: a notice has no PIN */
#define PROMPT_TERMINAL_FD 4 /* of a prompter */
#define PROMPT_MAX ((size_t)32 * 1024)

enum prompt_kind {
	PROMPT_PIN = 1,	    /* a PIN is wanted */
	PROMPT_CONFIRM = 2, /* yes or no */
	PROMPT_NOTICE = 3,  /* shown until the helper is ended: touch the token now */
};

enum prompt_status {
	PROMPT_YES = 0,
	PROMPT_NO = 1,	   /* the person refused, closed it, or said nothing; or it was withdrawn */
	PROMPT_NOBODY = 2, /* no display, no prompt program: nobody could be asked */
	PROMPT_FAILED =
		3, /* the prompt program crashed, ended with an error or answered nonsense */
	PROMPT_YES_REMEMBER = 4, /* yes, and for remember_seconds; see prompt_question_offers() */
};

/* How the person is asked. */
enum prompt_way {
	PROMPT_BY_ASKPASS = 1,	/* the question is the program's argument, the answer its output */
	PROMPT_BY_PINENTRY = 2, /* the Assuan protocol */
	PROMPT_BY_PROMPTER = 3, /* in the terminal of `keystile prompter`, PROMPT_TERMINAL_FD */
	PROMPT_BY_ASKER = 4,	/* in the terminal of the process that asks for a signature */
};

/* No text is ever NULL in a question that was decoded. */
struct prompt_question {
	enum prompt_kind kind;
	enum prompt_way way;
	bool notify;	/* a notice: by desktop notification; the program only where that fails */
	bool password;	/* a PROMPT_PIN: called a password, as it is no token's PIN */
	char *text;	/* the whole question, ready to be shown; lines end with \n */
	char *trouble;	/* one line: what went wrong before, such as a wrong PIN; may be empty */
	char *program;	/* to run; empty only with notify, or in a terminal: there is none */
	char *terminal; /* that a pinentry may use; empty: none */
	uint32_t timeout_seconds; /* after which the agent withdraws it */
	/* In a terminal: the prompter or asker, which must be in its foreground; else 0. */
	uint32_t holder;
	uint64_t holder_start; /* its start time, as in keystile/process.h */
	/* Of a PROMPT_CONFIRM: for how long the person may let a yes count; 0: for once. */
	uint32_t remember_seconds;
};

/*
 * Appends u8 kind, u8 way, bool notify, bool password, the four strings, u32 timeout_seconds, u32
 * holder, u64 holder_start, u32 remember_seconds.
 */
void prompt_question_encode(const struct prompt_question *question, struct buf *out);
KS_MUST_CHECK enum ks_error prompt_question_decode(
	struct bytes bytes, struct prompt_question *question);
void prompt_question_deinit(struct prompt_question *question);
/*
 * Whether PROMPT_YES_REMEMBER may answer it. Never by askpass, which can't tell three answers
 * apart; nor by every pinentry, which is for the helper to see.
 */
bool prompt_question_offers(const struct prompt_question *question);

#endif
