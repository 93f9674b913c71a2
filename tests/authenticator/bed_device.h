/*
 * A hidraw device in a testbed of umockdev. Its node is a terminal, which differs from hidraw in
 * what this evens out: reports for nobody are dropped, and whoever opens it finds it empty.
 */
#ifndef AUTHENTICATOR_BED_DEVICE_H
#define AUTHENTICATOR_BED_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umockdev.h>

#define BED_REPORT_LEN 64

struct bed_device {
	UMockdevTestbed *testbed;
	unsigned number; /* of /dev/hidrawN */
	int port;	 /* to the authenticator */
	int master;	 /* of the terminal; -1: pulled */
	int watch;	 /* inotify: who opens and closes the node */
	bool listened;	 /* somebody has it open */
	bool unread;	 /* reports are in it that may have been left */
	char terminal[64];
	char *device;			     /* its path in /sys */
	uint8_t written[BED_REPORT_LEN + 1]; /* by the host: a report's number, the report */
	size_t written_len;
	bool ended;
};

/* Known to the testbed, not plugged in. */
bool bed_device_init(
	struct bed_device *device, UMockdevTestbed *testbed, unsigned number, int port);

/* With the event that udev would send. */
void bed_device_insert(struct bed_device *device);
void bed_device_pull(struct bed_device *device);

/* Serves what came from hosts. */
void bed_device_from_host(struct bed_device *device);

void bed_device_to_host(struct bed_device *device, const uint8_t report[BED_REPORT_LEN]);

#endif
