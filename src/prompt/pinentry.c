/*
 * The order of a conversation: options, the texts, the pages of a long question but the last, the
 * question itself, BYE, and the pinentry's own end. Whatever goes otherwise than it should ends it,
 * and then nothing is handed on.
 */
#include "pinentry.h"

#include <assuan.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/secret.h>

#include "offer.h"
#include "pinentry_memory.h"
#include "pinentry_reply.h"
#include "pinentry_talk.h"
#include "pinentry_text.h"

#define PAGES_MAX 12
/* An answer that comes sooner was typed before the question could be read. */
#define HASTY_MS 1000
#define HASTY_TIMES 3
/* What pinentry-curses draws around a text, the trouble and the number of the page included. */
#define FRAME_LINES 12
#define PAGE_LINES_MIN 6
#define PAGE_LINES_MAX 60

/* ---- Before the question ---- */

/* Drops what was typed ahead, and sees how many lines there are. */
static enum pinentry_end prepare_terminal(struct talk *talk)
{
	const char *type = getenv("TERM");
	struct winsize size = {0};
	AUTO(fd)
	fd = open(talk->question->terminal, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	enum pinentry_end end;

	if (fd < 0 || tcflush(fd, TCIFLUSH) != 0)
		return PINENTRY_UNABLE;
	talk->page_lines = PAGE_LINES_MIN;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > FRAME_LINES + PAGE_LINES_MIN)
		talk->page_lines = size.ws_row - FRAME_LINES;
	end = talk_set_option(talk, "ttyname", talk->question->terminal);
	if (end != PINENTRY_DONE)
		return end;
	return talk_set_option(talk, "ttytype", type != NULL && *type != '\0' ? type : "xterm");
}

static enum pinentry_end set_labels(struct talk *talk, const char *yes, const char *no)
{
	enum pinentry_end end = talk_set(talk, "SETOK ", bytes_of(yes));

	return end == PINENTRY_DONE ? talk_set(talk, "SETCANCEL ", bytes_of(no)) : end;
}

static enum pinentry_end introduce(struct talk *talk)
{
	char timeout[32];
	enum pinentry_end end = talk_say(talk, "OPTION grab", WANTED_OK);

	/* Not every pinentry can keep the keyboard for itself. */
	if (end == PINENTRY_DONE || end == PINENTRY_UNABLE)
		end = talk_set(talk, "SETTITLE ", bytes_of("Keystile"));
	if (end == PINENTRY_DONE && *talk->question->terminal != '\0')
		end = prepare_terminal(talk);
	snprintf(timeout, sizeof(timeout), "SETTIMEOUT %u",
		(unsigned)talk->question->timeout_seconds);
	if (end == PINENTRY_DONE && talk->question->timeout_seconds > 0)
		end = talk_say(talk, timeout, WANTED_OK);
	if (end == PINENTRY_DONE && talk->question->kind == PROMPT_PIN)
		end = talk_set(talk, "SETPROMPT ",
			bytes_of(talk->question->password ? "Password:" : "PIN:"));
	return end;
}

/* Whether a third button can be offered. One that does not say what it is has two. */
static enum pinentry_end consider_offer(struct talk *talk)
{
	struct secret *answer = &talk->pin;
	enum pinentry_end end;

	if (!prompt_question_offers(talk->question))
		return PINENTRY_DONE;
	end = talk_say(talk, "GETINFO flavor", WANTED_DATA);
	talk->offers =
		end == PINENTRY_DONE && pinentry_tells_three(BYTES(answer->data, answer->len));
	secret_wipe(answer);
	return end == PINENTRY_UNABLE ? PINENTRY_DONE : end;
}

