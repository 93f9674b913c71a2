/*
 * The order: the place is judged, keys that wait are dropped, raw mode without signals, the
 * question in parts that fit, a second in which keys are dropped, the answer, the modes as they
 * were.
 */
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "ask.h"
#include "offer.h"
#include "terminal_frame.h"
#include "terminal_line.h"
#include "terminal_wire.h"

/* Keys that come sooner were typed before the question could be read. */
#define HASTY_MS 1000
#define TIMES 3 /* that an answer which is none is asked for again */
#define COLUMNS_DEFAULT 80
#define OTHER_LINES 4 /* of a page: what is below the question */
#define PAGE_LINES_MIN 5
#define TEXT_MAX ((size_t)256 * 1024)

struct terminal {
	struct terminal_wire wire;
	const struct prompt_question *question;
	struct secret *answer;
	bool remember; /* the person said so */
};

static enum wire_event say(struct terminal *terminal, const char *words)
{
	return wire_put(&terminal->wire, bytes_of(words));
}

/* ---- One line of answer ---- */

/* Keys of the first second, and all that was typed before it, are dropped. */
static enum wire_event let_read(struct terminal *terminal)
{
	enum wire_event event = say(terminal, "wait...");

	if (event == WIRE_READY)
		event = wire_await(&terminal->wire, 0, wire_now_ms() + HASTY_MS);
	if (event != WIRE_TIME)
		return event;
	tcflush(terminal->wire.place.fd, TCIFLUSH);
	return say(terminal, "\r       \r");
}

/* What shows of a key: for a PIN nothing. */
static enum wire_event echo(
	struct terminal *terminal, const struct terminal_line *line, size_t before)
{
	enum wire_event event = WIRE_READY;
	size_t len = line->text->len;

	if (!line->words_only)
		return WIRE_READY;
	if (len > before)
		return wire_put(&terminal->wire, BYTES(line->text->data + before, len - before));
	for (; before > len && event == WIRE_READY; before--)
		event = say(terminal, "\b \b");
	return event;
}

/* WIRE_READY: a line was typed. The byte lies in the locked memory of the answer from the first.
 */
static enum wire_event read_line(struct terminal *terminal, struct terminal_line *line)
{
	for (;;) {
		size_t before = line->text->len;
		uint8_t *at = line->text->data + before;
		enum wire_event event = wire_await(&terminal->wire, POLLIN, 0);
		enum line_state state;
		ssize_t got;
		uint8_t key;

		if (event != WIRE_READY)
			return event;
		got = read(terminal->wire.place.fd, at, 1);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return WIRE_GONE;
		key = *at;
		*at = 0;
		state = terminal_line_take(line, key);
		if (state != LINE_OPEN)
			return state == LINE_ENDED ? WIRE_READY : WIRE_NO;
		event = echo(terminal, line, before);
		if (event != WIRE_READY)
			return event;
	}
}

static enum wire_event ask_line(
	struct terminal *terminal, const char *prompt, struct terminal_line *line)
{
	enum wire_event event = let_read(terminal);

	terminal_line_clear(line);
	if (event == WIRE_READY)
		event = say(terminal, prompt);
	if (event == WIRE_READY)
		event = read_line(terminal, line);
	if (event == WIRE_READY)
		event = say(terminal, "\r\n");
	else if (event == WIRE_NO)
		wire_say_at_once(&terminal->wire, "\r\n");
	return event;
}

/* ---- The answer ---- */

static enum wire_event ask_pin(struct terminal *terminal)
{
	struct terminal_line line = {.text = terminal->answer, .keys = &terminal->wire.before};
	const char *label = terminal->question->password ? "Password: " : "PIN: ";
	enum wire_event event =
		say(terminal, "What you type is not shown. Return alone or Esc refuses.\r\n");

	for (unsigned times = 0; times < TIMES && event == WIRE_READY; times++) {
		event = ask_line(terminal, label, &line);
		if (event != WIRE_READY)
			return event;
		if (!line.spoilt)
			return line.text->len > 0 ? WIRE_READY : WIRE_NO;
		event = say(terminal, "That was too long, or held a control character.\r\n");
	}
	return event == WIRE_READY ? WIRE_NO : event;
}

