/*
 * The prompter hands its terminal over as a descriptor; an asker's is found by its device number.
 * Both are opened anew, so that O_NONBLOCK is ours alone, and compared with what the kernel says of
 * the holder.
 */
#include "terminal_place.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "terminal_readers.h"

#define PTS_MAJOR 136

static bool refuse(struct terminal_place *place, const char *words)
{
	snprintf(place->words, sizeof(place->words), "%s", words);
	return false;
}

/* False where no device of that number is known. */
static bool device_path(dev_t device, char path[static PATH_MAX])
{
	char link[64], target[PATH_MAX];
	const char *name;
	ssize_t len;

	if (major(device) == PTS_MAJOR) {
		snprintf(path, PATH_MAX, "/dev/pts/%u", minor(device));
		return true;
	}
	snprintf(link, sizeof(link), "/sys/dev/char/%u:%u", major(device), minor(device));
	len = readlink(link, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	name = strrchr(target, '/');
	return name != NULL && snprintf(path, PATH_MAX, "/dev%.255s", name) > 0;
}

static int open_terminal(const struct prompt_question *question, dev_t device)
{
	const int flags = O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
	char path[PATH_MAX];

	if (question->way == PROMPT_BY_PROMPTER) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", PROMPT_TERMINAL_FD);
		return open(path, flags);
	}
	return device_path(device, path) ? open(path, flags | O_NOFOLLOW) : -1;
}

/* It is the terminal that controls the holder, and nobody else's. */
static bool is_right(struct terminal_place *place)
{
	struct stat facts;

	if (place->fd < 0 || fstat(place->fd, &facts) != 0 || !S_ISCHR(facts.st_mode) ||
		facts.st_rdev != place->holder.terminal || !isatty(place->fd))
		return refuse(place, "its terminal can't be opened");
	if (facts.st_uid != getuid())
		return refuse(place, "its terminal belongs to somebody else");
	if ((facts.st_mode & (S_IRGRP | S_IROTH)) != 0)
		return refuse(place, "others may read from its terminal");
	return true;
}

/* An ssh in the middle of a session, a shell or an editor has it otherwise. */
static bool in_line_mode(int fd)
{
	struct termios modes;

	return tcgetattr(fd, &modes) == 0 && (modes.c_lflag & ICANON) != 0 &&
	       (modes.c_lflag & ECHO) != 0;
}

static bool nobody_reads(struct terminal_place *place, const struct prompt_question *question)
{
	char name[PROCESS_NAME_MAX];

	if (!in_line_mode(place->fd))
		return refuse(place, "a program reads single keys or a password from its terminal");
	if (question->way == PROMPT_BY_ASKER && !terminal_holder_waits(&place->holder))
		return refuse(place, "what asks may itself read from its terminal: only ssh, "
				     "ssh-add and ssh-keygen are known not to");
	if (!terminal_has_reader(&place->holder, name))
		return true;
	snprintf(place->words, sizeof(place->words),
		"another program may read from its terminal: %.100s",
		name[0] != '\0' ? name : "one that can't be looked at");
	return false;
}

bool terminal_place_open(struct terminal_place *place, const struct prompt_question *question)
{
	*place = (struct terminal_place){.fd = -1};
	if (!process_read((pid_t)question->holder, &place->holder) ||
		place->holder.start_time != question->holder_start)
		return refuse(place, "the process whose terminal it is has ended");
	if (!process_in_foreground(&place->holder))
		return refuse(place, "it has no terminal, or is in its background");
	place->fd = open_terminal(question, place->holder.terminal);
	return is_right(place) &&
	       (question->kind == PROMPT_NOTICE || nobody_reads(place, question)) &&
	       terminal_place_holds(place);
}

bool terminal_place_holds(struct terminal_place *place)
{
	struct process now;

	if (!process_read(place->holder.pid, &now) || now.start_time != place->holder.start_time)
		return refuse(place, "the process whose terminal it is has ended");
	if (now.terminal != place->holder.terminal || !process_in_foreground(&now))
		return refuse(place, "another program came to the foreground of the terminal");
	return true;
}

void terminal_place_close(struct terminal_place *place)
{
	if (place->fd >= 0)
		close(place->fd);
	place->fd = -1;
}
