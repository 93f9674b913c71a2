/*
 * `keystile fido ...`: security keys are looked at, and what is resident on them is loaded. What is
 * asked of them is asked by keystile-worker-fido2 (backends/fido2/admin.h), one of our own for
 * list, the agent's for load.
 */
#ifndef KEYSTILE_CTL_FIDO_H
#define KEYSTILE_CTL_FIDO_H

#include <jansson.h>

/* The worker's answer for a person. */
void fido_print(const json_t *answer);

#endif
