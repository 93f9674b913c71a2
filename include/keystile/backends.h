/*
 * The backends of this build. Both are defined by sources that CMake writes
 * (backends/backend.cmake): the table is linked into the agent, the one backend into its worker.
 */
#ifndef KEYSTILE_BACKENDS_H
#define KEYSTILE_BACKENDS_H

#include <keystile/backend.h>

/* In the agent: what each backend's worker needs, ended by NULL. */
extern const struct ks_needs *const ks_backends[];

/* In a worker: the backend it was made for. */
extern const struct ks_backend *const ks_this_backend;

#endif
