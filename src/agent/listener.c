/*
 * Accepting connections.
 */
#include "listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <keystile/log.h>

#include "agent.h"
#include "connection.h"
#include "control_server.h"

#define ACCEPTS_IN_A_ROW 64
#define RETRY_MS 1000

static void on_connect(uv_poll_t *poll, int status, int events);
static void on_retry(uv_timer_t *retry);

static void pause_listening(struct listener *listener)
{
	if (listener->paused)
		return;
	listener->paused = true;
	uv_poll_stop(&listener->poll);
	uv_timer_start(&listener->retry, on_retry, RETRY_MS, 0);
	if (!listener->told)
		log_warning("too many connections: new ones wait");
	listener->told = true;
}

static void resume(struct listener *listener)
{
	if (!listener->paused || listener->agent->stopping)
		return;
	listener->paused = false;
	uv_timer_stop(&listener->retry);
	uv_poll_start(&listener->poll, UV_READABLE, on_connect);
}

static void on_retry(uv_timer_t *retry)
{
	resume(retry->data);
}

static void on_connect(uv_poll_t *poll, int status, int events)
{
	struct listener *listener = poll->data;
	struct agent *agent = listener->agent;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_IN_A_ROW; i++) {
		int fd;

		/* `keystile` must get through also when clients have taken all places. */
		if (listener->kind != LISTENER_CONTROL &&
			agent->client_descriptors >= agent->client_descriptors_max) {
			pause_listening(listener);
			return;
		}
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			if (errno == EAGAIN)
				listener->told = false;
			/* It stays readable: looking at it again at once would spin. */
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
				errno == ENOBUFS)
				pause_listening(listener);
			return;
		}
		if (listener->kind == LISTENER_CONTROL)
			control_accept(agent, fd);
		else
			connection_accept(agent, fd, listener);
	}
}

static const char *name_of(enum listener_kind kind)
{
	static const char *const names[] = {
		[LISTENER_AGENT] = "agent",
		[LISTENER_REMOTE] = "remote",
		[LISTENER_CONTROL] = "control",
	};

	return names[kind];
}

static void listener_free(struct listener *listener)
{
	free(listener->name);
	free(listener->path);
	config_list_free(&listener->keys);
	free(listener);
}

/* Where its socket is, and which it is: another agent may have made a new one there by the end. */
static bool note_path(struct listener *listener, const char *path)
{
	struct stat facts;

	if (path == NULL)
		return true;
	listener->path = strdup(path);
	if (listener->path == NULL || lstat(path, &facts) != 0)
		return false;
	listener->device = facts.st_dev;
	listener->inode = facts.st_ino;
	return true;
}

static bool take_section(struct listener *listener, const struct config_listener *section)
{
	listener->name = strdup(section != NULL ? section->name : name_of(listener->kind));
	if (section == NULL)
		return listener->name != NULL;
	listener->comments = section->comments;
	if (section->keys != NULL)
		listener->keys = config_list_copy((const char *const *)section->keys);
	return listener->name != NULL && (listener->keys != NULL || section->keys == NULL);
}

enum ks_error listener_add(struct agent *agent, const struct listener_wish *wish)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	struct listener **end = &agent->listeners;

	if (listener == NULL)
		return KS_NO_MEMORY;
	*listener = (struct listener){.agent = agent, .kind = wish->kind, .fd = wish->fd};
	if (!take_section(listener, wish->section) || !note_path(listener, wish->path) ||
		uv_poll_init(&agent->loop, &listener->poll, wish->fd) != 0) {
		listener_free(listener);
		return KS_NO_MEMORY;
	}
	listener->poll.data = listener;
	uv_timer_init(&agent->loop, &listener->retry);
	listener->retry.data = listener;
	listener->handles = 2;
	while (*end != NULL)
		end = &(*end)->next;
	*end = listener;
	uv_poll_start(&listener->poll, UV_READABLE, on_connect);
	return KS_OK;
}

const struct listener *listener_named(const struct agent *agent, const char *name)
{
	const struct listener *listener = agent->listeners;

	while (listener != NULL && strcmp(listener->name, name) != 0)
		listener = listener->next;
	return listener;
}

void listeners_resume(struct agent *agent)
{
	for (struct listener *listener = agent->listeners; listener != NULL;
		listener = listener->next)
		resume(listener);
}

static void on_closed(uv_handle_t *handle)
{
	struct listener *listener = handle->data;

	if (--listener->handles > 0)
		return;
	listener_free(listener);
}

static void remove_socket(const struct listener *listener)
{
	struct stat facts;

	if (listener->path != NULL && lstat(listener->path, &facts) == 0 &&
		facts.st_dev == listener->device && facts.st_ino == listener->inode)
		unlink(listener->path);
}

void listeners_close(struct agent *agent)
{
	while (agent->listeners != NULL) {
		struct listener *listener = agent->listeners;

		agent->listeners = listener->next;
		uv_poll_stop(&listener->poll);
		remove_socket(listener);
		close(listener->fd);
		uv_close((uv_handle_t *)&listener->poll, on_closed);
		uv_close((uv_handle_t *)&listener->retry, on_closed);
	}
}
