/*
 * One notification from Notify to its end. Nothing here waits for the service longer than it takes
 * a person to notice; the withdrawal is listened for all the time.
 */
#include "notification.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-bus.h>

#include <keystile/cleanup.h>

#include "ask.h"
#include "notification_text.h"

#define SERVICE "org.freedesktop.Notifications"
#define OBJECT "/org/freedesktop/Notifications"
#define ANSWER_US 2000000 /* for the service to show it */
#define CRITICAL 2	  /* the urgency that is shown above all */
#define DISMISSED 2	  /* the reason of NotificationClosed that is the person's doing */
#define BODY_MAX ((size_t)256 * 1024)

struct notification {
	sd_bus *bus;
	int signals;
	uint32_t id;
	enum {
		NOTIFICATION_ASKED,
		NOTIFICATION_SHOWN,
		NOTIFICATION_DISMISSED, /* by the person */
		NOTIFICATION_LOST,	/* it was shown, and no longer is */
		NOTIFICATION_FAILED	/* it never was */
	} state;
	bool withdrawn;
};

static int on_shown(sd_bus_message *message, void *owner, sd_bus_error *error)
{
	struct notification *notification = owner;

	(void)error;
	if (sd_bus_message_is_method_error(message, NULL) ||
		sd_bus_message_read(message, "u", &notification->id) < 0 || notification->id == 0)
		notification->state = NOTIFICATION_FAILED;
	else
		notification->state = NOTIFICATION_SHOWN;
	if (notification->state == NOTIFICATION_SHOWN)
		ask_shown();
	return 0;
}

static int on_closed(sd_bus_message *message, void *owner, sd_bus_error *error)
{
	struct notification *notification = owner;
	uint32_t id, reason;

	(void)error;
	if (sd_bus_message_read(message, "uu", &id, &reason) >= 0 &&
		notification->state == NOTIFICATION_SHOWN && id == notification->id)
		notification->state =
			reason == DISMISSED ? NOTIFICATION_DISMISSED : NOTIFICATION_LOST;
	return 0;
}

static bool open_bus(struct notification *notification)
{
	const char *address = getenv("DBUS_SESSION_BUS_ADDRESS");

	return address != NULL && notification_address_local(address) &&
	       sd_bus_new(&notification->bus) >= 0 &&
	       sd_bus_set_address(notification->bus, address) >= 0 &&
	       sd_bus_set_bus_client(notification->bus, 1) >= 0 &&
	       sd_bus_start(notification->bus) >= 0 &&
	       sd_bus_match_signal_async(notification->bus, NULL, SERVICE, OBJECT, SERVICE,
		       "NotificationClosed", on_closed, NULL, notification) >= 0;
}

static bool ask_service(struct notification *notification, const struct prompt_question *question)
{
	AUTO(buf) body = {.max = BODY_MAX};
	sd_bus_message *call = NULL;
	int32_t timeout_ms = question->timeout_seconds < 3600
				     ? (int32_t)question->timeout_seconds * 1000
				     : 3600 * 1000;
	bool sent;

	notification_escape(&body, question->text);
	buf_put_u8(&body, '\0');
	sent = buf_status(&body) == KS_OK &&
	       sd_bus_message_new_method_call(
		       notification->bus, &call, SERVICE, OBJECT, SERVICE, "Notify") >= 0 &&
	       sd_bus_message_append(call, "susssasa{sv}i", "Keystile", 0U, "",
		       "Keystile: the token waits for you", (const char *)body.data, 0, 2,
		       "urgency", "y", CRITICAL, "transient", "b", 1, timeout_ms) >= 0 &&
	       sd_bus_call_async(
		       notification->bus, NULL, call, on_shown, notification, ANSWER_US) >= 0;
	sd_bus_message_unref(call);
	return sent;
}

static void take_signals(struct notification *notification)
{
	struct signalfd_siginfo info;

	while (read(notification->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			notification->withdrawn = true;
}

/* Milliseconds until sd-bus wants to be called again, -1: never. */
static int patience(sd_bus *bus)
{
	uint64_t until_us, now_us;
	struct timespec now;

	if (sd_bus_get_timeout(bus, &until_us) < 0 || until_us == UINT64_MAX)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	return until_us <= now_us ? 0 : (int)((until_us - now_us) / 1000) + 1;
}

static void wait_for_event(struct notification *notification)
{
	struct pollfd ends[] = {
		{.fd = notification->signals, .events = POLLIN},
		{.fd = sd_bus_get_fd(notification->bus)},
	};
	int events = sd_bus_get_events(notification->bus);

	ends[1].events = (short)(events > 0 ? events : 0);
	poll(ends, 2, patience(notification->bus));
}

/* A withdrawal waits for the answer to Notify, without whose number nothing can be closed. */
static bool is_over(const struct notification *notification)
{
	return notification->state == NOTIFICATION_SHOWN
		       ? notification->withdrawn
		       : notification->state != NOTIFICATION_ASKED;
}

static void follow(struct notification *notification)
{
	while (!is_over(notification)) {
		int processed = sd_bus_process(notification->bus, NULL);

		take_signals(notification);
		if (processed < 0)
			notification->state = notification->state == NOTIFICATION_SHOWN
						      ? NOTIFICATION_LOST
						      : NOTIFICATION_FAILED;
		else if (processed == 0 && !is_over(notification))
			wait_for_event(notification);
	}
}

static void take_away(struct notification *notification)
{
	sd_bus_message *call = NULL;

	if (sd_bus_message_new_method_call(
		    notification->bus, &call, SERVICE, OBJECT, SERVICE, "CloseNotification") >= 0 &&
		sd_bus_message_append(call, "u", notification->id) >= 0 &&
		sd_bus_message_set_expect_reply(call, 0) >= 0 &&
		sd_bus_send(notification->bus, call, NULL) >= 0)
		sd_bus_flush(notification->bus);
	sd_bus_message_unref(call);
}

/* One that was withdrawn needs no other way either. */
static struct answer judge(const struct notification *notification)
{
	if (notification->withdrawn || notification->state == NOTIFICATION_DISMISSED)
		return (struct answer){.status = PROMPT_NO};
	if (notification->state == NOTIFICATION_LOST)
		return (struct answer){.status = PROMPT_FAILED,
			.words = "the notification service took the notice away"};
	return (struct answer){.status = PROMPT_NOBODY,
		.words = "no notification service on the session bus shows notices"};
}

struct answer notification_show(const struct prompt_question *question, int signals)
{
	struct notification notification = {.signals = signals, .state = NOTIFICATION_FAILED};

	if (open_bus(&notification) && ask_service(&notification, question)) {
		notification.state = NOTIFICATION_ASKED;
		follow(&notification);
	}
	if (notification.state == NOTIFICATION_SHOWN)
		take_away(&notification);
	sd_bus_flush_close_unref(notification.bus);
	return judge(&notification);
}
