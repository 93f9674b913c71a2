/*
 * See host_naming.h.
 */
#include "host_naming.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "agent.h"
#include "known_hosts.h"
#include "origin.h"

#define COMMAND_LINE_MAX ((size_t)8 * 1024)

/* Of an ssh alone, and of none that could be in a position to keep us waiting. */
static void read_command_line(const struct peer *peer, struct host_guesses *guesses)
{
	char path[64];
	uint8_t words[COMMAND_LINE_MAX];
	AUTO(fd) fd = -1;
	ssize_t got;

	if (peer->pid <= 0 || peer->other_namespace || !origin_peer_forwards_later(peer))
		return;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)peer->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	got = read(fd, words, sizeof(words));
	if (got > 0)
		host_guesses_read(guesses, BYTES(words, (size_t)got));
}

/* Where one of the guesses is right, *names are new ones, and that is what it returns. */
static const char *try_guesses(const struct agent *agent, const struct session_bind *bind,
	const struct host_guesses *guesses, struct host_names *names)
{
	struct host_names found = {0};
	const char *guess;

	if (guesses->count > 0)
		found = known_hosts_names(
			agent->known_hosts, bind, (const char *const *)guesses->names);
	guess = found.failed ? NULL : found.guess;
	if (guess == NULL) {
		host_names_deinit(&found);
		return NULL;
	}
	host_names_deinit(names);
	*names = found;
	names->guess = NULL;
	return guess;
}

static struct host_names written(const struct agent *agent, const struct session_bind *bind)
{
	return known_hosts_names(
		agent->known_hosts, bind, (const char *const *)agent->config.rules.hosts);
}

static bool nameless(const struct host_names *names)
{
	return !names->failed && names->count == 0 && names->hashed;
}

struct host_names host_naming_known(const struct agent *agent, const struct session_bind *bind)
{
	struct host_names names = written(agent, bind);

	if (nameless(&names))
		(void)try_guesses(agent, bind, &agent->hosts_guessed, &names);
	return names;
}

struct host_names host_naming(
	struct agent *agent, const struct session_bind *bind, const struct peer *peer)
{
	struct host_names names = written(agent, bind);
	struct host_guesses guesses = {0};
	const char *right;

	if (!nameless(&names))
		return names;
	read_command_line(peer, &guesses);
	right = try_guesses(agent, bind, &guesses, &names);
	if (right != NULL)
		host_guesses_remember(&agent->hosts_guessed, right);
	else
		(void)try_guesses(agent, bind, &agent->hosts_guessed, &names);
	host_guesses_deinit(&guesses);
	return names;
}
