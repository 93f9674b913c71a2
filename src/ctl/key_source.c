/*
 * An agent for one ssh-add: its socket lies in a folder of our own, who connects must be that
 * process, and the message with the key is in locked memory from its first byte.
 */
#include "key_source.h"

#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/private_key.h>
#include <keystile/text.h>

#include "control.h"

#define MESSAGE_ADD 17
#define MESSAGE_FAILURE 5
#define MESSAGE_SUCCESS 6
#define READ_SECONDS 10 /* for a message that has begun */
#define COMMENT_MAX 1000

struct source {
	char folder[64];
	struct sockaddr_un address;
	int listener;
	pid_t pid;	       /* of ssh-add */
	int ended;	       /* pidfd */
	struct secret message; /* behind its number */
	bool taken;
};

/* ---- The socket ---- */

static bool make_folder(struct source *source)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	for (unsigned i = 0; i < 2; i++) {
		const char *base = i == 0 ? runtime : "/tmp";

		if (base == NULL || base[0] != '/' || strlen(base) > 32)
			continue;
		snprintf(source->folder, sizeof(source->folder), "%s/keystile-key.XXXXXX", base);
		if (mkdtemp(source->folder) != NULL)
			return true;
	}
	source->folder[0] = '\0';
	return false;
}

static bool source_listen(struct source *source)
{
	source->address.sun_family = AF_UNIX;
	if (!make_folder(source))
		return false;
	snprintf(source->address.sun_path, sizeof(source->address.sun_path), "%s/agent",
		source->folder);
	source->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return source->listener >= 0 &&
	       bind(source->listener, (const struct sockaddr *)&source->address,
		       sizeof(source->address)) == 0 &&
	       listen(source->listener, 4) == 0;
}

static void source_deinit(struct source *source)
{
	if (source->listener >= 0)
		close(source->listener);
	if (source->ended >= 0)
		close(source->ended);
	if (source->folder[0] != '\0') {
		unlink(source->address.sun_path);
		rmdir(source->folder);
	}
	secret_deinit(&source->message);
}

/* ---- ssh-add ---- */

/* Our environment, with another agent; the caller frees the array. */
static char **environment_with(char *agent)
{
	size_t count = 0, kept = 0;
	char **out;

	while (environ[count] != NULL)
		count++;
	out = calloc(count + 2, sizeof(*out));
	for (size_t i = 0; out != NULL && i < count; i++)
		if (strncmp(environ[i], "SSH_AUTH_SOCK=", strlen("SSH_AUTH_SOCK=")) != 0)
			out[kept++] = environ[i];
	if (out != NULL)
		out[kept] = agent;
	return out;
}

/* It stays in our session, as it asks for a passphrase in our terminal. */
static bool start(struct source *source, const char *path)
{
	AUTO(text) agent = text_format("SSH_AUTH_SOCK=%s", source->address.sun_path);
	AUTO(text) file = path[0] == '-' ? text_format("./%s", path) : strdup(path);
	char program[] = "ssh-add", quiet[] = "-q", keys_only[] = "-k";
	char *arguments[] = {program, quiet, keys_only, file, NULL};
	char **environment = agent != NULL ? environment_with(agent) : NULL;
	int error = ENOMEM;

	if (file != NULL && environment != NULL)
		error = posix_spawnp(&source->pid, program, NULL, NULL, arguments, environment);
	free(environment);
	if (error != 0) {
		complain(
			"ssh-add, which reads private keys, can't be started: %s", strerror(error));
		source->pid = 0;
		return false;
	}
	source->ended = (int)syscall(SYS_pidfd_open, source->pid, 0);
	return source->ended >= 0;
}

/* ---- What it sends ---- */

static bool read_exactly(int fd, uint8_t *at, size_t len)
{
	while (len > 0) {
		struct pollfd end = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (poll(&end, 1, READ_SECONDS * 1000) <= 0)
			return false;
		got = recv(fd, at, len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		len -= (size_t)got;
	}
	return true;
}

/* One message and its answer; the key is in the one that adds. False: the conversation is over. */
static bool serve_message(struct source *source, int fd)
{
	uint8_t head[5], answer[] = {0, 0, 0, 1, MESSAGE_FAILURE};
	struct reader reader = reader_of(BYTES(head, 4));
	size_t len;

	if (!read_exactly(fd, head, sizeof(head)))
		return false;
	len = reader_u32(&reader);
	if (len < 1 || len > SECRET_PIPE_MAX || source->taken ||
		secret_init(&source->message, SECRET_PIPE_MAX) != KS_OK)
		return false;
	if (!read_exactly(fd, source->message.data, len - 1))
		return false;
	source->message.len = len - 1;
	if (head[4] == MESSAGE_ADD) {
		source->taken = true;
		answer[4] = MESSAGE_SUCCESS;
	} else {
		secret_deinit(&source->message);
	}
	return send(fd, answer, sizeof(answer), MSG_NOSIGNAL) == (ssize_t)sizeof(answer);
}

static bool is_ssh_add(const struct source *source, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       peer.pid == source->pid && peer.uid == getuid();
}

static void serve(struct source *source)
{
	AUTO(fd) fd = accept4(source->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && is_ssh_add(source, fd))
		while (serve_message(source, fd))
			;
}

/* Until it has ended: a person may take any time for a passphrase. */
static int serve_until_end(struct source *source)
{
	struct pollfd ends[] = {{.fd = source->ended, .events = POLLIN},
		{.fd = source->listener, .events = POLLIN}};
	int status = -1;

	while (ends[0].revents == 0) {
		if (poll(ends, 2, -1) < 0 && errno != EINTR)
			break;
		if ((ends[1].revents & POLLIN) != 0)
			serve(source);
	}
	while (waitpid(source->pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- The key ---- */

static enum ks_error take_key(const struct source *source, struct secret *key, char **comment)
{
	struct reader in = reader_of(BYTES(source->message.data, source->message.len));
	struct private_key parsed = {0};
	enum ks_error error = private_key_read(&in, &parsed);

	if (error != KS_OK) {
		complain("the key is of a kind that is not known here");
		return error;
	}
	*comment = reader_text(&in, COMMENT_MAX);
	if (*comment == NULL)
		*comment = strdup("");
	error = *comment != NULL ? secret_init(key, parsed.whole.len) : KS_NO_MEMORY;
	if (error != KS_OK) {
		free(*comment);
		*comment = NULL;
		return error;
	}
	memcpy(key->data, parsed.whole.data, parsed.whole.len);
	key->len = parsed.whole.len;
	return KS_OK;
}

enum ks_error key_source_read(const char *path, struct secret *key, char **comment)
{
	struct source source = {.listener = -1, .ended = -1};
	enum ks_error error = KS_DEVICE_FAILED;

	*key = (struct secret){0};
	*comment = NULL;
	if (!source_listen(&source))
		complain("there is no place for a socket to hand the key over");
	else if (start(&source, path) && serve_until_end(&source) == 0 && source.taken)
		error = take_key(&source, key, comment);
	else if (source.pid != 0)
		complain("%s could not be read as a private key", path);
	source_deinit(&source);
	return error;
}
