/*
 * The place of the programs that this one starts, compiled in: never taken from the environment.
 */
#include "child.h"

const char child_folder[] = KEYSTILE_WORKER_DIR;
