/*
 * Devices as the kernel shows them in /sys: permissions of nodes, and versions of firmware.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "doctor.h"
#include "firmware.h"

#define YUBICO "1050" /* of USB */

/* HID report descriptors of security keys begin with this: usage page FIDO alliance, 0xf1d0. */
static const uint8_t fido_page[] = {0x06, 0xd0, 0xf1};

/* The first bytes of a file; their number. */
static size_t read_start(const char *path, void *start, size_t len)
{
	AUTO(fd) fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, start, len) : -1;

	return got > 0 ? (size_t)got : 0;
}

bool doctor_file_begins(const char *path, const void *bytes, size_t len)
{
	uint8_t start[8] = {0};

	return len <= sizeof(start) && read_start(path, start, len) == len &&
	       memcmp(start, bytes, len) == 0;
}

bool doctor_any_file(const char *pattern)
{
	glob_t found = {0};
	bool any = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;

	globfree(&found);
	return any;
}

/* ---- Security keys ---- */

/* node is one in /sys/class/hidraw. */
static void check_security_key(struct doctor *doctor, const char *node)
{
	AUTO(text) descriptor = text_format("%s/device/report_descriptor", node);
	AUTO(text) device = text_format("/dev/%s", strrchr(node, '/') + 1);

	if (descriptor == NULL || device == NULL ||
		!doctor_file_begins(descriptor, fido_page, sizeof(fido_page)))
		return;
	if (access(device, R_OK | W_OK) == 0)
		doctor_say(doctor, DOCTOR_PASS, "security keys", "", "%s can be used", device);
	else
		doctor_say(doctor, DOCTOR_FAIL, "security keys",
			"sudo udevadm control --reload && sudo udevadm trigger -s hidraw\n"
			"where Keystile's udev rules, 70-keystile.rules, are installed; they serve "
			"who sits at the machine: by ssh, ask the administrator for access",
			"%s is a security key, but you may not use it: %s", device,
			strerror(errno));
}

static void check_security_keys(struct doctor *doctor)
{
	size_t before = json_array_size(doctor->findings);
	glob_t found = {0};

	if (glob("/sys/class/hidraw/*", 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			check_security_key(doctor, found.gl_pathv[i]);
	globfree(&found);
	if (json_array_size(doctor->findings) == before)
		doctor_say(doctor, DOCTOR_PASS, "security keys", "", "none is plugged in");
}

/* Whatever its parts are used for, its firmware is one. idVendor is a file of one in /sys. */
static void check_yubikey(struct doctor *doctor, const char *vendor)
{
	AUTO(text) path =
		text_format("%.*s/bcdDevice", (int)(strrchr(vendor, '/') - vendor), vendor);
	const struct firmware_weakness *weakness;
	char version[5] = {0};

	if (!doctor_file_begins(vendor, YUBICO, strlen(YUBICO)) || path == NULL ||
		read_start(path, version, sizeof(version) - 1) != sizeof(version) - 1)
		return;
	weakness = firmware_weakness_of_yubikey(version);
	if (weakness != NULL)
		doctor_say(doctor, DOCTOR_WARN, "YubiKey", weakness->remedy,
			"firmware %c.%c.%c: %s", version[1], version[2], version[3],
			weakness->words);
}

static void check_yubikeys(struct doctor *doctor)
{
	glob_t found = {0};

	if (glob("/sys/bus/usb/devices/*/idVendor", 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			check_yubikey(doctor, found.gl_pathv[i]);
	globfree(&found);
}

void doctor_check_devices(struct doctor *doctor)
{
	doctor_check_readers(doctor);
	check_security_keys(doctor);
	check_yubikeys(doctor);
	doctor_check_tpm(doctor);
}
