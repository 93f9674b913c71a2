/*
 * The thread that gives cards back when they are not used.
 */
#ifndef KEYSTILE_PKCS11_IDLE_H
#define KEYSTILE_PKCS11_IDLE_H

#include "provider.h"

/* After how long; 0: never. KS_BAD_INPUT and words where what is configured is no such number. */
KS_MUST_CHECK enum ks_error idle_seconds(struct ks_operation *operation, unsigned *out);
void idle_start(struct provider *provider, unsigned seconds);
/* Before the module is closed. */
void idle_stop(struct provider *provider);

#endif