/* ---- The question ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_yes(enum pinentry_end end)
{
	return end == PINENTRY_DONE || end == PINENTRY_REMEMBER;
}

/* Shows what was set; an answer that nobody can have thought about is asked for again. */
static enum pinentry_end show(struct talk *talk, const char *command, enum wanted wanted)
{
	for (unsigned times = 0; times < HASTY_TIMES; times++) {
		int64_t begun = now_ms();
		enum pinentry_end end = talk_say(talk, command, wanted);

		if (!is_yes(end) || now_ms() - begun >= HASTY_MS)
			return end;
		secret_wipe(&talk->pin);
		end = talk_set(talk, "SETERROR ",
			bytes_of("That came before you can have read this. Once more:"));
		if (end != PINENTRY_DONE)
			return end;
	}
	return PINENTRY_REFUSED;
}

static size_t count_pages(struct bytes text, size_t max_lines)
{
	size_t count = 0;

	while (text.len > 0) {
		pinentry_page(&text, max_lines);
		count++;
	}
	return count;
}

static enum pinentry_end set_page(struct talk *talk, struct bytes page, size_t number, size_t count)
{
	AUTO(buf) text = {.max = PINENTRY_LINE_MAX};
	char note[48];

	snprintf(note, sizeof(note), "\n(part %zu of %zu)", number, count);
	buf_put(&text, page);
	if (count > 1)
		buf_put(&text, bytes_of(note));
	if (buf_status(&text) != KS_OK)
		return PINENTRY_NO_MEMORY;
	return talk_set(talk, "SETDESC ", buf_bytes(&text));
}

/* The third button, for which the person has to move to it: see pinentry_tells_three(). */
static enum pinentry_end set_offer(struct talk *talk)
{
	char label[OFFER_LABEL_MAX];

	offer_label(talk->question->remember_seconds, label);
	return talk_set(talk, "SETNOTOK ", bytes_of(label));
}

static enum wanted wanted_of(const struct talk *talk)
{
	if (talk->question->kind == PROMPT_PIN)
		return WANTED_DATA;
	return talk->offers ? WANTED_CHOICE : WANTED_OK;
}

static enum pinentry_end show_last(struct talk *talk)
{
	static const char *const commands[] = {
		[PROMPT_PIN] = "GETPIN", [PROMPT_CONFIRM] = "CONFIRM", [PROMPT_NOTICE] = "MESSAGE"};
	const struct prompt_question *question = talk->question;
	bool confirms = question->kind == PROMPT_CONFIRM;
	const char *yes = talk->offers ? "Yes, once" : "Allow";
	enum pinentry_end end =
		set_labels(talk, confirms ? yes : "OK", confirms ? "Refuse" : "Cancel");

	if (end == PINENTRY_DONE && talk->offers)
		end = set_offer(talk);
	if (end == PINENTRY_DONE && *question->trouble != '\0')
		end = talk_set(talk, "SETERROR ", bytes_of(question->trouble));
	if (end != PINENTRY_DONE)
		return end;
	/* The helper takes it for the moment at which a notice is shown (ask.h). */
	if (question->kind == PROMPT_NOTICE && write(STDOUT_FILENO, "\n", 1) != 1)
		return PINENTRY_LOST;
	return show(talk, commands[question->kind], wanted_of(talk));
}

static enum pinentry_end show_pages(struct talk *talk)
{
	AUTO(buf) text = {.max = 4 * PROMPT_MAX};
	enum pinentry_end end = PINENTRY_DONE;
	struct bytes rest;
	size_t count;

	pinentry_break_quotes(&text, bytes_of(talk->question->text));
	if (talk->offers)
		offer_put(&text, talk->question->remember_seconds);
	if (buf_status(&text) != KS_OK)
		return PINENTRY_NO_MEMORY;
	rest = buf_bytes(&text);
	count = count_pages(rest, talk->page_lines);
	if (count > PAGES_MAX)
		return PINENTRY_TOO_LONG;
	if (count > 1)
		end = set_labels(talk, "Continue", "Refuse");
	for (size_t number = 1; number <= count && end == PINENTRY_DONE; number++) {
		end = set_page(talk, pinentry_page(&rest, talk->page_lines), number, count);
		if (end == PINENTRY_DONE && number < count)
			end = show(talk, "CONFIRM", WANTED_OK);
	}
	return end == PINENTRY_DONE ? show_last(talk) : end;
}

