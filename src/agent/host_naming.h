/*
 * The names of a host as a person is told them: those of known_hosts, and where there is only a
 * hash of one, the guess that it confirms. Rules are decided without guesses (known_hosts_names()),
 * so that nobody's command line has a say in them.
 */
#ifndef AGENT_HOST_NAMING_H
#define AGENT_HOST_NAMING_H

#include "host_names.h"

struct agent;
struct peer;

/*
 * peer: the process that asks, whose command line may name the host. What is right is remembered.
 * Deinit the result with host_names_deinit().
 */
struct host_names host_naming(
	struct agent *agent, const struct session_bind *bind, const struct peer *peer);
/* The same without looking at any process. */
struct host_names host_naming_known(const struct agent *agent, const struct session_bind *bind);

#endif
