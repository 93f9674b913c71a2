/*
 * The thread that gives cards back when they are not used.
 */
#ifndef KEYSTILE_PKCS11_IDLE_H
#define KEYSTILE_PKCS11_IDLE_H

#include "provider.h"

void idle_start(struct provider *provider);
/* Before the module is closed. */
void idle_stop(struct provider *provider);

#endif
