/*
 * authenticator-bed PORT...: a testbed of umockdev with a hidraw device for each token. A PORT is
 * the number of a SEQPACKET socket to an authenticator: reports of 64 bytes go through it both
 * ways, and an order is one byte, 'I' for insert and 'P' for pull, sent back when it is done. The
 * first line of output is UMOCKDEV_DIR; it ends when its standard input does.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/socket.h>

#include "bed_device.h"

#define DEVICES_MAX 8

static void serve_port(struct bed_device *device)
{
	uint8_t data[BED_REPORT_LEN + 1];
	ssize_t len = recv(device->port, data, sizeof(data), MSG_DONTWAIT);

	if (len == 0) {
		device->port = -1; /* its authenticator has ended */
		return;
	}
	if (len == BED_REPORT_LEN)
		bed_device_to_host(device, data);
	if (len != 1)
		return;
	if (data[0] == 'I')
		bed_device_insert(device);
	else
		bed_device_pull(device);
	if (send(device->port, data, 1, MSG_NOSIGNAL) != 1)
		perror("authenticator-bed: answer");
}

/* Events of the node come before what was written to it: a new opener finds it empty. */
static void serve(struct bed_device *devices, size_t count)
{
	struct pollfd fds[1 + 3 * DEVICES_MAX] = {{.fd = STDIN_FILENO, .events = POLLIN}};

	for (size_t i = 0; i < count; i++) {
		fds[1 + 3 * i] = (struct pollfd){.fd = devices[i].watch, .events = POLLIN};
		fds[2 + 3 * i] = (struct pollfd){
			.fd = devices[i].listened ? devices[i].master : -1, .events = POLLIN};
		fds[3 + 3 * i] = (struct pollfd){.fd = devices[i].port, .events = POLLIN};
	}
	while (poll(fds, 1 + 3 * count, -1) < 0)
		;
	for (size_t i = 0; i < count; i++) {
		if (fds[1 + 3 * i].revents != 0 || fds[2 + 3 * i].revents != 0)
			bed_device_from_host(&devices[i]);
		if (fds[3 + 3 * i].revents != 0)
			serve_port(&devices[i]);
	}
	if (fds[0].revents != 0)
		devices[0].ended = true;
}

int main(int count, char **words)
{
	struct bed_device devices[DEVICES_MAX] = {0};
	UMockdevTestbed *testbed = NULL;
	size_t ports = (size_t)count - 1;

	if (count < 2 || ports > DEVICES_MAX) {
		fprintf(stderr, "usage: authenticator-bed PORT...\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	testbed = umockdev_testbed_new();
	for (size_t i = 0; i < ports; i++) {
		if (!bed_device_init(
			    &devices[i], testbed, (unsigned)i, (int)strtol(words[i + 1], NULL, 10)))
			return 1;
	}
	printf("%s\n", umockdev_testbed_get_root_dir(testbed));
	fflush(stdout);
	while (!devices[0].ended)
		serve(devices, ports);
	for (size_t i = 0; i < ports; i++)
		bed_device_pull(&devices[i]);
	g_object_unref(testbed);
	return 0;
}