static bool is_word(const struct terminal_line *line, const char *word)
{
	size_t len = strlen(word);

	return !line->spoilt && line->text->len == len &&
	       (len == 0 || strncasecmp((const char *)line->text->data, word, len) == 0);
}

/* Only the whole word, to a question that has it. */
static bool is_remember(const struct terminal *terminal, const struct terminal_line *line)
{
	return prompt_question_offers(terminal->question) && is_word(line, "remember");
}

static const char *please(const struct terminal *terminal, const char *yes)
{
	if (*yes == '\0')
		return "Please press Return or Esc.\r\n";
	return prompt_question_offers(terminal->question) ? "Please type yes, remember or no.\r\n"
							  : "Please type yes or no.\r\n";
}

/* An empty yes is Return, to go on with a question in parts. */
static enum wire_event ask_yes(struct terminal *terminal, const char *prompt, const char *yes)
{
	struct terminal_line line = {
		.text = terminal->answer, .words_only = true, .keys = &terminal->wire.before};
	enum wire_event event = WIRE_READY;

	for (unsigned times = 0; times < TIMES && event == WIRE_READY; times++) {
		event = ask_line(terminal, prompt, &line);
		if (event != WIRE_READY)
			return event;
		if (is_word(&line, yes) || (is_word(&line, "y") && *yes != '\0'))
			return WIRE_READY;
		terminal->remember = *yes != '\0' && is_remember(terminal, &line);
		if (terminal->remember)
			return WIRE_READY;
		if (is_word(&line, "") || is_word(&line, "n") || is_word(&line, "no"))
			return WIRE_NO;
		event = say(terminal, please(terminal, yes));
	}
	return event == WIRE_READY ? WIRE_NO : event;
}

/* ---- The question ---- */

static struct winsize window(const struct terminal *terminal)
{
	struct winsize size = {0};

	if (ioctl(terminal->wire.place.fd, TIOCGWINSZ, &size) != 0)
		size = (struct winsize){0};
	if (size.ws_col == 0)
		size.ws_col = COLUMNS_DEFAULT;
	return size;
}

static const char *title_of(const struct prompt_question *question)
{
	switch (question->kind) {
	case PROMPT_PIN:
		return question->password ? "Keystile asks for a password"
					  : "Keystile asks for a PIN";
	case PROMPT_CONFIRM:
		return "Keystile asks: allow it?";
	case PROMPT_NOTICE:
		break;
	}
	return "Keystile";
}

/* At most that many lines, taken off the front. */
static struct bytes take_lines(struct bytes *rest, size_t count)
{
	struct bytes page = BYTES(rest->data, 0);

	for (; page.len < rest->len && count > 0; page.len++)
		count -= rest->data[page.len] == '\n';
	*rest = BYTES(rest->data + page.len, rest->len - page.len);
	return page;
}

static enum wire_event show_pages(struct terminal *terminal, struct bytes text, size_t rows)
{
	size_t lines = rows > OTHER_LINES + PAGE_LINES_MIN ? rows - OTHER_LINES : PAGE_LINES_MIN;
	enum wire_event event = WIRE_READY;

	if (rows == 0 || terminal->question->kind == PROMPT_NOTICE)
		return wire_put(&terminal->wire, text);
	while (event == WIRE_READY) {
		event = wire_put(&terminal->wire, take_lines(&text, lines));
		if (event != WIRE_READY || text.len == 0)
			break;
		event = ask_yes(terminal, "There is more. Return: go on, Esc: refuse. ", "");
	}
	return event;
}

static enum wire_event show(struct terminal *terminal)
{
	const struct prompt_question *question = terminal->question;
	struct winsize size = window(terminal);
	AUTO(buf) text = {.max = TEXT_MAX};
	AUTO(buf) words = {.max = TEXT_MAX};

