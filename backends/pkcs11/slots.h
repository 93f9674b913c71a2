/*
 * Which tokens are in the slots of a module now.
 */
#ifndef KEYSTILE_PKCS11_SLOTS_H
#define KEYSTILE_PKCS11_SLOTS_H

#include "provider.h"

/*
 * Brings present, slot, flags and unread of all tokens up to date, adds new ones, and drops the
 * sessions of those that went or moved. Tokens that went are reported as gone. The caller is alone
 * in the provider's scan.
 */
KS_MUST_CHECK enum ks_error slots_scan(struct provider *provider, struct ks_operation *operation);

#endif
