/*
 * Messages to and from the agent, within one deadline. The agent is checked as strictly as it
 * checks us: it may be another version, hang, or be something else altogether.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/control.h>
#include <keystile/text.h>
#include <keystile/version.h>

#include "control.h"
#include "find.h"
#include "page.h"

/* Where complaints go; NULL: to standard error. */
static struct buf *complaints;

void complain_into(struct buf *said)
{
	complaints = said;
}

void complain(const char *format, ...)
{
	AUTO(text)
	words = NULL;
	va_list arguments;

	va_start(arguments, format);
	words = text_format_list(format, arguments);
	va_end(arguments);

	AUTO(text)
	safe = page_escape(words != NULL ? words : "out of memory", true);

	if (complaints != NULL)
		buf_put(complaints, bytes_of(safe));
	else
		fprintf(stderr, "keystile: %s\n", safe != NULL ? safe : "out of memory");
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int control_left_ms(const struct control *control)
{
	int64_t left_ms = control->deadline_ms - now_ms();

	return left_ms > 0 ? (int)left_ms : 1;
}

static enum ks_error lost(const struct control *control, const char *words)
{
	complain("%s: %s", control->path, words);
	return KS_DEVICE_FAILED;
}

static enum ks_error not_answered(const struct control *control)
{
	complain("the agent (pid %ld) does not answer within %d seconds: it hangs, or is stopped",
		(long)control->pid, CONTROL_PATIENCE_MS / 1000);
	return KS_TIMEOUT;
}

/* ---- Sending ---- */

/* The message goes out as one; proof, where it is not -1, is a descriptor that goes with it. */
static enum ks_error send_bytes(const struct control *control, struct buf *message, int proof)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} ancillary = {0};
	struct iovec piece = {.iov_base = message->data, .iov_len = message->len};
	struct msghdr out = {.msg_iov = &piece, .msg_iovlen = 1};
	ssize_t sent;

	if (proof >= 0) {
		out.msg_control = ancillary.space;
		out.msg_controllen = sizeof(ancillary.space);
		ancillary.header.cmsg_level = SOL_SOCKET;
		ancillary.header.cmsg_type = SCM_RIGHTS;
		ancillary.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&ancillary.header), &proof, sizeof(proof));
	}
	do {
		sent = sendmsg(control->fd, &out, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN)
		return not_answered(control);
	if (sent != (ssize_t)message->len)
		return lost(control, "the agent closed the connection");
	return KS_OK;
}

/* Takes the reference to object; NULL is out of memory. */
static enum ks_error send_object(const struct control *control, json_t *object, int proof)
{
	AUTO(text)
	text = json_dumps(object, JSON_COMPACT);
	AUTO(buf)
	message = {0};

	json_decref(object);
	buf_init(&message, CONTROL_REQUEST_MAX);
	buf_put_text(&message, text);
	if (text == NULL || buf_status(&message) != KS_OK) {
		complain("out of memory");
		return KS_NO_MEMORY;
	}
	return send_bytes(control, &message, proof);
}

/* ---- Receiving ---- */

/* Exactly len bytes. */
static enum ks_error receive_bytes(const struct control *control, uint8_t *at, size_t len)
{
	while (len > 0) {
		struct pollfd end = {.fd = control->fd, .events = POLLIN};
		int64_t left_ms = control->deadline_ms - now_ms();
		ssize_t got;

		if (left_ms <= 0 || poll(&end, 1, (int)left_ms) == 0)
			return not_answered(control);
		got = recv(control->fd, at, len, MSG_DONTWAIT);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return lost(control, "the agent closed the connection");
		at += got;
		len -= (size_t)got;
	}
	return KS_OK;
}

static enum ks_error receive_object(const struct control *control, json_t **object)
{
	AUTO(buf)
	body = {0};
	uint32_t announced;
	size_t len;
	enum ks_error error = receive_bytes(control, (uint8_t *)&announced, sizeof(announced));

