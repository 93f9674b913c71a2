/*
 * Devices as the kernel shows them in /sys, and what stands between them and the agent: pcscd and
 * its driver, permissions of nodes.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "doctor.h"

#define CCID_CLASS "0b" /* of USB interfaces: smart card readers */
#define PCSCD_SOCKET "/run/pcscd/pcscd.comm"

/* HID report descriptors of security keys begin with this: usage page FIDO alliance, 0xf1d0. */
static const uint8_t fido_page[] = {0x06, 0xd0, 0xf1};

/* The first bytes of a file; their number. */
static size_t read_start(const char *path, void *start, size_t len)
{
	AUTO(fd) fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, start, len) : -1;

	return got > 0 ? (size_t)got : 0;
}

static bool begins_with(const char *path, const void *bytes, size_t len)
{
	uint8_t start[8] = {0};

	return len <= sizeof(start) && read_start(path, start, len) == len &&
	       memcmp(start, bytes, len) == 0;
}

static bool any_file(const char *pattern)
{
	glob_t found = {0};
	bool any = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;

	globfree(&found);
	return any;
}

/* ---- Card readers ---- */

static bool reader_plugged_in(void)
{
	glob_t found = {0};
	bool any = false;

	if (glob("/sys/bus/usb/devices/*/bInterfaceClass", GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			any |= begins_with(found.gl_pathv[i], CCID_CLASS, strlen(CCID_CLASS));
	globfree(&found);
	return any;
}

static bool pcscd_installed(void)
{
	return access("/usr/sbin/pcscd", F_OK) == 0 || access("/usr/bin/pcscd", F_OK) == 0;
}

static bool ccid_driver_installed(void)
{
	return any_file("/usr/lib*/pcsc/drivers/*ccid*") ||
	       any_file("/usr/lib/*/pcsc/drivers/*ccid*");
}

/* 0, or errno of connecting; nothing is sent, and the queue is not waited for. */
static int connect_to_pcscd(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = PCSCD_SOCKET};
	AUTO(fd) fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return errno;
	return connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
}

static void check_pcscd(struct doctor *doctor, int trouble)
{
	if (trouble == 0 || trouble == EAGAIN)
		doctor_say(doctor, DOCTOR_PASS, "card readers", "", "pcscd answers at %s",
			PCSCD_SOCKET);
	else if (!pcscd_installed())
		doctor_say(doctor, DOCTOR_FAIL, "card readers", "sudo apt install pcscd",
			"a reader is plugged in, but pcscd, which serves readers, is not "
			"installed");
	else
		doctor_say(doctor, DOCTOR_FAIL, "card readers",
			trouble == EACCES ? "ls -l " PCSCD_SOCKET
					  : "sudo systemctl enable --now pcscd.socket",
			"a reader is plugged in, but pcscd can't be reached at %s: %s",
			PCSCD_SOCKET, strerror(trouble));
}

static void check_readers(struct doctor *doctor)
{
	int trouble;

	if (!reader_plugged_in()) {
		doctor_say(doctor, DOCTOR_PASS, "card readers", "",
			"no USB card reader is plugged in");
		return;
	}
	trouble = connect_to_pcscd();
	check_pcscd(doctor, trouble);
	if (pcscd_installed() && !ccid_driver_installed())
		doctor_say(doctor, DOCTOR_FAIL, "card readers", "sudo apt install libccid",
			"pcscd has no driver for USB readers (CCID)");
}

/* ---- Security keys ---- */

/* node is one in /sys/class/hidraw. */
static void check_security_key(struct doctor *doctor, const char *node)
{
	AUTO(text) descriptor = text_format("%s/device/report_descriptor", node);
	AUTO(text) device = text_format("/dev/%s", strrchr(node, '/') + 1);

	if (descriptor == NULL || device == NULL ||
		!begins_with(descriptor, fido_page, sizeof(fido_page)))
		return;
	if (access(device, R_OK | W_OK) == 0)
		doctor_say(doctor, DOCTOR_PASS, "security keys", "", "%s can be used", device);
	else
		doctor_say(doctor, DOCTOR_FAIL, "security keys",
			"install Keystile's udev rules (70-keystile.rules), then: sudo udevadm "
			"control --reload && sudo udevadm trigger -s hidraw; by ssh or without a "
			"seat, ask the administrator for access",
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

/* ---- TPM ---- */

static void check_tpm(struct doctor *doctor)
{
	static const char node[] = "/dev/tpmrm0";

	if (!any_file("/sys/class/tpm/tpm0"))
		doctor_say(doctor, DOCTOR_PASS, "TPM", "", "this machine has none");
	else if (!begins_with("/sys/class/tpm/tpm0/tpm_version_major", "2", 1))
		doctor_say(doctor, DOCTOR_WARN, "TPM", "", "it is older than version 2: no use");
	else if (access(node, R_OK | W_OK) == 0)
		doctor_say(doctor, DOCTOR_PASS, "TPM", "", "%s can be used", node);
	else if (errno == EACCES)
		doctor_say(doctor, DOCTOR_WARN, "TPM",
			"sudo usermod -a -G tss \"$USER\", then log in anew",
			"you may not use %s: you are not in its group", node);
	else
		doctor_say(doctor, DOCTOR_WARN, "TPM", "sudo modprobe tpm_crb tpm_tis",
			"%s can't be used: %s", node, strerror(errno));
}

void doctor_check_devices(struct doctor *doctor)
{
	check_readers(doctor);
	check_security_keys(doctor);
	check_tpm(doctor);
}
