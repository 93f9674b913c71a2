/*
 * What the rows of the table of commands run. Each returns the exit status.
 */
#ifndef KEYSTILE_CTL_COMMANDS_H
#define KEYSTILE_CTL_COMMANDS_H

#include "command.h"

/* commands.c */
int run_status(const struct call *call);
int run_keys(const struct call *call);
int run_why(const struct call *call);
int run_doctor(const struct call *call);
int run_lock(const struct call *call);
int run_unlock(const struct call *call);
int run_release(const struct call *call);
int run_policy_show(const struct call *call);
int run_policy_test(const struct call *call);
int run_reload(const struct call *call);
int run_env(const struct call *call);
int run_prompter(const struct call *call);
int run_log(const struct call *call);
/* fido.c */
int run_fido_list(const struct call *call);
int run_fido_load(const struct call *call);
/* completion.c */
int run_completion(const struct call *call);

#endif
