/*
 * Control connections: length-framed JSON. See control_server.h.
 */
#include "control_server.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/control.h>
#include <keystile/log.h>
#include <keystile/version.h>

#include "agent.h"
#include "lock.h"
#include "peer.h"
#include "policy_control.h"
#include "prompt_where.h"
#include "prompter.h"
#include "reload.h"
#include "resident_load.h"
#include "status.h"
#include "stream.h"
#include "surroundings_control.h"
#include "token_release.h"

#define CONTROLS_MAX 16
#define READ_PIECE ((size_t)4096)

struct control {
	struct control *next;
	struct agent *agent;
	struct stream stream;
	struct buf in;
	bool descriptor_seen;
	int passed; /* the last descriptor that came and was not used, or -1 */
	bool greeted;
	uint64_t awaits_run;	       /* of reload.h; 0: none */
	bool awaits_look;	       /* for a display, before its status is told */
	struct token_release *release; /* of whose end it is told; or NULL */
	struct resident_load *load;    /* likewise */
};

static void control_close(struct control *control)
{
	struct control **at = &control->agent->controls;

	while (*at != NULL && *at != control)
		at = &(*at)->next;
	if (*at != NULL)
		*at = control->next;
	prompter_forget(control->agent, control);
	if (control->release != NULL)
		token_release_abandon(control->release);
	control->release = NULL;
	if (control->load != NULL)
		resident_load_abandon(control->load);
	control->load = NULL;
	if (control->passed >= 0)
		close(control->passed);
	control->passed = -1;
	stream_close(&control->stream);
}

void controls_close(struct agent *agent)
{
	while (agent->controls != NULL)
		control_close(agent->controls);
}

static enum ks_error reply(struct control *control, json_t *object)
{
	char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
	struct buf out = {.max = CONTROL_MAX};

	json_decref(object);
	if (text == NULL)
		return KS_NO_MEMORY;
	buf_put_text(&out, text);
	free(text);
	return stream_send(&control->stream, &out, -1);
}

pid_t control_pid(const struct control *control)
{
	struct peer peer = {.folder = -1};
	pid_t pid = peer_read(control->stream.fd, &peer) == KS_OK ? peer.pid : 0;

	peer_deinit(&peer);
	return pid;
}

void control_tell(struct control *control, json_t *object)
{
	if (!stream_idle(&control->stream))
		json_decref(object);
	else if (reply(control, object) != KS_OK)
		log_debug("a control connection was not told what it waits for");
}

void control_drop(struct control *control, json_t *object)
{
	control_tell(control, object);
	control_close(control);
}

static enum ks_error become_prompter(struct control *control)
{
	int terminal = control->passed;

	control->passed = -1;
	return reply(control, prompter_register(control->agent, control, terminal));
}

static enum ks_error greet(struct control *control, const json_t *request)
{
	json_int_t version = json_integer_value(json_object_get(request, "keystile"));

	if (!control->descriptor_seen) {
		log_warning("a control connection without a descriptor was closed: "
			    "it may have been relayed");
		return KS_NOT_ALLOWED;
	}
	if (version < 1)
		return KS_BAD_INPUT;
	control->greeted = true;
	return reply(control,
		json_pack("{s:i,s:s}", "keystile", CONTROL_VERSION, "version", KEYSTILE_VERSION));
}

/* It says how people would be asked, so that has to be known. */
static enum ks_error answer_status(struct control *control)
{
	control->awaits_look = prompt_where_look(control->agent, PROMPT_PIN);
	return control->awaits_look ? KS_OK : reply(control, status_json(control->agent));
}

static enum ks_error begin_load(struct control *control, const json_t *request)
{
	if (lock_locked(control->agent->lock))
		return reply(control, json_pack("{s:b,s:s}", "ok", 0, "error",
					      "the agent is locked: ssh-add -X"));
	control->load = resident_load_start(control->agent, control, request);
	if (control->load != NULL)
		return KS_OK;
	return reply(control, json_pack("{s:b,s:s}", "ok", 0, "error",
				      "no worker for security keys could be started"));
}

static enum ks_error act(struct control *control, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));

	if (!control->greeted)
		return greet(control, request);
	if (command == NULL)
		command = "";
	if (strcmp(command, "status") == 0)
		return answer_status(control);
	if (strcmp(command, "prompter") == 0)
		return become_prompter(control);
	if (strcmp(command, "env-update") == 0)
		return reply(control, surroundings_update_json(control->agent, request));
	if (strcmp(command, "policy-show") == 0)
		return reply(control, policy_show_json(control->agent));
	if (strcmp(command, "policy-test") == 0)
		return reply(control, policy_test_json(control->agent, request));
	if (strcmp(command, "release") == 0) {
		control->release = token_release_start(control->agent, control, request);
		return control->release != NULL ? KS_OK : KS_NO_MEMORY;
	}
	if (strcmp(command, "load") == 0)
		return begin_load(control, request);
	if (strcmp(command, "reload") != 0)
		return reply(control, json_pack("{s:b,s:s}", "ok", 0, "error",
					      "this agent does not know that command"));
	control->awaits_run = reload_ask(control->agent->reload);
	return KS_OK;
}

