/*
 * Places that are compiled into the agent: once those of the build tree, once those of
 * the installed program. They are never taken from the environment or from where the agent
 * itself lies: OpenSSH's tests run a copy of it from elsewhere.
 */
#ifndef PATHS_H
#define PATHS_H

extern const char paths_worker_folder[]; /* of keystile-worker-NAME and keystile-prompt */
extern const char paths_config_system[]; /* the configuration file for every user */

#endif
