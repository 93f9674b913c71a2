/*
 * What a TPM keeps besides keys: places in its own memory, each with a number (0x01......).
 */
#ifndef KEYSTILE_TPM2_NV_H
#define KEYSTILE_TPM2_NV_H

#include "held.h"

#define NV_MAX 8192

/* Appends what is there. False: nothing is, or it can't be read with an empty authorisation value.
 */
bool nv_read(struct held *held, TPM2_HANDLE place, struct buf *out);

#endif
