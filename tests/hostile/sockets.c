/*
 * Sockets, as far as no test of its own tells who may be connected to.
 */
#include "hostile.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static bool makes_tcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool makes_udp_socket(void)
{
	return socket(AF_INET6, SOCK_DGRAM, 0) >= 0;
}

static bool makes_datagram_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM, 0) >= 0;
}

static bool makes_datagram_pair(void)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0;
}

static bool talks_to_the_kernel(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}

static bool sends_packets(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}

static bool talks_to_virtual_machines(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0) >= 0;
}

static bool uses_the_kernels_ciphers(void)
{
	return socket(AF_ALG, SOCK_SEQPACKET, 0) >= 0;
}

/* The test listens there, under the name that HOSTILE_ABSTRACT says. */
static bool connects_abstract(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *name = getenv("HOSTILE_ABSTRACT");
	size_t len = name != NULL ? strlen(name) : 0;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || len == 0 || len >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path + 1, name, len);
	return connect(fd, (struct sockaddr *)&address,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) == 0;
}

static bool listens(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/tmp/keystile-hostile-s"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

const struct attempt attempts_on_sockets[] = {
	{"make a TCP socket", makes_tcp_socket},
	{"make a UDP socket", makes_udp_socket},
	{"make a datagram socket", makes_datagram_socket},
	{"make a pair of datagram sockets", makes_datagram_pair},
	{"make a netlink socket", talks_to_the_kernel},
	{"make a packet socket", sends_packets},
	{"make a socket to virtual machines", talks_to_virtual_machines},
	{"make a socket to the kernel's ciphers", uses_the_kernels_ciphers},
	{"connect to an abstract socket", connects_abstract},
	{"listen", listens},
	{NULL, NULL},
};
