/*
 * The order: the place is judged, keys that wait are dropped, raw mode without signals, the
 * question in parts that fit, a second in which keys are dropped, the answer, the modes as they
 * were. Who is in the foreground is looked at again all the while.
 */
#include "terminal.h"
#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "terminal_frame.h"
#include "terminal_line.h"
#include "terminal_place.h"

/* Keys that come sooner were typed before the question could be read. */
#define HASTY_MS 1000
/* A terminal whose other end takes nothing, or that Ctrl-S stopped, for so long is of no use. */
#define WRITE_MS 3000
#define LOOK_MS 200
#define TIMES 3 /* that an answer which is none is asked for again */
#define COLUMNS_DEFAULT 80
#define OTHER_LINES 4 /* of a page: what is below the question */
#define PAGE_LINES_MIN 5
#define TEXT_MAX ((size_t)256 * 1024)

enum event {
	EVENT_READY,
	EVENT_TIME,
	EVENT_WITHDRAWN,
	EVENT_GONE,  /* the terminal hung up, or another program came to its foreground */
	EVENT_STUCK, /* it takes nothing */
	EVENT_NO,
	EVENT_NO_MEMORY,
};

struct terminal {
	struct terminal_place place;
	struct termios before;
	bool changed; /* its modes are ours */
	int signals;
	const struct prompt_question *question;
	struct secret *answer;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Waiting ---- */

static bool was_withdrawn(const struct terminal *terminal)
{
	struct signalfd_siginfo info;

	while (read(terminal->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			return true;
	return false;
}

static bool hung_up(struct terminal *terminal, short found)
{
	if ((found & (POLLHUP | POLLERR | POLLNVAL)) == 0)
		return false;
	snprintf(terminal->place.words, sizeof(terminal->place.words), "the terminal went away");
	return true;
}

/* Until the terminal can be read (POLLIN) or written (POLLOUT), or with 0 only until the time is
 * over; until_ms of 0 is never. */
static enum event await(struct terminal *terminal, short wanted, int64_t until_ms)
{
	for (;;) {
		struct pollfd ends[] = {{.fd = terminal->signals, .events = POLLIN},
			{.fd = terminal->place.fd, .events = wanted}};
		int64_t left = until_ms == 0 ? LOOK_MS : until_ms - now_ms();
		int wait = left < LOOK_MS ? (int)left : LOOK_MS;

		if (poll(ends, 2, wait > 0 ? wait : 0) < 0 && errno != EINTR)
			return EVENT_GONE;
		if (was_withdrawn(terminal))
			return EVENT_WITHDRAWN;
		if (hung_up(terminal, ends[1].revents) || !terminal_place_holds(&terminal->place))
			return EVENT_GONE;
		if ((ends[1].revents & wanted) != 0)
			return EVENT_READY;
		if (left <= 0)
			return EVENT_TIME;
	}
}

static enum event put(struct terminal *terminal, struct bytes bytes)
{
	int64_t until_ms = now_ms() + WRITE_MS;

	while (bytes.len > 0) {
		enum event event = await(terminal, POLLOUT, until_ms);
		ssize_t sent;

		if (event != EVENT_READY)
			return event == EVENT_TIME ? EVENT_STUCK : event;
		sent = write(terminal->place.fd, bytes.data, bytes.len);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return EVENT_GONE;
		if (sent > 0)
			bytes = BYTES(bytes.data + sent, bytes.len - (size_t)sent);
	}
	return EVENT_READY;
}

static enum event say(struct terminal *terminal, const char *words)
{
	return put(terminal, bytes_of(words));
}

/* The last word; whoever can't take it at once does without. */
static void say_at_once(const struct terminal *terminal, const char *words)
{
	(void)!write(terminal->place.fd, words, strlen(words));
}

/* ---- The terminal's modes ---- */

static bool make_raw(struct terminal *terminal)
{
	struct termios raw;

	if (tcgetattr(terminal->place.fd, &terminal->before) != 0 ||
		tcflush(terminal->place.fd, TCIFLUSH) != 0)
		return false;
	raw = terminal->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHOE | ECHOK | ECHONL | ISIG | IEXTEN);
	raw.c_oflag &= ~(tcflag_t)OPOST;
	/* Without IXON what Ctrl-S had stopped goes on. */
	raw.c_iflag &= ~(tcflag_t)(IXON | IXOFF | ICRNL | INLCR | IGNCR | ISTRIP | PARMRK | BRKINT);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	terminal->changed = true;
	return tcsetattr(terminal->place.fd, TCSANOW, &raw) == 0;
}

/* What was typed and not taken is for nobody else. */
static void restore(struct terminal *terminal)
{
	if (!terminal->changed)
		return;
	tcflush(terminal->place.fd, TCIFLUSH);
	tcsetattr(terminal->place.fd, TCSANOW, &terminal->before);
	terminal->changed = false;
}

/* ---- One line of answer ---- */

/* Keys of the first second, and all that was typed before it, are dropped. */
static enum event let_read(struct terminal *terminal)
{
	enum event event = say(terminal, "wait...");

	if (event == EVENT_READY)
		event = await(terminal, 0, now_ms() + HASTY_MS);
	if (event != EVENT_TIME)
		return event;
	tcflush(terminal->place.fd, TCIFLUSH);
	return say(terminal, "\r       \r");
}

/* What shows of a key: for a PIN nothing. */
static enum event echo(struct terminal *terminal, const struct terminal_line *line, size_t before)
{
	enum event event = EVENT_READY;
	size_t len = line->text->len;

	if (!line->words_only)
		return EVENT_READY;
	if (len > before)
		return put(terminal, BYTES(line->text->data + before, len - before));
	for (; before > len && event == EVENT_READY; before--)
		event = say(terminal, "\b \b");
	return event;
}

/* EVENT_READY: a line was typed. The byte lies in the locked memory of the answer from the first.
 */
static enum event read_line(struct terminal *terminal, struct terminal_line *line)
{
	for (;;) {
		size_t before = line->text->len;
		uint8_t *at = line->text->data + before;
		enum event event = await(terminal, POLLIN, 0);
		enum line_state state;
		ssize_t got;
		uint8_t key;

		if (event != EVENT_READY)
			return event;
		got = read(terminal->place.fd, at, 1);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return EVENT_GONE;
		key = *at;
		*at = 0;
		state = terminal_line_take(line, key);
		if (state != LINE_OPEN)
			return state == LINE_ENDED ? EVENT_READY : EVENT_NO;
		event = echo(terminal, line, before);
		if (event != EVENT_READY)
			return event;
	}
}

static enum event ask_line(
	struct terminal *terminal, const char *prompt, struct terminal_line *line)
{
	enum event event = let_read(terminal);

	terminal_line_clear(line);
	if (event == EVENT_READY)
		event = say(terminal, prompt);
	if (event == EVENT_READY)
		event = read_line(terminal, line);
	if (event == EVENT_READY)
		event = say(terminal, "\r\n");
	return event;
}

/* ---- The answer ---- */

static enum event ask_pin(struct terminal *terminal)
{
	struct terminal_line line = {.text = terminal->answer, .keys = &terminal->before};
	const char *label = terminal->question->password ? "Password: " : "PIN: ";
	enum event event = say(terminal, "Keys are not shown. Return alone or Esc: no.\r\n");

	for (unsigned times = 0; times < TIMES && event == EVENT_READY; times++) {
		event = ask_line(terminal, label, &line);
		if (event != EVENT_READY)
			return event;
		if (!line.spoilt)
			return line.text->len > 0 ? EVENT_READY : EVENT_NO;
		event = say(terminal, "That was too long, or held a control character.\r\n");
	}
	return event == EVENT_READY ? EVENT_NO : event;
}

static bool is_word(const struct terminal_line *line, const char *word)
{
	size_t len = strlen(word);

	return !line->spoilt && line->text->len == len &&
	       (len == 0 || strncasecmp((const char *)line->text->data, word, len) == 0);
}

static enum event ask_yes(struct terminal *terminal, const char *prompt, const char *yes)
{
	struct terminal_line line = {
		.text = terminal->answer, .words_only = true, .keys = &terminal->before};
	enum event event = EVENT_READY;

	for (unsigned times = 0; times < TIMES && event == EVENT_READY; times++) {
		event = ask_line(terminal, prompt, &line);
		if (event != EVENT_READY)
			return event;
		if (is_word(&line, yes) || (is_word(&line, "y") && *yes != '\0'))
			return EVENT_READY;
		if (is_word(&line, "") || is_word(&line, "n") || is_word(&line, "no"))
			return EVENT_NO;
		event = say(terminal, *yes != '\0' ? "Please type yes or no.\r\n"
						   : "Please press Return or Esc.\r\n");
	}
	return event == EVENT_READY ? EVENT_NO : event;
}

/* ---- The question ---- */

static struct winsize window(const struct terminal *terminal)
{
	struct winsize size = {0};

	if (ioctl(terminal->place.fd, TIOCGWINSZ, &size) != 0)
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

static enum event show_pages(struct terminal *terminal, struct bytes text, size_t rows)
{
	size_t lines = rows > OTHER_LINES + PAGE_LINES_MIN ? rows - OTHER_LINES : PAGE_LINES_MIN;
	enum event event = EVENT_READY;

	if (rows == 0 || terminal->question->kind == PROMPT_NOTICE)
		return put(terminal, text);
	while (event == EVENT_READY) {
		event = put(terminal, take_lines(&text, lines));
		if (event != EVENT_READY || text.len == 0)
			break;
		event = ask_yes(terminal, "There is more. Return: go on, Esc: refuse. ", "");
	}
	return event;
}

static enum event show(struct terminal *terminal)
{
	const struct prompt_question *question = terminal->question;
	struct winsize size = window(terminal);
	AUTO(buf) text = {.max = TEXT_MAX};

	buf_put(&text, bytes_of("\r\n"));
	terminal_frame(&text,
		&(struct frame_text){.title = title_of(question),
			.trouble = question->trouble,
			.text = question->text},
		size.ws_col);
	if (buf_status(&text) != KS_OK)
		return EVENT_NO_MEMORY;
	return show_pages(terminal, buf_bytes(&text), size.ws_row);
}

static enum event converse(struct terminal *terminal)
{
	bool answerable = terminal->question->kind != PROMPT_NOTICE;
	enum event event = EVENT_READY;

	if (answerable && !make_raw(terminal))
		return EVENT_GONE;
	event = show(terminal);
	if (event != EVENT_READY)
		return event;
	/* A notice stands until it is withdrawn. */
	if (!answerable) {
		ask_shown();
		return await(terminal, 0, 0);
	}
	if (terminal->question->kind == PROMPT_PIN)
		return ask_pin(terminal);
	return ask_yes(terminal, "Allow it? yes or no [no]: ", "yes");
}

/* Says how it went, and what that means to the agent. */
static struct answer conclude(struct terminal *terminal, enum event event)
{
	bool answerable = terminal->question->kind != PROMPT_NOTICE;

	switch (event) {
	case EVENT_READY:
		say_at_once(terminal, "Keystile: answered.\r\n");
		return (struct answer){.status = PROMPT_YES};
	case EVENT_NO:
		say_at_once(terminal, "\r\nKeystile: refused.\r\n");
		return (struct answer){.status = PROMPT_NO};
	case EVENT_WITHDRAWN:
	case EVENT_TIME:
		say_at_once(terminal, answerable ? "\r\nKeystile: the question is withdrawn. "
						   "What is typed now goes elsewhere.\a\r\n"
						 : "Keystile: the notice is over.\r\n");
		return (struct answer){.status = PROMPT_NO};
	case EVENT_STUCK:
		return (struct answer){.status = PROMPT_NOBODY,
			.words = "the terminal takes nothing that is written to it"};
	case EVENT_NO_MEMORY:
		return (struct answer){.status = PROMPT_FAILED, .words = "out of memory"};
	case EVENT_GONE:
		break;
	}
	say_at_once(terminal, "\r\nKeystile: the question is withdrawn.\r\n");
	return (struct answer){.status = PROMPT_NOBODY,
		.words = terminal->place.words[0] != '\0' ? terminal->place.words
							  : "the terminal went away"};
}

struct answer terminal_ask(const struct prompt_question *question, int signals,
	struct secret *output, char words[static TERMINAL_WORDS_MAX])
{
	struct terminal terminal = {.signals = signals, .question = question, .answer = output};
	struct answer answer = {.status = PROMPT_NOBODY};

	if (terminal_place_open(&terminal.place, question))
		answer = conclude(&terminal, converse(&terminal));
	else
		answer.words = terminal.place.words;
	restore(&terminal);
	terminal_place_close(&terminal.place);
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
