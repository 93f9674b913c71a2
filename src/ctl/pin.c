/*
 * Runs the prompt helper for one question, by the way that `keystile prompter` is asked: in a
 * terminal whose foreground is ours.
 */
#include "pin.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/process.h>
#include <keystile/prompt.h>

#include "child.h"
#include "control.h"

#define PATIENCE_SECONDS 300
#define TRIES 3

static const char no_terminal[] =
	"a PIN is typed in a terminal, and this command has none: run it in one, in its foreground";

/* The first of the three that is one, opened anew by its name. */
static int open_terminal(void)
{
	static const int places[] = {STDIN_FILENO, STDERR_FILENO, STDOUT_FILENO};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (ttyname_r(places[i], path, sizeof(path)) == 0)
			return open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return -1;
}

static char *borrowed(const char *text)
{
	union {
		const char *borrowed;
		char *text;
	} same = {.borrowed = text};

	return same.text;
}

/* The question in a pipe that is already whole, -1. */
static int question_pipe(const struct pin_question *question)
{
	struct process self;
	AUTO(buf) bytes = {.max = PROMPT_MAX};
	int out = -1;

	if (!process_read(getpid(), &self))
		return -1;
	prompt_question_encode(&(struct prompt_question){.kind = PROMPT_PIN,
				       .way = PROMPT_BY_PROMPTER,
				       .password = question->password,
				       .text = borrowed(question->text),
				       .trouble = borrowed(question->trouble),
				       .program = borrowed(""),
				       .terminal = borrowed(""),
				       .timeout_seconds = PATIENCE_SECONDS,
				       .holder = (uint32_t)self.pid,
				       .holder_start = self.start_time},
		&bytes);
	if (buf_status(&bytes) != KS_OK || secret_to_pipe(bytes.data, bytes.len, &out) != KS_OK)
		return -1;
	return out;
}

static enum ks_error judge(int status)
{
	switch (status) {
	case PROMPT_YES:
		return KS_OK;
	case PROMPT_NO:
		complain("nothing was typed: nothing is done");
		return KS_REFUSED;
	default:
		complain("%s", no_terminal);
		return KS_PIN_NEEDED;
	}
}

enum ks_error pin_ask(const struct pin_question *question, int *out)
{
	AUTO(fd) terminal = open_terminal();
	AUTO(fd) asked = terminal >= 0 ? question_pipe(question) : -1;
	int ends[2];
	pid_t pid;

	*out = -1;
	if (terminal < 0) {
		complain("%s", no_terminal);
		return KS_PIN_NEEDED;
	}
	if (asked < 0 || pipe2(ends, O_CLOEXEC) != 0) {
		complain("out of memory or descriptors");
		return KS_NO_MEMORY;
	}
	AUTO(fd) reading = ends[0];

	pid = child_start_prompt(asked, ends[1], terminal);
	close(ends[1]);
	if (pid == 0)
		return KS_PIN_NEEDED;
	enum ks_error error = judge(child_end(pid, (PATIENCE_SECONDS + 5) * 1000));
	if (error == KS_OK)
		*out = TAKE_FD(reading);
	return error;
}

enum ks_error pin_read(const struct pin_question *question, struct secret *out)
{
	AUTO(fd) pipe_end = -1;
	enum ks_error error = pin_ask(question, &pipe_end);

	*out = (struct secret){0};
	if (error != KS_OK)
		return error;
	error = secret_init(out, KS_PIN_MAX);
	if (error == KS_OK)
		error = secret_read(out, pipe_end);
	if (error == KS_OK && out->len == 0)
		error = KS_BAD_INPUT;
	if (error == KS_OK)
		return KS_OK;
	complain("what was typed can't be taken");
	secret_deinit(out);
	return error;
}

static bool same(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

enum ks_error pin_choose(const char *text, struct secret *out)
{
	const char *trouble = "";

	for (unsigned times = 0; times < TRIES; times++) {
		struct secret again = {0};
		enum ks_error error =
			pin_read(&(struct pin_question){.text = text, .trouble = trouble}, out);

		if (error != KS_OK)
			return error;
		error = pin_read(
			&(struct pin_question){.text = "The same once more.\n", .trouble = ""},
			&again);
		bool agree = error == KS_OK && same(out, &again);
		secret_deinit(&again);
		if (agree)
			return KS_OK;
		secret_deinit(out);
		if (error != KS_OK)
			return error;
		trouble = "The two were not the same.";
	}
	complain("the two were not the same: nothing is done");
	return KS_REFUSED;
}

enum ks_error pin_append(struct secret *row, const struct secret *one)
{
	const uint8_t len[] = {(uint8_t)(one->len >> 24), (uint8_t)(one->len >> 16),
		(uint8_t)(one->len >> 8), (uint8_t)one->len};

	if (row->data == NULL && secret_init(row, SECRET_PIPE_MAX) != KS_OK)
		return KS_NO_MEMORY;
	if (one->len > row->cap - row->len - sizeof(len))
		return KS_BAD_INPUT;
	memcpy(row->data + row->len, len, sizeof(len));
	memcpy(row->data + row->len + sizeof(len), one->data, one->len);
	row->len += sizeof(len) + one->len;
	return KS_OK;
}
