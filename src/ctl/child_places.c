/*
 * Places of the programs that this one starts, and of the configuration for every user, compiled
 * in: never taken from the environment.
 */
#include "child.h"

const char child_folder[] = KEYSTILE_WORKER_DIR;
const char child_config_system[] = KEYSTILE_CONFIG_SYSTEM;
