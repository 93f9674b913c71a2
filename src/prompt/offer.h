/*
 * The words by which a person is offered a yes that counts for some time. Pure functions.
 */
#ifndef KEYSTILE_PROMPT_OFFER_H
#define KEYSTILE_PROMPT_OFFER_H

#include <keystile/buffer.h>

#define OFFER_LABEL_MAX 40

/* "Yes, for 5 minutes" */
void offer_label(uint32_t seconds, char out[static OFFER_LABEL_MAX]);
/* Appends a line that says what such a yes counts for. */
void offer_put(struct buf *out, uint32_t seconds);

#endif
