/*
 * Looking at the node, which Landlock permits where it does not permit opening.
 */
#include "device.h"

#include <string.h>
#include <sys/stat.h>

#define DEVICE "device:"

static ino_t inode_of(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? status.st_ino : 0;
}

struct tpm_device tpm_device_seen(const char *tcti)
{
	struct tpm_device device = {0};

	if (strncmp(tcti, DEVICE, strlen(DEVICE)) == 0 && tcti[strlen(DEVICE)] == '/') {
		device.path = tcti + strlen(DEVICE);
		device.inode = inode_of(device.path);
	}
	return device;
}

bool tpm_device_changed(const struct tpm_device *before)
{
	const ino_t now = before->path != NULL ? inode_of(before->path) : 0;

	return now != 0 && now != before->inode;
}
