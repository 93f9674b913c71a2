/*
 * One connection to the reader at a time.
 */
#include "vpcd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#define HEADER 2
#define PIECE 4096
#define MESSAGE_MAX 65535

/* A message of one byte is one of these. */
enum { POWER_OFF, POWER_ON, RESET, GET_ATR = 4 };

void vpcd_init(struct vpcd *vpcd, uint16_t port)
{
	*vpcd = (struct vpcd){.fd = -1, .port = port};
	buf_init(&vpcd->in, (size_t)2 * (MESSAGE_MAX + HEADER));
}

/*
 * The reader writes a message's length and the rest apart, and its kernel keeps the rest until the
 * length is acknowledged, which ours would do 40 ms later.
 */
static void acknowledge_at_once(int fd)
{
	int yes = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof(yes));
}

bool vpcd_insert(struct vpcd *vpcd)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(vpcd->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return false;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return false;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	acknowledge_at_once(fd);
	vpcd->fd = fd;
	return true;
}

void vpcd_remove(struct vpcd *vpcd, struct card *card)
{
	if (vpcd->fd >= 0)
		close(vpcd->fd);
	vpcd->fd = -1;
	buf_clear(&vpcd->in);
	card_reset(card);
}

bool vpcd_receive(struct vpcd *vpcd)
{
	uint8_t *room = buf_reserve(&vpcd->in, PIECE);
	ssize_t got = room == NULL ? -1 : recv(vpcd->fd, room, PIECE, MSG_DONTWAIT);

	if (got < 0 && room != NULL && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0)
		return false;
	vpcd->in.len += (size_t)got;
	acknowledge_at_once(vpcd->fd);
	return true;
}

bool vpcd_send(struct vpcd *vpcd, struct bytes message)
{
	AUTO(buf) out = {0};

	buf_put_u8(&out, (uint8_t)(message.len >> 8));
	buf_put_u8(&out, (uint8_t)message.len);
	buf_put(&out, message);
	return buf_status(&out) == KS_OK && message.len <= MESSAGE_MAX &&
	       send(vpcd->fd, out.data, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
}

static bool whole(const struct vpcd *vpcd, struct bytes *message)
{
	size_t len;

	if (vpcd->in.len < HEADER)
		return false;
	len = (size_t)vpcd->in.data[0] << 8 | vpcd->in.data[1];
	if (vpcd->in.len < HEADER + len)
		return false;
	*message = BYTES(vpcd->in.data + HEADER, len);
	return true;
}

bool vpcd_next(struct vpcd *vpcd, struct card *card, struct bytes *command)
{
	while (whole(vpcd, command)) {
		if (command->len > 1)
			return true;
		/* A failure to send shows at the next read. */
		if (command->len == 1 && command->data[0] == GET_ATR)
			(void)vpcd_send(vpcd, card_atr(card));
		else if (command->len == 1)
			card_reset(card);
		vpcd_handled(vpcd);
	}
	return false;
}

void vpcd_handled(struct vpcd *vpcd)
{
	struct bytes message;

	if (whole(vpcd, &message))
		buf_consume(&vpcd->in, HEADER + message.len);
}