	buf_put(&words, bytes_of(question->text));
	if (prompt_question_offers(question))
		offer_put(&words, question->remember_seconds);
	buf_put_u8(&words, '\0');
	if (buf_status(&words) != KS_OK)
		return WIRE_NO_MEMORY;
	buf_put(&text, bytes_of("\r\n"));
	terminal_frame(&text,
		&(struct frame_text){.title = title_of(question),
			.trouble = question->trouble,
			.text = (const char *)words.data},
		size.ws_col);
	if (buf_status(&text) != KS_OK)
		return WIRE_NO_MEMORY;
	return show_pages(terminal, buf_bytes(&text), size.ws_row);
}

static enum wire_event converse(struct terminal *terminal)
{
	bool answerable = terminal->question->kind != PROMPT_NOTICE;
	enum wire_event event = WIRE_READY;

	if (answerable && !wire_make_raw(&terminal->wire))
		return WIRE_GONE;
	event = show(terminal);
	if (event != WIRE_READY)
		return event;
	/* A notice stands until it is withdrawn. */
	if (!answerable) {
		ask_shown();
		return wire_await(&terminal->wire, 0, 0);
	}
	if (terminal->question->kind == PROMPT_PIN)
		return ask_pin(terminal);
	return ask_yes(terminal,
		prompt_question_offers(terminal->question)
			? "Allow it? yes (once), remember or no [no]: "
			: "Allow it? yes or no [no]: ",
		"yes");
}

/* A prompter says it itself, with the time. */
static void say_outcome(struct terminal *terminal, const char *words)
{
	if (terminal->question->way != PROMPT_BY_PROMPTER)
		wire_say_at_once(&terminal->wire, words);
}

/* Says how it went, and what that means to the agent. */
static struct answer conclude(struct terminal *terminal, enum wire_event event)
{
	bool answerable = terminal->question->kind != PROMPT_NOTICE;

	switch (event) {
	case WIRE_READY:
		say_outcome(terminal, "Keystile: answered.\r\n");
		return (struct answer){
			.status = terminal->remember ? PROMPT_YES_REMEMBER : PROMPT_YES};
	case WIRE_NO:
		say_outcome(terminal, "Keystile: refused.\r\n");
		return (struct answer){.status = PROMPT_NO};
	case WIRE_WITHDRAWN:
	case WIRE_TIME:
		wire_say_at_once(
			&terminal->wire, answerable ? "\r\nKeystile: the question is withdrawn. "
						      "What is typed now goes elsewhere.\a\r\n"
						    : "Keystile: the notice is over.\r\n");
		return (struct answer){.status = PROMPT_NO};
	case WIRE_STUCK:
		return (struct answer){.status = PROMPT_NOBODY,
			.words = "the terminal takes nothing that is written to it"};
	case WIRE_NO_MEMORY:
		return (struct answer){.status = PROMPT_FAILED, .words = "out of memory"};
	case WIRE_GONE:
		break;
	}
	wire_say_at_once(&terminal->wire, "\r\nKeystile: the question is withdrawn.\r\n");
	return (struct answer){.status = PROMPT_NOBODY,
		.words = terminal->wire.place.words[0] != '\0' ? terminal->wire.place.words
							       : "the terminal went away"};
}

struct answer terminal_ask(const struct prompt_question *question, int signals,
	struct secret *output, char words[static TERMINAL_WORDS_MAX])
{
	struct terminal terminal = {
		.wire.signals = signals, .question = question, .answer = output};
	struct answer answer = {.status = PROMPT_NOBODY};

	if (terminal_place_open(&terminal.wire.place, question))
		answer = conclude(&terminal, converse(&terminal));
	else
		answer.words = terminal.wire.place.words;
	wire_restore(&terminal.wire);
	terminal_place_close(&terminal.wire.place);
	if (answer.status == PROMPT_YES && question->kind == PROMPT_PIN)
		answer.pin = BYTES(output->data, output->len);
	if (answer.words != NULL) {
		snprintf(words, TERMINAL_WORDS_MAX, "%s: %s",
			question->way == PROMPT_BY_PROMPTER ? "not in the prompter's terminal"
							    : "not in the asker's terminal",
			answer.words);
		answer.words = words;
	}
	return answer;
}
