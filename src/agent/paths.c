/*
 * Compiled twice, for the build tree and for the installed program; all else of the
 * two is the same.
 */
#include "paths.h"

const char paths_worker_folder[] = KEYSTILE_WORKER_DIR;
const char paths_config_system[] = KEYSTILE_CONFIG_SYSTEM;
