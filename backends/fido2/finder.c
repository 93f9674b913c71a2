/*
 * The thread that listens to udev. It also closes tokens that were not used for a while, as it is
 * the one that is awake.
 */
#include "finder.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/log.h>

#include "hid_list.h"
#include "kept_pin.h"

#define SUBSYSTEM "hidraw"

struct finder {
	struct tokens *tokens;
	struct udev *udev;
	struct udev_monitor *monitor; /* NULL: there is none */
	pthread_t thread;
	pthread_mutex_t looking;
	atomic_bool ending;
};

static bool is_known(void *owner, const char *path)
{
	return tokens_know(owner, path);
}

void finder_look(struct finder *finder)
{
	struct hid_found found[TOKENS_MAX];
	const char *paths[TOKENS_MAX];
	size_t count;

	pthread_mutex_lock(&finder->looking);
	count = finder->udev == NULL
			? 0
			: hid_list(finder->udev, is_known, finder->tokens, found, TOKENS_MAX);
	for (size_t i = 0; i < count; i++)
		paths[i] = found[i].path;
	tokens_keep_only(finder->tokens, paths, count);
	for (size_t i = 0; i < count; i++) {
		tokens_appeared(finder->tokens, &found[i]);
		hid_found_deinit(&found[i]);
	}
	pthread_mutex_unlock(&finder->looking);
}

/* One that was pulled and put back between two looks is another one. */
static bool take_event(struct finder *finder)
{
	struct udev_device *device = udev_monitor_receive_device(finder->monitor);
	const char *action = device == NULL ? NULL : udev_device_get_action(device);
	const char *node = device == NULL ? NULL : udev_device_get_devnode(device);

	if (action != NULL && node != NULL && strcmp(action, "remove") == 0)
		tokens_removed(finder->tokens, node);
	if (device == NULL)
		return false;
	udev_device_unref(device);
	return true;
}

static void drain(int fd)
{
	uint64_t events;

	if (read(fd, &events, sizeof(events)) < 0)
		log_debug("woken for nothing");
}

/* When there is something to do for it without being woken, in ms, -1: never. */
static int tidy(struct tokens *tokens)
{
	int idle = tokens_close_idle(tokens);
	int pin = kept_pins_expire(tokens);

	return idle < 0 || (pin >= 0 && pin < idle) ? pin : idle;
}

static void *finder_main(void *argument)
{
	struct finder *finder = argument;

	while (!atomic_load(&finder->ending)) {
		struct pollfd events[] = {{.fd = finder->tokens->wake, .events = POLLIN},
			{.fd = finder->monitor != NULL ? udev_monitor_get_fd(finder->monitor) : -1,
				.events = POLLIN}};

		if (poll(events, 2, tidy(finder->tokens)) <= 0)
			continue;
		if (events[0].revents != 0)
			drain(finder->tokens->wake);
		if (events[1].revents != 0) {
			/* All: nothing found now shall be gone by an old event. */
			while (take_event(finder))
				;
			finder_look(finder);
		}
	}
	return NULL;
}

/* Without udev tokens are found when they are asked for. */
static void listen_to_udev(struct finder *finder)
{
	finder->udev = udev_new();
	if (finder->udev != NULL)
		finder->monitor = udev_monitor_new_from_netlink(finder->udev, "udev");
	if (finder->monitor != NULL &&
		udev_monitor_filter_add_match_subsystem_devtype(finder->monitor, SUBSYSTEM, NULL) >=
			0 &&
		udev_monitor_enable_receiving(finder->monitor) >= 0)
		return;
	log_warning("udev can't be listened to: security keys are looked for when they are needed");
	udev_monitor_unref(finder->monitor);
	finder->monitor = NULL;
}

enum ks_error finder_start(struct tokens *tokens, struct finder **out)
{
	struct finder *finder = calloc(1, sizeof(*finder));

	*out = NULL;
	if (finder == NULL)
		return KS_NO_MEMORY;
	finder->tokens = tokens;
	pthread_mutex_init(&finder->looking, NULL);
	listen_to_udev(finder);
	finder_look(finder);
	if (pthread_create(&finder->thread, NULL, finder_main, finder) != 0) {
		udev_monitor_unref(finder->monitor);
		udev_unref(finder->udev);
		free(finder);
		return KS_NO_MEMORY;
	}
	*out = finder;
	return KS_OK;
}

void finder_stop(struct finder **held)
{
	struct finder *finder = *held;
	const uint64_t one = 1;

	*held = NULL;
	if (finder == NULL)
		return;
	atomic_store(&finder->ending, true);
	if (write(finder->tokens->wake, &one, sizeof(one)) < 0)
		log_debug("the finder is awake already");
	pthread_join(finder->thread, NULL);
	udev_monitor_unref(finder->monitor);
	udev_unref(finder->udev);
	pthread_mutex_destroy(&finder->looking);
	free(finder);
}
