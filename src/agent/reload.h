/*
 * Reading the configuration anew while the agent runs: on another thread, as a file system may
 * hang. A configuration with a mistake is refused whole and the one before stays in force.
 */
#ifndef AGENT_RELOAD_H
#define AGENT_RELOAD_H

#include <stdint.h>

#include "config.h"

struct agent;
struct reload;

/* Called on the loop when a run is over; refusal: why the files are not in force, or NULL. */
typedef void reload_done(struct agent *agent, uint64_t run, const char *refusal);

/* NULL: out of memory. */
struct reload *reload_new(struct agent *agent, reload_done *done);
/* The number of a run that begins after this call, and so sees what the files hold now. */
uint64_t reload_ask(struct reload *reload);
/* Why the files were refused the last time they were read, or NULL. */
const char *reload_refusal(const struct reload *reload);
/* The loop has ended. False, and it stays: a thread hangs in a file, so end without exit(). */
bool reload_free(struct reload **reload);

#endif