/* ---- The pinentry process ---- */

static void before_exec(void *opaque, int reserved)
{
	(void)reserved;
	/* It must not outlive this process, whose ignored signals are not for it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != *(pid_t *)opaque)
		_exit(4);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
}

static int log_nothing(assuan_context_t assuan, void *hook, unsigned category, const char *words)
{
	(void)assuan;
	(void)hook;
	(void)category;
	(void)words;
	return 0;
}

static enum pinentry_end start(struct talk *talk)
{
	const char *arguments[] = {talk->question->program, NULL};
	struct assuan_malloc_hooks hooks;
	pid_t self = getpid();

	if (access(talk->question->program, X_OK) != 0)
		return PINENTRY_MISSING;
	/* The pinentry gets it too and puts its terminal right; this process ends with it. */
	if (signal(SIGTERM, SIG_IGN) == SIG_ERR || unsetenv("ASSUAN_DEBUG") != 0 ||
		secret_init(&talk->pin, KS_PIN_MAX + 2) != KS_OK ||
		pinentry_memory_init(&hooks) != KS_OK ||
		assuan_new_ext(&talk->assuan, GPG_ERR_SOURCE_DEFAULT, &hooks, log_nothing, NULL) !=
			0)
		return PINENTRY_NO_MEMORY;
	assuan_set_flag(talk->assuan, ASSUAN_NO_LOGGING, 1);
	assuan_set_flag(talk->assuan, ASSUAN_NO_WAITPID, 1);
	assuan_begin_confidential(talk->assuan);
	if (assuan_pipe_connect(talk->assuan, talk->question->program, arguments, NULL, before_exec,
		    &self, 0) != 0)
		return PINENTRY_LOST;
	talk->pid = assuan_get_pid(talk->assuan);
	return talk->pid > 0 ? PINENTRY_DONE : PINENTRY_LOST;
}

/* Its answer counts once it has ended well. */
static enum pinentry_end finish(struct talk *talk, enum pinentry_end answer)
{
	enum pinentry_end end = talk_say(talk, "BYE", WANTED_OK);
	int status = 0;

	assuan_release(talk->assuan);
	talk->assuan = NULL;
	if (end != PINENTRY_DONE)
		return PINENTRY_SPOILT;
	while (waitpid(talk->pid, &status, 0) < 0)
		if (errno != EINTR)
			return PINENTRY_SPOILT;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? answer : PINENTRY_SPOILT;
}

static enum pinentry_end hand_over(struct talk *talk)
{
	struct secret *pin = &talk->pin;

	if (pin->len == pin->cap)
		return PINENTRY_NONSENSE;
	pin->data[pin->len++] = '\n';
	return write(STDOUT_FILENO, pin->data, pin->len) == (ssize_t)pin->len ? PINENTRY_DONE
									      : PINENTRY_LOST;
}

enum pinentry_end pinentry_ask(const struct prompt_question *question)
{
	struct talk talk = {.question = question, .page_lines = PAGE_LINES_MAX};
	enum pinentry_end end = start(&talk);

	if (end == PINENTRY_DONE)
		end = introduce(&talk);
	if (end == PINENTRY_DONE)
		end = consider_offer(&talk);
	if (end == PINENTRY_DONE)
		end = show_pages(&talk);
	if (is_yes(end))
		end = finish(&talk, end);
	if (end == PINENTRY_DONE && question->kind == PROMPT_PIN)
		end = hand_over(&talk);
	/* The pinentry, if it is still there, goes with the helper's process group. */
	secret_deinit(&talk.pin);
	pinentry_memory_deinit();
	return end;
}
