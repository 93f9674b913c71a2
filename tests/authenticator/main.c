/*
 * authenticator-token PORT CONTROL [LINE...]: a security key in software. PORT is the number of a
 * SEQPACKET socket to the testbed, CONTROL the path of a socket to be made, a LINE what a test
 * would say there. It ends when the testbed does.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "token.h"

static int listen_on(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 8) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool obey(struct token *token, const char *text)
{
	char line[256];
	char answer[CONTROL_ANSWER_MAX];

	snprintf(line, sizeof(line), "%s", text);
	control_run(token, line, answer);
	if (strncmp(answer, "ok", 2) == 0)
		return true;
	fprintf(stderr, "authenticator: %s: %s", text, answer);
	return false;
}

static void token_deinit(struct token *token)
{
	store_free(&token->store);
	client_pin_free(&token->pin);
	free(token->next);
	free(token->listing);
	for (size_t i = 0; i < sizeof(token->clients) / sizeof(token->clients[0]); i++) {
		if (token->clients[i] >= 0)
			close(token->clients[i]);
	}
}

int main(int count, char **words)
{
	static struct token token;
	int control = count > 2 ? listen_on(words[2]) : -1;

	if (control < 0) {
		fprintf(stderr, "usage: authenticator-token PORT CONTROL [LINE...]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	token_init(&token, (int)strtol(words[1], NULL, 10), control);
	for (int i = 3; i < count; i++) {
		if (!obey(&token, words[i]))
			return 2;
	}
	while (!token.ended) {
		token_serve(&token, token.hid.assembling ? 20 : 1000);
		hid_work(&token);
	}
	token_deinit(&token);
	close(control);
	return 0;
}
