/*
 * Messages of a unix socket that keeps them apart.
 */
#include "command_channel.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one descriptor. */
union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr aligned;
};

bool command_channel_open(int *loop_end, int *broker_end)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	*loop_end = ends[0];
	*broker_end = ends[1];
	return true;
}

int command_channel_ask(int end, unsigned number)
{
	uint8_t asked = (uint8_t)number;
	int32_t error = -ECONNREFUSED;
	struct iovec bytes = {.iov_base = &error, .iov_len = sizeof(error)};
	union control control = {0};
	struct msghdr message = {.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room)};
	int fd = -1;

	if (end < 0 || send(end, &asked, 1, MSG_NOSIGNAL) != 1 ||
		recvmsg(end, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(error))
		return -ECONNREFUSED;
	if (CMSG_FIRSTHDR(&message) == NULL)
		return error < 0 ? error : -ECONNREFUSED;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

int command_channel_asked(int end, unsigned *number)
{
	uint8_t asked = 0;
	ssize_t got = recv(end, &asked, 1, MSG_DONTWAIT);

	*number = asked;
	if (got == 1)
		return 1;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : 0;
}

/* The error goes as bytes, the descriptor, if there is one, beside it. */
void command_channel_answer(int end, int fd)
{
	int32_t error = fd < 0 ? fd : 0;
	struct iovec bytes = {.iov_base = &error, .iov_len = sizeof(error)};
	union control control = {0};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

	if (fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		*CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(int));
	}
	/* Who has gone meanwhile needs none; the command then reads an end. */
	(void)sendmsg(end, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (fd >= 0)
		close(fd);
}
