/*
 * hidraw devices, asked for their report descriptor.
 */
#include "hid_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/hidraw.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#define USAGE_PAGE_FIDO 0xf1d0
#define ITEM_USAGE_PAGE 0x04 /* with the two bits of its size left out */
#define ITEM_LONG 0xfe

bool hid_descriptor_is_fido(const uint8_t *descriptor, size_t len)
{
	size_t at = 0;

	while (at < len) {
		uint8_t item = descriptor[at++];
		size_t size = (item & 3) == 3 ? 4 : item & 3;

		if (item == ITEM_LONG)
			return false;
		if (size > len - at)
			return false;
		if ((item & ~3) == ITEM_USAGE_PAGE && size == 2 &&
			(descriptor[at] | descriptor[at + 1] << 8) == USAGE_PAGE_FIDO)
			return true;
		at += size;
	}
	return false;
}

static struct hid_node node_of(const struct stat *status)
{
	return (struct hid_node){.filesystem = status->st_dev,
		.number = status->st_ino,
		.device = status->st_rdev,
		.changed = status->st_ctim};
}

bool hid_node_of(int fd, struct hid_node *out)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return false;
	*out = node_of(&status);
	return true;
}

bool hid_node_at(const char *path, struct hid_node *out)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return false;
	*out = node_of(&status);
	return true;
}

bool hid_node_same(const struct hid_node *a, const struct hid_node *b)
{
	return a->filesystem == b->filesystem && a->number == b->number && a->device == b->device;
}

bool hid_node_untouched(const struct hid_node *a, const struct hid_node *b)
{
	return hid_node_same(a, b) && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

/* One that is not ours to open is none: another person's, or one that went meanwhile. */
static bool is_fido(const char *node, struct hid_node *out)
{
	AUTO(fd) fd = open(node, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct hidraw_report_descriptor descriptor = {0};
	int size = -1;

	if (fd < 0 || !hid_node_of(fd, out) || ioctl(fd, HIDIOCGRDESCSIZE, &size) < 0 || size < 0 ||
		size > HID_MAX_DESCRIPTOR_SIZE)
		return false;
	descriptor.size = (uint32_t)size;
	if (ioctl(fd, HIDIOCGRDESC, &descriptor) < 0 || descriptor.size > (uint32_t)size)
		return false;
	return hid_descriptor_is_fido(descriptor.value, descriptor.size);
}

static char *copy(const char *text)
{
	return strdup(text != NULL ? text : "");
}

/* Of a device that is no USB device, such as one by Bluetooth, the name that HID has for it. */
static void describe(struct udev_device *device, struct hid_found *found)
{
	struct udev_device *usb =
		udev_device_get_parent_with_subsystem_devtype(device, "usb", "usb_device");
	struct udev_device *hid =
		udev_device_get_parent_with_subsystem_devtype(device, "hid", NULL);
	const char *product = NULL;
	const char *serial = NULL;

	if (usb != NULL)
		product = udev_device_get_sysattr_value(usb, "product");
	if (product == NULL && hid != NULL)
		product = udev_device_get_property_value(hid, "HID_NAME");
	if (usb != NULL)
		serial = udev_device_get_sysattr_value(usb, "serial");
	else if (hid != NULL)
		serial = udev_device_get_property_value(hid, "HID_UNIQ");
	found->serial = copy(serial);
	found->product = copy(product);
	found->manufacturer =
		copy(usb != NULL ? udev_device_get_sysattr_value(usb, "manufacturer") : NULL);
}

void hid_found_deinit(struct hid_found *found)
{
	free(found->path);
	free(found->product);
	free(found->manufacturer);
	free(found->serial);
	*found = (struct hid_found){0};
}

static bool take(struct udev_device *device, struct hid_found *found)
{
	found->path = strdup(udev_device_get_devnode(device));
	describe(device, found);
	if (found->path != NULL && found->product != NULL && found->manufacturer != NULL &&
		found->serial != NULL)
		return true;
	hid_found_deinit(found);
	return false;
}

size_t hid_list(struct udev *udev, bool (*known)(void *owner, const char *path), void *owner,
	struct hid_found out[], size_t most)
{
	struct udev_enumerate *all = udev_enumerate_new(udev);
	struct udev_list_entry *entry = NULL;
	size_t count = 0;

	if (all != NULL && udev_enumerate_add_match_subsystem(all, "hidraw") >= 0 &&
		udev_enumerate_scan_devices(all) >= 0)
		entry = udev_enumerate_get_list_entry(all);
	for (; entry != NULL && count < most; entry = udev_list_entry_get_next(entry)) {
		struct udev_device *device =
			udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));
		const char *node = device != NULL ? udev_device_get_devnode(device) : NULL;

		out[count] = (struct hid_found){0};
		if (node != NULL && (known(owner, node) || is_fido(node, &out[count].node)) &&
			take(device, &out[count]))
			count++;
		udev_device_unref(device);
	}
	udev_enumerate_unref(all);
	return count;
}
