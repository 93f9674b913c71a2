/*
 * Reading a client's messages one after the other and writing the answers. See
 * connection.h for why nothing is read ahead.
 */
#include "connection.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/log.h>

#include "agent.h"
#include "audit.h"
#include "dispatch.h"
#include "listener.h"

/* Messages of one client that are handled in a row before others get their turn. */
#define MESSAGES_IN_A_ROW 16

static void on_closed(struct stream *stream)
{
	struct connection *connection = stream->owner;

	buf_deinit(&connection->body);
	session_binds_deinit(&connection->binds);
	peer_deinit(&connection->peer);
	free(connection);
}

void connection_close(struct connection *connection)
{
	struct agent *agent = connection->agent;
	struct connection **at = &agent->connections;
	struct request *request = connection->request;

	if (connection->closing)
		return;
	connection->closing = true;
	connection->request = NULL;
	if (request != NULL)
		request->abandon(request);
	audit_abandoned(connection);
	vault_release(connection);
	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	agent->connection_count--;
	agent->client_descriptors -= connection->peer.folder >= 0 ? 2 : 1;
	stream_close(&connection->stream);
	listeners_resume(agent);
}

static bool may_read(const struct connection *connection)
{
	return !connection->closing && connection->request == NULL &&
	       !connection->waits_for_vault && stream_idle(&connection->stream);
}

void connection_continue(struct connection *connection)
{
	if (!connection->closing)
		stream_read(&connection->stream, may_read(connection));
}

void connection_reply(struct connection *connection, struct buf *body)
{
	struct buf out = {.max = MESSAGE_MAX + MESSAGE_HEADER};

	connection->request = NULL;
	buf_put_string(&out, buf_bytes(body));
	if (buf_status(body) != KS_OK || buf_status(&out) != KS_OK) {
		buf_deinit(&out);
		buf_deinit(body);
		connection_answer(connection, MESSAGE_FAILURE);
		return;
	}
	audit_answered(connection, body->data[0]);
	buf_deinit(body);
	if (stream_send(&connection->stream, &out, -1) != KS_OK)
		connection_close(connection);
	else
		connection_continue(connection);
}

void connection_answer(struct connection *connection, enum message_type type)
{
	struct buf body = {0};

	/* It is over by now: closing must not abandon it once more. */
	connection->request = NULL;
	buf_put_u8(&body, (uint8_t)type);
	if (buf_status(&body) == KS_OK) {
		connection_reply(connection, &body);
		return;
	}
	buf_deinit(&body);
	connection_close(connection);
}

bool connection_peer_unchanged(struct connection *connection)
{
	struct agent *agent = connection->agent;
	bool kept = connection->peer.folder >= 0;
	bool unchanged = peer_unchanged(
		&connection->peer, agent->client_descriptors < agent->client_descriptors_max);

	if (!kept && connection->peer.folder >= 0)
		agent->client_descriptors++;
	return unchanged;
}

static size_t body_length(const struct connection *connection)
{
	uint32_t len;

	memcpy(&len, connection->header, sizeof(len));
	return ntohl(len);
}

static uint8_t type_of(const struct connection *connection)
{
	return connection->header[MESSAGE_HEADER];
}

/* The header is whole: decides where the body goes. */
static void begin_body(struct connection *connection)
{
	uint8_t type = type_of(connection);

	connection->body_left = body_length(connection) - 1;
	if (!connection->first_message_seen && type != MESSAGE_EXTENSION)
		dispatch_first_is_no_bind(connection);
	connection->discard = message_is_secret(type) && !dispatch_takes_secret(connection, type);
	connection->secret = message_is_secret(type) && !connection->discard;
	buf_clear(&connection->body);
}

/* 1 something was read, 0 nothing now, -1 the end. */
static int read_header(struct connection *connection)
{
	ssize_t got =
		stream_receive(&connection->stream, connection->header + connection->header_len,
			sizeof(connection->header) - connection->header_len, NULL);
	size_t len;

	if (got <= 0)
		return got == -1 ? 0 : -1;
	connection->header_len += (size_t)got;
	if (connection->header_len < MESSAGE_HEADER)
		return 1;
	len = body_length(connection);
	if (len == 0 || len > MESSAGE_MAX) {
		log_debug("a client sent a message of %zu bytes: closed", len);
		return -1;
	}
	if (connection->header_len == sizeof(connection->header))
		begin_body(connection);
	return 1;
}

/* A piece that is read past; it may be a secret of somebody who should not have sent it. */
static int read_past(struct connection *connection)
{
	uint8_t piece[4096];
	size_t len = connection->body_left < sizeof(piece) ? connection->body_left : sizeof(piece);
	ssize_t got = stream_receive(&connection->stream, piece, len, NULL);

	explicit_bzero(piece, sizeof(piece));
	if (got <= 0)
		return got == -1 ? 0 : -1;
	connection->body_left -= (size_t)got;
	return 1;
}