/* 1 a message was handled, 0 not whole yet, -1 the connection must go. */
static int next_message(struct control *control)
{
	struct reader reader = reader_of(buf_bytes(&control->in));
	uint32_t len = reader_u32(&reader);
	json_t *request;
	enum ks_error error;

	if (reader.failed)
		return 0;
	if (len > CONTROL_REQUEST_MAX)
		return -1;
	if (reader.left < len)
		return 0;
	request = json_loadb((const char *)reader.data, len, JSON_REJECT_DUPLICATES, NULL);
	error = json_is_object(request) ? act(control, request) : KS_BAD_INPUT;
	json_decref(request);
	buf_consume(&control->in, sizeof(len) + len);
	return error == KS_OK ? 1 : -1;
}

static bool may_read(const struct control *control)
{
	return control->awaits_run == 0 && !control->awaits_look && control->release == NULL &&
	       control->load == NULL && stream_idle(&control->stream);
}

/* Nothing is read or answered while an answer is made or waits to be read: see connection.h. */
static void work_off(struct control *control)
{
	int handled = 1;

	while (handled > 0 && may_read(control))
		handled = next_message(control);
	if (handled < 0)
		control_close(control);
	else
		stream_read(&control->stream, may_read(control));
}

static void answer_reload(struct control *control, const char *refusal)
{
	json_t *object = refusal == NULL
				 ? json_pack("{s:b}", "ok", 1)
				 : json_pack("{s:b,s:o}", "ok", 0, "error", foreign_text(refusal));

	control->awaits_run = 0;
	if (reply(control, object) != KS_OK)
		control_close(control);
	else
		work_off(control);
}

void controls_reloaded(struct agent *agent, uint64_t run, const char *refusal)
{
	struct control *next;

	for (struct control *control = agent->controls; control != NULL; control = next) {
		next = control->next;
		if (control->awaits_run == run)
			answer_reload(control, refusal);
	}
}

void control_released(struct control *control, json_t *object)
{
	control->release = NULL;
	if (reply(control, object) != KS_OK)
		control_close(control);
	else
		work_off(control);
}

void control_loaded(struct control *control, json_t *object)
{
	control->load = NULL;
	if (reply(control, object) != KS_OK)
		control_close(control);
	else
		work_off(control);
}

static void answer_look(struct control *control)
{
	control->awaits_look = false;
	if (reply(control, status_json(control->agent)) != KS_OK)
		control_close(control);
	else
		work_off(control);
}

void controls_looked(struct agent *agent)
{
	struct control *next;

	for (struct control *control = agent->controls; control != NULL; control = next) {
		next = control->next;
		if (control->awaits_look)
			answer_look(control);
	}
}

static void on_readable(struct stream *stream)
{
	struct control *control = stream->owner;
	uint8_t *room = buf_reserve(&control->in, READ_PIECE);
	ssize_t got = -2;
	int fd = -1;

	if (room != NULL)
		got = stream_receive(stream, room, READ_PIECE, &fd);
	if (fd >= 0) {
		control->descriptor_seen = true;
		if (control->passed >= 0)
			close(control->passed);
		control->passed = fd;
	}
	if (got == -1)
		return;
	if (got <= 0) {
		control_close(control);
		return;
	}
	control->in.len += (size_t)got;
	work_off(control);
}

static void on_drained(struct stream *stream)
{
	work_off(stream->owner);
}

static void on_gone(struct stream *stream)
{
	control_close(stream->owner);
}

static void on_closed(struct stream *stream)
{
	struct control *control = stream->owner;

	buf_deinit(&control->in);
	free(control);
}

static const struct stream_events events = {
	.readable = on_readable,
	.drained = on_drained,
	.gone = on_gone,
	.closed = on_closed,
};

/* When all places are taken the one that connected first goes: it may just sit there. Prompters,
 * who have places of their own, are meant to. */
static void make_room(struct agent *agent)
{
	struct control *oldest = NULL;
	unsigned open = 0;

	for (struct control *control = agent->controls; control != NULL; control = control->next) {
		if (prompter_is(agent, control))
			continue;
		oldest = control;
		open++;
	}
	if (open >= CONTROLS_MAX)
		control_close(oldest);
}

static bool may_control(const struct agent *agent, int fd)
{
	struct peer peer = {.folder = -1};
	bool allowed = peer_read(fd, &peer) == KS_OK && (peer.uid == agent->uid || peer.uid == 0);

	peer_deinit(&peer);
	return allowed;
}

void control_accept(struct agent *agent, int fd)
{
	struct control *control = may_control(agent, fd) ? calloc(1, sizeof(*control)) : NULL;

	if (control == NULL) {
		close(fd);
		return;
	}
	make_room(agent);
	control->agent = agent;
	control->passed = -1;
	if (stream_init(&control->stream, &agent->loop, fd, &events, control) != KS_OK) {
		free(control);
		return;
	}
	buf_init(&control->in, CONTROL_REQUEST_MAX + 2 * READ_PIECE);
	control->next = agent->controls;
	agent->controls = control;
	stream_read(&control->stream, true);
}
