/*
 * A check in a process of its own: what it asks may hang or crash a library, and the other checks
 * go on all the same.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "doctor.h"

#define FINDINGS_MAX ((size_t)1 << 16)

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In the child, which has a copy of everything and ends here. */
static void run_child(doctor_check *check, int out)
{
	struct doctor own = {.findings = json_array()};

	check(&own);
	json_dumpfd(own.findings, out, JSON_COMPACT);
	_exit(0);
}

/* Until its end, or until time is over; false then. */
static bool read_all(int fd, int64_t deadline_ms, struct buf *into)
{
	for (;;) {
		struct pollfd end = {.fd = fd, .events = POLLIN};
		int64_t left_ms = deadline_ms - now_ms();
		uint8_t piece[4096];
		ssize_t got;

		if (left_ms <= 0)
			return false;
		if (poll(&end, 1, (int)left_ms) <= 0)
			continue;
		got = read(fd, piece, sizeof(piece));
		if (got <= 0)
			return got == 0;
		buf_put(into, BYTES(piece, (size_t)got));
	}
}

static bool merge(struct doctor *doctor, struct bytes text)
{
	json_t *findings = json_loadb((const char *)text.data, text.len, 0, NULL);
	bool good = json_is_array(findings);

	for (size_t i = 0; i < json_array_size(findings); i++)
		doctor_add(doctor, json_array_get(findings, i));
	json_decref(findings);
	return good;
}

bool doctor_apart(struct doctor *doctor, doctor_check *check, unsigned seconds)
{
	AUTO(buf) text = {.max = FINDINGS_MAX};
	int ends[2];
	bool whole;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	AUTO(fd) reading = ends[0];

	pid = fork();
	if (pid == 0)
		run_child(check, ends[1]);
	close(ends[1]);
	if (pid < 0)
		return false;
	whole = read_all(reading, now_ms() + (int64_t)seconds * 1000, &text);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return whole && buf_status(&text) == KS_OK && merge(doctor, buf_bytes(&text));
}
