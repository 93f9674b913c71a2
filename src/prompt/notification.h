/*
 * Touch notices on the desktop: org.freedesktop.Notifications on the session bus.
 */
#ifndef KEYSTILE_PROMPT_NOTIFICATION_H
#define KEYSTILE_PROMPT_NOTIFICATION_H

#include "answer.h"

/*
 * Shows the notice until the agent withdraws it (signals: ask_signals()) or it is closed, and takes
 * it away then. PROMPT_NO: the agent or the person did not want it any longer. PROMPT_NOBODY: it
 * could not be shown, for want of a bus of this machine or of a service on it that answers.
 * PROMPT_FAILED: it was shown, and went by itself.
 */
struct answer notification_show(const struct prompt_question *question, int signals);

#endif
