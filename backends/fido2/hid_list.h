/*
 * Which devices are security keys: hidraw nodes whose reports have FIDO's usage page (CTAP 2.1
 * section 11.2.8.1). As libfido2's fido_dev_info_manifest() finds them, which opens them so that a
 * node which is a terminal, as those of the tests are, would become that of the whole worker.
 */
#ifndef KEYSTILE_FIDO2_HID_LIST_H
#define KEYSTILE_FIDO2_HID_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <libudev.h>

/*
 * Which device a path led to when it was found. A device that is plugged in gets a node of its own,
 * with a number of its own, also where its name was another one's before.
 */
struct hid_node {
	dev_t filesystem;
	ino_t number;
	dev_t device;
	struct timespec changed; /* its owner or mode, or it was made */
};

struct hid_found {
	char *path;
	struct hid_node node; /* of those that were opened */
	char *product;	      /* foreign text, never NULL */
	char *manufacturer;   /* likewise */
	char *serial;	      /* likewise; many have none */
};

/*
 * Puts at most most of them; how many. The caller frees each with hid_found_deinit(). Those whose
 * path known() says yes to are taken without being opened: somebody speaks with them.
 */
size_t hid_list(struct udev *udev, bool (*known)(void *owner, const char *path), void *owner,
	struct hid_found out[], size_t most);
void hid_found_deinit(struct hid_found *found);

/* Of an open device, and of what is at path now. False: it can't be told. */
bool hid_node_of(int fd, struct hid_node *out);
bool hid_node_at(const char *path, struct hid_node *out);
/* The same device; and nobody has changed its node. */
bool hid_node_same(const struct hid_node *a, const struct hid_node *b);
bool hid_node_untouched(const struct hid_node *a, const struct hid_node *b);

/* A report descriptor (HID 1.11 section 6.2.2) in which that usage page occurs. */
bool hid_descriptor_is_fido(const uint8_t *descriptor, size_t len);

#endif
