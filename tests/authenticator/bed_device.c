/*
 * umockdev 0.17.16 aborts when a device is removed and added again: it is added once, and its
 * node, the link of its class and the terminal are swapped by hand after that.
 */
#include "bed_device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define PATH_LEN 512
/* FIDO's usage page, 64 bytes in, 64 bytes out. */
#define DESCRIPTOR "06D0F10901A1010920150026FF007508954081020921150026FF00750895409102C0"
#define DESCRIPTOR_LEN 34
#define DESCRIPTOR_ROOM 4096 /* of struct hidraw_report_descriptor */

static const char description[] =
	"P: /devices/pci0000:00/usb1/1-%1$u\n"
	"E: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nE: ID_VENDOR_ID=1209\nE: ID_MODEL_ID=000%1$u\n"
	"A: manufacturer=Keystile\\n\nA: product=Token %1$u in software\\n\n"
	"A: idVendor=1209\\n\nA: idProduct=000%1$u\\n\nA: serial=SW%1$u\\n\n\n"
	"P: /devices/pci0000:00/usb1/1-%1$u/1-%1$u:1.0\n"
	"E: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\n\n"
	"P: /devices/pci0000:00/usb1/1-%1$u/1-%1$u:1.0/0003:1209:000%1$u.0001\n"
	"E: SUBSYSTEM=hid\nE: HID_ID=0003:00001209:0000000%1$u\n"
	"E: HID_NAME=Keystile Token %1$u in software\n"
	"A: uevent=HID_ID=0003:00001209:0000000%1$u\\nHID_NAME=Keystile Token %1$u in "
	"software\\n\n\n"
	"P: /devices/pci0000:00/usb1/1-%1$u/1-%1$u:1.0/0003:1209:000%1$u.0001/hidraw/hidraw%1$u\n"
	"N: hidraw%1$u\n"
	"E: SUBSYSTEM=hidraw\nE: DEVNAME=/dev/hidraw%1$u\nE: MAJOR=240\nE: MINOR=%1$u\n"
	"E: ID_FIDO_TOKEN=1\nE: ID_SECURITY_TOKEN=1\nE: TAGS=:uaccess:\nA: dev=240:%1$u\\n\n\n";

static void path_of(
	const struct bed_device *device, const char *folder, const char *name, char out[PATH_LEN])
{
	snprintf(out, PATH_LEN, "%s/%s/%s", umockdev_testbed_get_root_dir(device->testbed), folder,
		name);
}

static const char *node_name(const struct bed_device *device, char out[16])
{
	snprintf(out, 16, "hidraw%u", device->number);
	return out;
}

/* The answers to the two requests by which hosts learn that it is a security key. */
static bool add_ioctls(struct bed_device *device)
{
	char padding[2 * (DESCRIPTOR_ROOM - DESCRIPTOR_LEN) + 1];
	char path[PATH_LEN];
	char name[32];
	GError *error = NULL;
	FILE *file = NULL;

	memset(padding, '0', sizeof(padding) - 1);
	padding[sizeof(padding) - 1] = '\0';
	snprintf(name, sizeof(name), "/dev/hidraw%u", device->number);
	path_of(device, ".", "ioctls", path);
	file = fopen(path, "we");
	if (file == NULL)
		return false;
	fprintf(file, "@DEV %s\nHIDIOCGRDESCSIZE 0 %02x000000\nHIDIOCGRDESC 0 %02x000000%s%s\n",
		name, DESCRIPTOR_LEN, DESCRIPTOR_LEN, DESCRIPTOR, padding);
	fclose(file);
	if (!umockdev_testbed_load_ioctl(device->testbed, name, path, &error))
		fprintf(stderr, "authenticator-bed: %s\n", error->message);
	unlink(path);
	return error == NULL;
}

/* Out of sight until it is inserted. */
static void hide(struct bed_device *device)
{
	char name[16];
	char from[PATH_LEN];
	char to[PATH_LEN];

	path_of(device, "dev", node_name(device, name), from);
	unlink(from);
	path_of(device, "sys/class/hidraw", name, from);
	path_of(device, ".", name, to);
	if (rename(from, to) != 0)
		perror("authenticator-bed: the link of its class");
}

bool bed_device_init(struct bed_device *device, UMockdevTestbed *testbed, unsigned number, int port)
{
	char text[4096];
	GError *error = NULL;

	*device = (struct bed_device){
		.testbed = testbed, .number = number, .port = port, .master = -1, .watch = -1};
	snprintf(text, sizeof(text), description, number);
	if (!umockdev_testbed_add_from_string(testbed, text, &error)) {
		fprintf(stderr, "authenticator-bed: %s\n", error->message);
		return false;
	}
	device->device = g_strdup_printf("/sys/devices/pci0000:00/usb1/1-%1$u/1-%1$u:1.0/"
					 "0003:1209:000%1$u.0001/hidraw/hidraw%1$u",
		number);
	hide(device);
	return add_ioctls(device);
}