static int read_body(struct connection *connection)
{
	struct secret *memory = NULL;
	uint8_t *room;
	ssize_t got;

	if (connection->body_left == 0)
		return 1;
	if (connection->discard)
		return read_past(connection);
	if (connection->secret && connection->vault == NULL)
		vault_claim(connection);
	if (connection->secret && connection->vault == NULL)
		return 0;
	memory = connection->secret ? &connection->vault->memory : NULL;
	room = memory != NULL ? memory->data + memory->len
			      : buf_reserve(&connection->body, connection->body_left);
	if (room == NULL)
		return -1;
	got = stream_receive(&connection->stream, room, connection->body_left, NULL);
	if (got <= 0)
		return got == -1 ? 0 : -1;
	connection->body_left -= (size_t)got;
	if (memory != NULL)
		memory->len += (size_t)got;
	else
		connection->body.len += (size_t)got;
	return 1;
}

static void handle_message(struct connection *connection)
{
	struct bytes body = buf_bytes(&connection->body);

	connection->header_len = 0;
	/* One without a body never claimed a vault. */
	if (connection->vault != NULL)
		body = BYTES(connection->vault->memory.data, connection->vault->memory.len);
	audit_begin(connection, type_of(connection));
	if (connection->discard)
		dispatch_refuse(connection, type_of(connection));
	else
		dispatch(connection, type_of(connection), body);
	connection->first_message_seen = true;
	if (connection->secret)
		vault_release(connection);
	buf_clear(&connection->body);
	if (connection->body.cap > 4096) {
		buf_deinit(&connection->body);
		buf_init(&connection->body, MESSAGE_MAX);
	}
}

static void on_readable(struct stream *stream)
{
	struct connection *connection = stream->owner;
	int progress = 1;

	for (int handled = 0;
		progress > 0 && handled < MESSAGES_IN_A_ROW && may_read(connection);) {
		if (connection->header_len < sizeof(connection->header)) {
			progress = read_header(connection);
			if (progress <= 0 || connection->header_len < sizeof(connection->header))
				continue;
		}
		progress = read_body(connection);
		if (progress > 0 && connection->body_left == 0) {
			/* A bind is verified, which costs more than all others in a row. */
			handled += type_of(connection) == MESSAGE_EXTENSION ? MESSAGES_IN_A_ROW : 1;
			handle_message(connection);
		}
	}
	if (progress < 0)
		connection_close(connection);
	else
		connection_continue(connection);
}

static void on_drained(struct stream *stream)
{
	connection_continue(stream->owner);
}

static void on_gone(struct stream *stream)
{
	connection_close(stream->owner);
}

static const struct stream_events events = {
	.readable = on_readable,
	.drained = on_drained,
	.gone = on_gone,
	.closed = on_closed,
};

static bool may_connect(struct agent *agent, const struct peer *peer)
{
	if (peer->uid != agent->uid && peer->uid != 0) {
		log_warning("a connection of uid %u was closed", (unsigned)peer->uid);
		return false;
	}
	/* A card may have broken its worker. */
	if (children_descends(&agent->children, peer->pid, peer->start_time)) {
		log_warning("a connection of a worker's process (%d) was closed", (int)peer->pid);
		return false;
	}
	return true;
}

static struct origin first_origin(
	struct agent *agent, const struct peer *peer, const struct listener *listener)
{
	struct origin_facts facts = {
		.peer = peer, .listener_remote = listener->kind == LISTENER_REMOTE};

	if (origin_peer_forwards_later(peer))
		facts.ssh_seen_before =
			ssh_seen_before(&agent->ssh_seen, peer->pid, peer->start_time);
	return origin_at_accept(&facts, &agent->config);
}

static struct connection *connection_new(struct agent *agent, int fd, struct peer *peer)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (connection == NULL) {
		close(fd);
		return NULL;
	}
	if (stream_init(&connection->stream, &agent->loop, fd, &events, connection) != KS_OK) {
		free(connection);
		return NULL;
	}
	connection->agent = agent;
	connection->id = ++agent->last_connection_id;
	connection->peer = *peer;
	*peer = (struct peer){.folder = -1};
	buf_init(&connection->body, MESSAGE_MAX);
	return connection;
}

void connection_accept(struct agent *agent, int fd, const struct listener *listener)
{
	struct connection *connection = NULL;
	struct peer peer = {.folder = -1};

	if (peer_read(fd, &peer) == KS_OK && may_connect(agent, &peer))
		connection = connection_new(agent, fd, &peer);
	else
		close(fd);
	peer_deinit(&peer);
	if (connection == NULL)
		return;
	connection->listener = listener;
	connection->origin = first_origin(agent, &connection->peer, listener);
	connection->next = agent->connections;
	agent->connections = connection;
	agent->connection_count++;
	agent->client_descriptors++;
	stream_read(&connection->stream, true);
	log_debug("connection %llu: %s (pid %d), %s", (unsigned long long)connection->id,
		peer_program(&connection->peer), (int)connection->peer.pid,
		origin_words(connection->origin.rule));
}