	if (error != KS_OK)
		return error;
	len = ntohl(announced);
	if (len > CONTROL_MAX)
		return lost(control, "what answers is not an agent of Keystile, or broken");
	buf_init(&body, CONTROL_MAX);
	if (buf_reserve(&body, len + 1) == NULL) {
		complain("out of memory");
		return KS_NO_MEMORY;
	}
	error = receive_bytes(control, body.data, len);
	if (error != KS_OK)
		return error;
	*object = json_loadb((const char *)body.data, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(*object))
		return KS_OK;
	json_decref(*object);
	*object = NULL;
	return lost(control, "what answers is not an agent of Keystile, or broken");
}

/* ---- The conversation ---- */

/* The agent's own words for a refusal, NULL when it is none. */
static const char *refusal(const json_t *answer)
{
	const json_t *ok = json_object_get(answer, "ok");
	const char *words = json_string_value(json_object_get(answer, "error"));

	if (ok == NULL || json_is_true(ok))
		return NULL;
	return words != NULL ? words : "no reason given";
}

static enum ks_error check_hello(const struct control *control, const json_t *hello)
{
	const json_t *number = json_object_get(hello, "keystile");
	const char *version = json_string_value(json_object_get(hello, "version"));

	if (refusal(hello) != NULL) {
		complain("the agent refuses: %s", refusal(hello));
		return KS_REFUSED;
	}
	if (!json_is_integer(number))
		return lost(control, "what answers is not an agent of Keystile, or broken");
	if (json_integer_value(number) == CONTROL_VERSION)
		return KS_OK;
	complain(
		"the agent (pid %ld) is Keystile %s and this command is Keystile %s, which do not "
		"understand each other;\n  restart the agent, or use the command that came with it",
		(long)control->pid, version != NULL ? version : "of another version",
		KEYSTILE_VERSION);
	return KS_UNSUPPORTED;
}

static enum ks_error greet(const struct control *control)
{
	AUTO(fd)
	proof = open("/dev/null", O_RDONLY | O_CLOEXEC);
	json_t *hello = NULL;
	enum ks_error error;

	if (proof < 0)
		return lost(control, "/dev/null can't be opened");
	error = send_object(control, json_pack("{s:i}", "keystile", CONTROL_VERSION), proof);
	if (error == KS_OK)
		error = receive_object(control, &hello);
	if (error == KS_OK)
		error = check_hello(control, hello);
	json_decref(hello);
	return error;
}

enum ks_error control_open(struct control *control)
{
	*control = (struct control){.fd = -1, .deadline_ms = now_ms() + CONTROL_PATIENCE_MS};

	enum ks_error error = find_agent(control);

	if (error == KS_OK)
		error = greet(control);
	if (error != KS_OK) {
		struct auth_socket auth = control->auth;

		control_close(control);
		control->auth = auth;
	}
	return error;
}

void control_close(struct control *control)
{
	if (control->fd >= 0)
		close(control->fd);
	free(control->path);
	*control = (struct control){.fd = -1};
}

enum ks_error control_call(struct control *control, const char *command, json_t **answer)
{
	json_t *request = json_pack("{s:s}", "command", command);
	enum ks_error error = control_ask(control, request, answer);

	json_decref(request);
	return error;
}

enum ks_error control_ask(struct control *control, json_t *request, json_t **answer)
{
	return control_hand_over(control, request, -1, answer);
}

enum ks_error control_hear(struct control *control, json_t **object)
{
	*object = NULL;
	control->deadline_ms = now_ms() + CONTROL_PATIENCE_MS;
	return receive_object(control, object);
}

void control_be_patient(struct control *control, int patience_ms)
{
	control->deadline_ms = now_ms() + patience_ms;
}

enum ks_error control_hand_over(
	struct control *control, json_t *request, int descriptor, json_t **answer)
{
	enum ks_error error;

	*answer = NULL;
	error = send_object(control, json_incref(request), descriptor);
	if (error == KS_OK)
		error = receive_object(control, answer);
	if (error != KS_OK)
		return error;
	if (json_is_true(json_object_get(*answer, "ok")))
		return KS_OK;
	if (refusal(*answer) != NULL)
		complain("the agent refuses: %s", refusal(*answer));
	else
		complain("%s: what answers is not an agent of Keystile, or broken", control->path);
	json_decref(*answer);
	*answer = NULL;
	return KS_REFUSED;
}
