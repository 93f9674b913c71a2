/*
 * Lends this terminal to the agent for its questions. The agent's prompt helper shows them and
 * reads the answers; here nothing of what is typed is seen, only that it was answered.
 */
#ifndef KEYSTILE_CTL_PROMPTER_H
#define KEYSTILE_CTL_PROMPTER_H

#include "control.h"

/* Until Ctrl-C (KS_OK), or until the agent ends or has no use for it: any error has been said. */
KS_MUST_CHECK enum ks_error prompter_run(struct control *control);

#endif
