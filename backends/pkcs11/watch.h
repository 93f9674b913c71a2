/*
 * Watches the readers on a thread of its own, for modules that speak with pcscd: cards that went
 * are reported at once, those that came are looked for, and after a restart of pcscd the module
 * begins anew.
 */
#ifndef KEYSTILE_PKCS11_WATCH_H
#define KEYSTILE_PKCS11_WATCH_H

#include "provider.h"

struct watch;

/* NULL where the module has loaded no PC/SC, or there is no memory: then nothing is watched. */
struct watch *watch_start(struct provider *provider);
/*
 * The module is not called by it from here on. Its thread may wait for pcscd as long as the process
 * lives, so it is never freed. watch may be NULL.
 */
void watch_stop(struct watch *watch);

#endif