/* ---- Plugging in ---- */

static bool open_terminal(struct bed_device *device)
{
	struct termios raw;

	device->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (device->master < 0 || grantpt(device->master) != 0 || unlockpt(device->master) != 0 ||
		ptsname_r(device->master, device->terminal, sizeof(device->terminal)) != 0 ||
		tcgetattr(device->master, &raw) != 0)
		return false;
	cfmakeraw(&raw);
	return tcsetattr(device->master, TCSANOW, &raw) == 0;
}

/* umockdev wants to know which number a terminal stands for. */
static void map_terminal(struct bed_device *device)
{
	char flat[64];
	char path[PATH_LEN];
	char number[16];

	snprintf(flat, sizeof(flat), "%s", device->terminal);
	for (char *at = flat; *at != '\0'; at++) {
		if (*at == '/')
			*at = '_';
	}
	snprintf(number, sizeof(number), "240:%u", device->number);
	path_of(device, "dev/.ptymap", flat, path);
	unlink(path);
	if (symlink(number, path) != 0)
		perror("authenticator-bed: the number of a terminal");
}

static void show(struct bed_device *device)
{
	char name[16];
	char from[PATH_LEN];
	char to[PATH_LEN];

	path_of(device, "dev", node_name(device, name), to);
	if (symlink(device->terminal, to) != 0)
		perror("authenticator-bed: the node");
	path_of(device, ".", name, from);
	path_of(device, "sys/class/hidraw", name, to);
	if (rename(from, to) != 0)
		perror("authenticator-bed: the link of its class");
}

/* Throws away what the last host left behind. */
static void empty(struct bed_device *device)
{
	int slave = open(device->terminal, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (slave < 0)
		return;
	tcflush(slave, TCIFLUSH);
	close(slave);
	device->unread = false;
}

void bed_device_insert(struct bed_device *device)
{
	if (device->master >= 0)
		return;
	if (!open_terminal(device)) {
		perror("authenticator-bed: a terminal");
		return;
	}
	device->listened = device->unread = false;
	device->written_len = 0;
	device->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (device->watch < 0 ||
		inotify_add_watch(device->watch, device->terminal, IN_OPEN | IN_CLOSE) < 0)
		perror("authenticator-bed: inotify");
	empty(device); /* once it was opened, it says that it hung up */
	map_terminal(device);
	show(device);
	umockdev_testbed_uevent(device->testbed, device->device, "add");
}

void bed_device_pull(struct bed_device *device)
{
	if (device->master < 0)
		return;
	hide(device);
	close(device->watch);
	close(device->master); /* whoever has it open is hung up on */
	device->watch = device->master = -1;
	umockdev_testbed_uevent(device->testbed, device->device, "remove");
}

/* ---- Reports ---- */

/* A terminal says that it hung up as long as nobody has its other end open. */
static void look_for_hosts(struct bed_device *device)
{
	struct pollfd fd = {.fd = device->master, .events = POLLIN};

	device->listened = poll(&fd, 1, 0) == 0 || (fd.revents & POLLHUP) == 0;
	if (!device->listened && device->unread)
		empty(device);
}

static void pass_on(struct bed_device *device)
{
	device->written_len = 0;
	if (device->port >= 0 &&
		send(device->port, device->written + 1, BED_REPORT_LEN, MSG_NOSIGNAL) < 0)
		perror("authenticator-bed: a report");
}

void bed_device_from_host(struct bed_device *device)
{
	char events[1024];
	ssize_t len = 0;

	if (device->master < 0)
		return;
	while (read(device->watch, events, sizeof(events)) > 0)
		; /* that somebody came or went is all they say */
	look_for_hosts(device);
	while ((len = read(device->master, device->written + device->written_len,
			sizeof(device->written) - device->written_len)) > 0) {
		device->written_len += (size_t)len;
		if (device->written_len == sizeof(device->written))
			pass_on(device);
	}
}

void bed_device_to_host(struct bed_device *device, const uint8_t report[BED_REPORT_LEN])
{
	if (device->master < 0)
		return;
	look_for_hosts(device);
	if (!device->listened)
		return;
	device->unread = true;
	if (write(device->master, report, BED_REPORT_LEN) != BED_REPORT_LEN)
		fprintf(stderr, "authenticator-bed: a report was lost: %s\n", strerror(errno));
}
