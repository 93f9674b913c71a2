/*
 * Touch notices on the desktop: org.freedesktop.Notifications on the session bus.
 */
#ifndef KEYSTILE_PROMPT_NOTIFICATION_H
#define KEYSTILE_PROMPT_NOTIFICATION_H

#include <keystile/prompt.h>

/*
 * Shows the notice until the agent withdraws it (signals: ask_signals()) or it is closed, and takes
 * it away then. False where it could not be shown: no bus of this machine, or no service on it that
 * answers.
 */
KS_MUST_CHECK bool notification_show(const struct prompt_question *question, int signals);

#endif
